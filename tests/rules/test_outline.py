"""What is shown of an answer that could not be read: names and sizes, never a value."""

from __future__ import annotations

import pytest

from refresher.rules.unread import names_token, outlined


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            '{"accessToken": "abc", "n": 1, "o": {"p": []}}',
            [
                "accessToken: a text of 3 characters",
                "n: a number, true, false or null",
                "o: an object of 1",
                "p: a list of 0",
            ],
        ),
        ("[]", ["a list of 0"]),
        ("<r><token>abc</token></r>", ["25 characters, no JSON", "token: …"]),
        ('{"%s": 1}' % ("k" * 50), ["kkkk… (a name of 50): a number, true, false or null"]),
        ("", ["0 characters, no JSON"]),
    ],
)
def test_an_outline_shows_no_value(text: str, lines: list[str]) -> None:
    """A name that is as long as a token is cut, and what it names is only measured."""
    assert outlined(text) == lines


def test_an_outline_ends() -> None:
    """Forty lines are enough to see what an answer is made of."""
    assert len(outlined(str([{f"k{n}": 1 for n in range(99)}]).replace("'", '"'))) == 40


@pytest.mark.parametrize(
    ("name", "value", "is_token"),
    [
        ("accessToken", "abc", True),
        ("JWT", "abc", True),
        ("refresh", "abc", True),
        ("refreshed", "abc", False),
        ("token_type", "bearer", False),
        ("token", "two words", False),
        ("token", "https://acme.example", False),
        ("token", 7, False),
        ("token", " ", False),
    ],
)
def test_a_field_holds_a_token_by_its_name(name: str, value: object, is_token: bool) -> None:
    """Whatever its spelling; a type, an address or a sentence is none."""
    assert names_token(name, value) is is_token

"""URL templates in messages: what they may be, and that no value leaves its place."""

import pytest

from refresher.rules.addresses import RECONNECT_WORDS, address_fault, fill, is_here, template_fault


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        ("https://app.example/c/{external_id}/reconnect?org={organization_id}", None),
        ("http://localhost:8000/{connection_id}", None),
        ("http://app.example/{external_id}", "must begin with https://"),
        ("javascript:alert(1)", "must begin with https://"),
        ("https:///x", "name a server"),
        ("https://accounts.google.com@evil.example/login", "no @"),
        ("https://ann:secret@app.example/", "no @"),
        ("https://@app.example/", "no @"),
        ("https://accounts.google.com%40evil.example/", "no %"),
        ("https://app.example/@{external_id}?at=%40", None),
        ("https://[::1/x", "is no URL"),
        ("https://app.example:port/x", "is no URL"),
        ("https://app.example/{external}", "has {external}, and knows {external_id}"),
        ("https://app.example/{external_id", "brace without its other half"),
        ("https://{external_id}.example/", "server's name"),
        ("https://app.example/a b", "no URL may hold"),
        ('https://app.example/"><script>', "no URL may hold"),
        ("https://app.example/\r\nX: y", "no URL may hold"),
        ("https://äpp.example/", "no URL may hold"),
    ],
)
def test_a_template_is_checked_when_it_is_set(template: str, fault: str | None) -> None:
    """What is wrong is told as the end of a sentence."""
    found = template_fault(template, RECONNECT_WORDS)
    assert found is None if fault is None else fault in str(found)


def test_a_template_without_words_says_so() -> None:
    """Where no word is known, any is one too many."""
    assert template_fault("https://a.example/{x}", ()) == "has {x}, and knows no word in braces"


def test_no_value_leaves_its_place() -> None:
    """Slashes, queries, dots and line breaks of a stored value are encoded; what lacks is empty."""
    filled = fill("https://a.example/{external_id}/{provider}", {"external_id": "../a?b#c\r\nd é"})
    assert filled == "https://a.example/..%2Fa%3Fb%23c%0D%0Ad%20%C3%A9/"


@pytest.mark.parametrize("given", ["a\n@b.example", "a\x7f@b.example"])
def test_an_address_has_no_control_character(given: str) -> None:
    """A line break in a recipient's address would be a header of the mail."""
    assert address_fault(given) == "holds a control character"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:9/x", True),
        ("http://127.0.0.1/", True),
        ("http://[::1]:9/", True),
        ("http://localhost.evil.example/", False),
        ("http://localhost@evil.example/", False),
        ("http://[::1/x", False),
        ("/x", False),
    ],
)
def test_only_whole_names_are_this_machine(url: str, expected: bool) -> None:
    """A host that begins like localhost is a stranger's, and what is no URL is nobody's."""
    assert is_here(url) is expected

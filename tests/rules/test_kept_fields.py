"""Which fields of an answer are kept, and which of them are secrets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from refresher.rules import kept_fields


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("https://acme.example", "https://acme.example"),
        (7, 7),
        (0, 0),
        (1.5, 1.5),
        (True, True),
        (False, False),
        *((odd, None) for odd in ("", None, [], {}, ["a"], {"a": 1}, float("nan"), float("inf"))),
        *((odd, None) for odd in ("\x00", "\ud800", "x" * 20_000, 10**400, 2**60, 1e99)),
    ],
)
def test_texts_numbers_and_flags_are_kept(value: Any, expected: Any) -> None:
    """Anything else is as if absent: it must not cost the answer."""
    found = kept_fields.kept(("field",), {"field": value})
    assert found == ({} if expected is None else {"field": expected})
    json.dumps(found, allow_nan=False)


def test_a_field_within_a_field_is_named_by_its_way() -> None:
    """`team.id` is Slack's; a field whose own name has a dot comes first."""
    answer = {"team": {"id": "T1"}, "a.b": 1, "a": {"b": 2}, "text": "x"}
    names = ("team.id", "a.b", "text.length", "team.name", "absent")
    assert kept_fields.kept(names, answer) == {"team.id": "T1", "a.b": 1}


def test_all_together_are_bounded() -> None:
    """No answer fills a row without end."""
    answer = {f"f{n}": "x" * 16_000 for n in range(32)}
    found = kept_fields.kept(tuple(answer), answer)
    assert 0 < len(json.dumps(found)) <= kept_fields.MAX_WHOLE_BYTES + 1_000


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        *((name, True) for name in ("id_token", "api_secret", "password", "private_key", "jwt")),
        *((name, True) for name in ("device_token", "team.token", "client_assertion")),
        *(
            (name, False)
            for name in ("instance_url", "token_type", "issued_at", "scope", "endpoint")
        ),
        *((name, False) for name in ("token_endpoint", "refresh_token_expires_in", "monkeys")),
    ],
)
def test_what_is_called_like_a_token_is_a_secret(name: str, secret: bool) -> None:
    """It is stored sealed, and shown only beside the token."""
    assert kept_fields.is_secret(name) is secret


def test_secrets_and_the_rest_part_and_come_together() -> None:
    """What is sealed is what is opened."""
    fields: kept_fields.KeptFields = {"id_token": "i", "instance_url": "u", "n": 1}
    plain, secret = kept_fields.plain_text(fields), kept_fields.secret_text(fields)
    assert plain is not None
    assert json.loads(plain) == {"instance_url": "u", "n": 1}
    assert secret is not None
    assert kept_fields.from_secret_text(secret) == {"id_token": "i"}
    assert kept_fields.plain_text({"id_token": "i"}) is None
    assert kept_fields.secret_text({"n": 1}) is None


@pytest.mark.parametrize(
    ("kept", "whole"),
    [
        ({}, {}),
        ({"n": 1}, {"n": 1}),
        ({"team.id": "T"}, {"team.id": "T", "team": {"id": "T"}}),
        ({"a.b": 1, "a.c": 2}, {"a.b": 1, "a.c": 2, "a": {"b": 1, "c": 2}}),
        ({"a": 1, "a.b": 2}, {"a": {"b": 2}, "a.b": 2}),
    ],
)
def test_kept_fields_stand_again_as_in_their_answer(
    kept: dict[str, object], whole: dict[str, object]
) -> None:
    """So that a way into the answer leads to them."""
    assert kept_fields.as_answer(kept) == whole

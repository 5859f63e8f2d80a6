"""Handing over a connection that is wrong: each mistake has its sentence."""

from __future__ import annotations

import sys
from unicodedata import category

import pytest

from refresher.errors import InvalidConnection
from refresher.rules import intake_fields
from refresher.rules.registration import read
from tests.rules.samples import NAMED, nested


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"organization_id": None}, "organization_id is missing"),
        ({"provider": ""}, "provider is missing"),
        ({"external_id": "  "}, "external_id is missing"),
        ({"external_id": 42}, "external_id must be a text"),
        ({"name": ["x"]}, "name must be a text"),
        ({"name": "x" * 513}, "name is longer than 512 characters"),
        ({"name": "two\nlines"}, "name contains a control character"),
        ({"external_id": "4\x002"}, "external_id contains a control character"),
        ({"external_id": "4\x1f2"}, "external_id contains a control character"),
        ({"name": "half \ud83d"}, "name contains a control character"),
        (
            {"acess_token": "a"},
            'there is no field "acess_token" (did you mean "access_token"?)',
        ),
        ({"colour": "red"}, 'there is no field "colour"'),
        ({"zz\x1b[31m" + "z" * 900_000: 1}, f'there is no field "zz[31m{"z" * 57}"'),
        ({"access_token": 7}, "access_token must be a text"),
        ({"refresh_token": False}, "refresh_token must be a text"),
        ({"access_token": "a\n"}, "access_token contains characters that no token may have"),
        ({"access_token": "a\x00b"}, "access_token contains characters that no token may have"),
        (
            {"refresh_token": "t\u00f6ken"},
            "refresh_token contains characters that no token may have",
        ),
        (
            {"refresh_token": "r" * 100_000},
            "refresh_token is 100,000 characters long; 65,536 are allowed",
        ),
        (
            {"expires_in": 60, "expires_at": "2026-12-31T23:59:59Z"},
            "give expires_in or expires_at, not both",
        ),
        (
            {"expires_in": -1},
            "expires_in is negative: give 0 for a token that has expired already",
        ),
        (
            {"expires_at": "9999-12-31T23:59:59Z"},
            "expires_at lies in the year 9999: leave it out when no end is known",
        ),
        (
            {"expires_at": "1969-12-31T23:59:59Z"},
            "expires_at lies in the year 1969: leave it out when no end is known",
        ),
        ({"scopes": 7}, "scopes must be a list of texts, or one text with spaces between"),
        ({"scopes": ["a", 7]}, "scopes must be a list of texts, or one text with spaces between"),
        ({"scopes": ["a", " "]}, "scopes must be a list of texts, or one text with spaces between"),
        ({"scopes": ["a b"]}, "scopes contains a space or a control character within a scope"),
        ({"scopes": "a\x00b"}, "scopes contains a space or a control character within a scope"),
        ({"scopes": ["s" * 513]}, "scopes has a scope longer than 512 characters"),
        ({"in_between_steps": "yes"}, "in_between_steps must be true or false"),
        ({"in_between_steps": 1}, "in_between_steps must be true or false"),
        ({"metadata": []}, "metadata must be a JSON object"),
        ({"metadata": "x"}, "metadata must be a JSON object"),
        ({"metadata": {"a": ["\x00"]}}, "metadata contains a NUL character"),
        ({"metadata": {"\\\x00": 1}}, "metadata contains a NUL character"),
        (
            {"metadata": {"a": "x" * 65_536}},
            "metadata is 65,545 bytes long; 65,536 are allowed",
        ),
        ({"metadata": nested(101)}, "metadata is nested more than 100 levels deep"),
        (
            {"root_external_id": "42"},
            "root_external_id is the connection's own external_id",
        ),
        (
            {"root_external_id": "1", "refresh_token": "r"},
            (
                "a connection with root_external_id shares its root's tokens: leave out access_token "
                "and refresh_token"
            ),
        ),
        (
            {"root_external_id": "1", "access_token": "a"},
            (
                "a connection with root_external_id shares its root's tokens: leave out access_token "
                "and refresh_token"
            ),
        ),
    ],
)
def test_each_mistake_has_its_sentence(fields: dict[str, object], sentence: str) -> None:
    """What is wrong is said in one sentence that names the field."""
    with pytest.raises(InvalidConnection) as caught:
        read({**NAMED, **fields})
    assert str(caught.value) == sentence


@pytest.mark.parametrize("field", ["expires_in", "refresh_token_expires_in"])
@pytest.mark.parametrize(
    "value", [True, "soon", "", "nan", [60], {}, float("nan"), float("inf"), 1.8e12, 10**400]
)
def test_a_life_that_is_none_is_refused(field: str, value: object) -> None:
    """An instant or milliseconds given for seconds, or no number at all, is a clear mistake."""
    with pytest.raises(InvalidConnection) as caught:
        read({**NAMED, field: value})
    assert str(caught.value) == f"{field} must be a number of seconds, ten years at most"


@pytest.mark.parametrize(
    "value",
    ["tomorrow", "", "2026-12-31", "2026-12-31T23:59:59", 1_800_000_000, True, [], "\ud800"],
)
def test_a_date_that_is_none_is_refused(value: object) -> None:
    """A date needs its time and its offset; an epoch number is not guessed at."""
    with pytest.raises(InvalidConnection) as caught:
        read({**NAMED, "expires_at": value})
    assert str(caught.value) == (
        'expires_at must be a date and time with its offset, such as "2026-12-31T23:59:59Z"'
    )


@pytest.mark.parametrize("value", [float("nan"), float("-inf"), "\ud800", ["a", {"b": "\udfff"}]])
def test_metadata_that_no_database_takes_is_refused(value: object) -> None:
    """NaN and half a surrogate pair are JSON to Python alone."""
    with pytest.raises(InvalidConnection) as caught:
        read({**NAMED, "metadata": {"a": value}})
    assert str(caught.value) == (
        "metadata holds what no database takes as JSON: NaN, Infinity, or half a surrogate pair"
    )


def test_metadata_may_be_as_deep_as_allowed() -> None:
    """A hundred levels are taken; of a bottomless pit, only the refusal is said."""
    assert read({**NAMED, "metadata": nested(100)}).metadata == nested(100)
    with pytest.raises(InvalidConnection, match="nested more than 100 levels deep"):
        read({**NAMED, "metadata": nested(50_000)})


@pytest.mark.parametrize("line", [None, 7, "x", [NAMED], True])
def test_a_line_is_one_object(line: object) -> None:
    """A list of connections is not one connection."""
    with pytest.raises(InvalidConnection, match="the line must be one JSON object"):
        read(line)


@pytest.mark.parametrize("field", ["access_token", "refresh_token"])
@pytest.mark.parametrize("bad", ["at-s3cr3t\n", "at-s3cr3t\u00e9", "at-s3cr3t" * 10_000])
def test_no_sentence_shows_a_token(field: str, bad: str) -> None:
    """M10: rejected lines are written to a file and a log, without what they held."""
    with pytest.raises(InvalidConnection) as caught:
        read({**NAMED, field: bad})
    assert "s3cr3t" not in str(caught.value)


def test_a_new_connection_does_not_show_its_tokens() -> None:
    """M10: its `repr` is safe to log."""
    made = read({**NAMED, "access_token": "at-s3cr3t", "refresh_token": "rt-s3cr3t"})
    assert "s3cr3t" not in repr(made)


def test_no_control_character_of_all_unicode_gets_in() -> None:
    """Of every code point there is, those are refused in a text that are controls or half a pair."""
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    refused = set(intake_fields.UNCLEAN.findall(every))
    assert refused == {c for c in every if category(c) in {"Cc", "Cs"}}

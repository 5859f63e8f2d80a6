"""Reading a connection as an application hands it over."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refresher.errors import InvalidConnection
from refresher.rules import registration
from refresher.rules.connection import Secret, connection_id
from refresher.rules.registration import NewConnection, read
from tests.rules.samples import NAMED, SAME_EACH_TIME


def test_a_whole_connection_is_read() -> None:
    """Every field of the import format arrives under its name."""
    made = read(
        {
            **NAMED,
            "name": "Café 👨‍👩‍👧 東京\u3000支店",
            "app": "second",
            "host": "eu.acme.example",
            "access_token": "a",
            "refresh_token": "r",
            "expires_in": 3600,
            "refresh_token_expires_in": "86400",
            "scopes": ["read", "write"],
            "in_between_steps": True,
            "metadata": {"plan": "pro", "path": "C:\\u0000\\x00"},
        }
    )
    assert made == NewConnection(
        organization_id="org",
        provider="acme",
        external_id="42",
        access_token=Secret("a"),
        refresh_token=Secret("r"),
        name="Café 👨‍👩‍👧 東京\u3000支店",
        app="second",
        host="eu.acme.example",
        expires_in_seconds=3600.0,
        refresh_token_expires_in_seconds=86_400.0,
        scopes=("read", "write"),
        in_between_steps=True,
        metadata={"plan": "pro", "path": "C:\\u0000\\x00"},
    )


@pytest.mark.parametrize("absent", [{}, dict.fromkeys(registration._KNOWN - NAMED.keys())])
def test_three_fields_are_enough(absent: dict[str, None]) -> None:
    """All else may be absent, which leaves alone what is stored; null is the same as absent."""
    made = read({**NAMED, **absent})
    assert made == NewConnection("org", "acme", "42", access_token=None, refresh_token=None)
    assert (made.app, made.scopes, made.metadata, made.in_between_steps) == (None,) * 4
    assert made.root_id is None
    assert not made.has_tokens


@pytest.mark.parametrize(
    "token", [None, "", "  ", "null", "NULL", "undefined", "None", "nil", "false", "(null)"]
)
@pytest.mark.parametrize("field", ["access_token", "refresh_token"])
def test_an_empty_token_is_as_if_absent(field: str, token: str | None) -> None:
    """M2: what is imported without a token, or with a word for none, keeps the stored one."""
    assert getattr(read({**NAMED, field: token}), field) is None


def test_texts_are_trimmed() -> None:
    """A space around an identifier makes no other connection; a blank option is none."""
    made = read({key: f" {value} " for key, value in NAMED.items()} | {"host": "  "})
    assert made.id == read(NAMED).id
    assert made.host is None


def test_the_same_three_names_are_the_same_connection() -> None:
    """Importing twice is one connection; each of the three names makes another."""
    assert read(NAMED).id == read({**NAMED, "name": "x", "access_token": "a"}).id
    others = {read({**NAMED, field: "other"}).id for field in NAMED}
    assert len(others | {read(NAMED).id}) == 4


def test_names_that_run_together_are_told_apart() -> None:
    """The separator inside an id cannot occur in a name."""
    assert connection_id("a", "b", "c1") != connection_id("a", "bc", "1")


def test_an_id_never_changes() -> None:
    """Ids are stored, so this one is the same in every version of the program."""
    assert str(read(NAMED).id) == "f0d813f8-9408-5826-9cee-4ae49726bffc"


def test_a_sibling_names_its_root() -> None:
    """M11: the root is found by its external id in the same organization, at the same provider."""
    sibling = read({**NAMED, "root_external_id": "1"})
    assert sibling.root_id == read({**NAMED, "external_id": "1"}).id


@pytest.mark.parametrize(
    ("value", "seconds"), [(0, 0.0), (3600, 3600.0), (0.5, 0.5), ("3600", 3600.0), (None, None)]
)
@pytest.mark.parametrize("field", ["expires_in"])
def test_a_life_is_a_number_of_seconds(field: str, value: object, seconds: float | None) -> None:
    """Zero is allowed: a token that has expired already can still be refreshed (M6)."""
    assert getattr(read({**NAMED, field: value}), f"{field}_seconds") == seconds


@pytest.mark.parametrize(
    ("value", "seconds"), [(0, None), ("0", None), (0.0, None), (None, None), ("86400", 86_400.0)]
)
def test_a_refresh_token_s_life_of_zero_is_no_end(value: object, seconds: float | None) -> None:
    """Keycloak tells "no end" by 0; nobody hands in a refresh token that is dead."""
    made = read({**NAMED, "refresh_token_expires_in": value})
    assert made.refresh_token_expires_in_seconds == seconds


@pytest.mark.parametrize(
    "text",
    [
        "2026-12-31T23:59:59Z",
        "2026-12-31T23:59:59+00:00",
        "2027-01-01T01:29:59+01:30",
        "2026-12-31 23:59:59.000Z",
        "20261231T235959Z",
    ],
)
def test_an_expiry_date_becomes_utc(text: str) -> None:
    """Whatever its offset, the instant is kept as aware UTC."""
    instant = read({**NAMED, "expires_at": text}).expires_at
    assert instant == datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert instant is not None
    assert instant.tzinfo is UTC


@pytest.mark.parametrize(
    ("value", "scopes"),
    [
        ("read write", ("read", "write")),
        (["read", "write"], ("read", "write")),
        ("", None),
        ([], ()),
        (None, None),
        ("https://www.googleapis.com/auth/drive", ("https://www.googleapis.com/auth/drive",)),
    ],
)
def test_scopes_are_a_list_or_a_text(value: object, scopes: tuple[str, ...] | None) -> None:
    """Scopes may be given as RFC 6749 writes them, or as a list."""
    assert read({**NAMED, "scopes": value}).scopes == scopes


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
ODD = st.sampled_from(
    ["2026-12-31T23:59:59Z", "2026-02-30T00:00:00Z", "\x00", "\ud800", 10**400, "1e999", "", "-1"]
)
VALUES = st.recursive(
    SCALARS | ODD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(sorted(registration._KNOWN))
PLAIN: Any = {
    "access_token": st.text("abc", min_size=1),
    "refresh_token": st.text("abc", min_size=1),
    "expires_in": st.integers(min_value=0, max_value=10**8),
    "scopes": st.lists(st.text("abc", min_size=1)),
    "name": st.text("abc"),
    "metadata": st.dictionaries(st.text("abc"), st.integers() | st.text("abc")),
}


@pytest.mark.slow
@pytest.mark.timeout(300)
@settings(SAME_EACH_TIME, max_examples=1_000)
@given(VALUES | st.dictionaries(FIELDS | st.text(), VALUES), st.booleans())
def test_nothing_but_a_sentence_is_ever_raised(value: Any, named: bool) -> None:
    """Whatever JSON a line holds, it is read or refused; and what is read can be stored."""
    made = made_or_none({**value, **NAMED} if named and isinstance(value, dict) else value)
    if made is not None:
        stored = [made.name, made.host, made.app, *(made.scopes or ())]
        assert "\x00" not in "".join(text or "" for text in stored)
        assert "\\u0000" not in json.dumps(made.metadata, allow_nan=False).replace("\\\\", "")
        assert isinstance("".join(text or "" for text in stored).encode(), bytes)
        assert made.id


def made_or_none(value: Any) -> NewConnection | None:
    """Returns what was read, or None when it was refused; any other error is the test's failure."""
    with suppress(InvalidConnection):
        return read(value)
    return None


@pytest.mark.slow
@settings(SAME_EACH_TIME, max_examples=500)
@given(st.fixed_dictionaries({}, optional=PLAIN))
def test_every_plain_connection_is_taken(fields: dict[str, Any]) -> None:
    """Nothing that follows the format is refused, and nothing of it is lost."""
    made = read({**NAMED, **fields})
    for name in ("access_token", "refresh_token"):
        assert getattr(made, name) == (Secret(fields[name]) if name in fields else None)
    assert made.expires_in_seconds == fields.get("expires_in")
    assert made.scopes == (tuple(fields["scopes"]) if "scopes" in fields else None)
    assert made.name == (fields.get("name") or None)
    assert made.metadata == fields.get("metadata")

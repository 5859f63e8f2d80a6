"""Lines of an export: what is written, how it is read back, and what becomes of it where it arrives."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from refresher.errors import InvalidConnection
from refresher.rules.connection import ParkReason, Secret, Status
from refresher.rules.export_format import (
    END,
    OF_EACH_TOKEN,
    OF_THE_WHOLE,
    ExportRefused,
    Header,
    Tokens,
    bound_to,
    line,
    parked_there,
    read_end,
    read_header,
    with_secrets,
)
from refresher.rules.restoring import (
    Here,
    Refuse,
    Take,
    Unchanged,
    counted_from,
    read_line,
    verdict,
)
from refresher.store.tables.core import connection

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
CLEAR = Header(NOON, Tokens.CLEAR, "here")
NONE = replace(CLEAR, tokens=Tokens.NONE)
SEALED = Header(NOON, Tokens.SEALED, "here", sealed_to="1f2e3d4c", paused=True)
NAMES = {"organization_id": "org", "provider": "acme", "external_id": "c1"}
TOKENS = {"access_token": "a", "refresh_token": "r"}
LINE: dict[str, Any] = {
    **NAMES,
    **TOKENS,
    "name": "Ann",
    "status": "reconnect_required",
    "status_cause": "invalid_grant",
    "expires_at": "2030-01-01T13:00:00+00:00",
    "refresh_token_expires_at": "2030-02-01T12:00:00+00:00",
    "lifetime_seconds": 3600,
    "granted_scopes": ["a b"],
    "kept_fields": {"plan": "gold"},
    "kept_secrets": {"id_token": "i"},
    "parked_reason": "unread_answer",
    "slots": {"user": {"access_token": "u", "paused_at": "2030-01-01T11:00:00Z"}},
}
HERE_ALONE = {
    "slot": "in the line of its connection, under its name",
    "slot_of": "the same",
    "root_id": "told as root_external_id: ids are made of the three names",
    "credential_version": "counts what was stored in this database",
    "grant_number": "the same",
    "trouble": "what people were told: it follows from the status",
    "deleted_at": "what is deleted is not exported",
    "updated_at": "when this database changed it: elsewhere that is when the export was made",
    "app_name": "told as app",
}
"""Columns of `connection` that are no fields of a line by their own names, each with its reason."""


def test_every_column_is_exported_or_said_not_to_be():
    """A new column of `connection` stands in a line, or here with its reason."""
    told = {*OF_THE_WHOLE, *OF_EACH_TOKEN, "access_token", "refresh_token", "kept_secrets"}
    columns = {column.name for column in connection.columns}
    assert columns - told == set(HERE_ALONE)


@pytest.mark.parametrize("header", [CLEAR, NONE, SEALED])
def test_a_header_is_read_as_it_was_written(header: Header):
    """With its instant, its key, and whether all was paused."""
    assert read_header(header.as_line()) == header


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, None),
        ([], None),
        ({"provider": "acme"}, None),
        ({"refresher_export": 2}, "has the format 2, and this program reads 1"),
        ({"refresher_export": 1}, "damaged"),
        ({**CLEAR.as_line(), "tokens": "some"}, "damaged"),
        ({**CLEAR.as_line(), "exported_at": None}, "damaged"),
        ({**CLEAR.as_line(), "exported_at": "noon"}, "damaged"),
        ({**CLEAR.as_line(), "sealed_to": "x"}, "damaged"),
        ({**SEALED.as_line(), "sealed_to": None}, "damaged"),
        ({**SEALED.as_line(), "paused": "no"}, "damaged"),
    ],
)
def test_a_first_line_is_a_header_or_none_or_refused(given: object, sentence: str | None):
    """What has not its mark is an ordinary line."""
    if sentence is None:
        assert read_header(given) is None
        return
    with pytest.raises(ExportRefused, match=sentence):
        read_header(given)


@pytest.mark.parametrize(
    ("given", "number"),
    [({END: 3}, 3), ({END: True}, None), ({END: "3"}, None), ({}, None), (1, None)],
)
def test_the_last_line_tells_how_many(given: object, number: int | None):
    """Any other line tells nothing."""
    assert read_end(given) == number


def test_a_line_leaves_out_what_is_null_or_false():
    """Instants become texts; what is empty stays, since it empties what is elsewhere."""
    row = dict.fromkeys((*OF_THE_WHOLE, *OF_EACH_TOKEN)) | NAMES
    row |= {"in_between_steps": False, "metadata": {}, "created_at": NOON, "id": 1.5}
    slot = dict.fromkeys(OF_EACH_TOKEN) | {"status": Status.ACTIVE}
    told = {**NAMES, "metadata": {}, "created_at": "2030-01-01T12:00:00+00:00", "id": 1.5}
    assert line(row, {}) == told
    assert line(row, {"user": slot}) == {**told, "slots": {"user": {"status": "active"}}}


def test_secrets_go_where_their_tokens_are():
    """Those of a slot into the slot."""
    told = {"provider": "acme", "slots": {"user": {"status": "active"}}}
    assert with_secrets(told, {**TOKENS, "slots": {"user": {"access_token": "u"}}}) == {
        "provider": "acme",
        **TOKENS,
        "slots": {"user": {"status": "active", "access_token": "u"}},
    }
    assert with_secrets(NAMES, {}) == NAMES


def test_a_seal_holds_for_one_line_of_one_export():
    """Whatever order its fields have; for the header too, and not for the seal itself."""
    told = {**NAMES, "host": "eu"}
    bound = bound_to(SEALED, told)
    assert bound == bound_to(SEALED, {**dict(reversed(told.items())), "sealed": "x"})
    others = [{**told, name: "other"} for name in told]
    later = replace(SEALED, exported_at=NOON + timedelta(seconds=1))
    bounds = {bound_to(SEALED, other) for other in others} | {bound_to(later, told)}
    assert len(bounds - {bound}) == 5


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("unread_answer", ParkReason.LOST_ANSWER),
        ("lost_answer", ParkReason.LOST_ANSWER),
        ("crash_loop", ParkReason.CRASH_LOOP),
        ("app_not_configured", None),
        (None, None),
        (["unread_answer"], None),
    ],
)
def test_what_parks_a_row_there(here: object, there: ParkReason | None):
    """Only what the other installation cannot find out for itself."""
    assert parked_there(here) is there


def test_a_line_is_read_with_all_that_it_tells():
    """Tokens as they were stored, its standing, and its slots with theirs."""
    new = read_line(LINE, CLEAR)
    assert (new.access_token, new.granted_scopes) == (Secret("a"), ("a b",))
    assert new.kept == {"plan": "gold", "id_token": "i"}
    stood = new.restored
    assert stood is not None
    assert (stood.status, stood.parked) == (Status.RECONNECT_REQUIRED, ParkReason.LOST_ANSWER)
    assert (stood.lifetime_seconds, new.is_at_rest) == (3600.0, True)
    (slot,) = new.slots
    assert (slot.slot, slot.access_token, slot.name, slot.kept) == ("user", Secret("u"), None, None)
    assert slot.restored is not None
    assert slot.restored.paused_at == NOON - timedelta(hours=1)


def test_without_tokens_it_only_describes():
    """No state, no slot, no OAuth dance."""
    new = read_line({**LINE, "in_between_steps": True}, NONE)
    assert (new.name, new.restored, new.slots, new.in_between_steps) == ("Ann", None, (), None)
    assert not new.is_at_rest


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"colour": "red"}, 'there is no field "colour"'),
        ({"access_token": "null"}, "access_token is no token"),
        ({"refresh_token": 7}, "refresh_token is no token"),
        ({"status": "well"}, "status must be active or reconnect_required"),
        ({"status_cause": 1}, "status_cause must be a text"),
        ({"granted_scopes": "a b"}, "granted_scopes must be a list of texts"),
        ({"granted_scopes": [1]}, "granted_scopes must be a list of texts"),
        ({"lifetime_seconds": True}, "lifetime_seconds must be a number of seconds"),
        ({"lifetime_seconds": -1}, "lifetime_seconds must be a number of seconds"),
        ({"lifetime_seconds": "1"}, "lifetime_seconds must be a number of seconds"),
        ({"kept_fields": []}, "kept_fields must be an object"),
        ({"kept_fields": {"a": [1]}}, "kept_fields must hold texts"),
        ({"slots": []}, "slots must be an object"),
        ({"slots": {"user": 1}}, "slots.user must be an object"),
        ({"slots": {"user": {"scopes": 1}}}, "scopes must be a list"),
        ({"created_at": "then"}, "created_at must be a date"),
        ({"provider": None}, "provider is missing"),
    ],
)
def test_a_line_that_is_wrong_is_refused_with_its_field(wrong: dict[str, Any], sentence: str):
    """One sentence, as for any import line."""
    with pytest.raises(InvalidConnection, match=sentence):
        read_line({**LINE, **wrong}, CLEAR)


def test_ends_count_from_the_moment_of_arrival():
    """What was handed in by a person keeps what it told."""
    new = counted_from(read_line(LINE, CLEAR), NOON)
    assert new.refresh_token_expires_in_seconds == 31 * 86_400
    assert new.grant_ends_in_seconds is None
    plain = read_line(LINE, NONE)
    assert counted_from(plain, NOON) is plain


NEW = read_line(LINE, CLEAR)
OTHER = replace(NEW, access_token=Secret("b"))
LATER, EARLIER = NOON + timedelta(hours=1), NOON - timedelta(hours=1)


@pytest.mark.parametrize(
    ("here", "force", "expected"),
    [
        (None, False, Take()),
        (Here(NEW, LATER), False, Unchanged()),
        (Here(OTHER, EARLIER), False, Take()),
        (Here(OTHER, LATER), True, Take()),
        (Here(OTHER, LATER), False, "it changed here on 2030-01-01 at 13:00:00Z"),
        (Here(None, LATER), False, "it was deleted here on"),
        (Here(None, EARLIER), False, Take()),
    ],
)
def test_what_becomes_of_a_line_with_tokens(here: Here | None, force: bool, expected: object):
    """What changed since the export was made is newer than that."""
    found = verdict(NEW, CLEAR, here, force=force)
    if isinstance(expected, str):
        assert isinstance(found, Refuse)
        assert expected in found.reason
    else:
        assert found == expected


DESCRIBED = read_line(LINE, NONE)


@pytest.mark.parametrize(
    ("here", "expected"),
    [
        (None, Refuse),
        (Here(None, LATER), Refuse),
        (Here(DESCRIBED, LATER), Unchanged),
        (Here(replace(DESCRIBED, name="Bea"), LATER), Take),
    ],
)
def test_what_becomes_of_a_line_without(here: Here | None, expected: type):
    """It updates what is there, whenever that changed, and makes nothing."""
    assert isinstance(verdict(DESCRIBED, NONE, here), expected)

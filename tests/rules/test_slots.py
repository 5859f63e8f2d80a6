"""Slots: where an answer has them, how they are handed in by name, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from refresher.errors import InvalidConnection
from refresher.rules import kept_fields, slots
from refresher.rules.answers import read_grant, read_slots
from refresher.rules.connection import Secret
from refresher.rules.providers import Provider, Slot
from refresher.rules.registering import Existing
from refresher.rules.registration import NewConnection, answered, read
from refresher.rules.slot_intake import at_its_place

NOW = 1_800_000_000.0
MAIN = UUID("7b0d2a4e-5c0f-4c53-9f0e-0f6d1b7c9a11")
NAMES = {"organization_id": "org", "provider": "acme", "external_id": "1"}
ACME = Provider(
    "acme",
    "https://acme.example/token",
    slots={
        "user": Slot(("authed_user",)),
        "transfer": Slot(("other", "tokens"), {"server": "transfer"}),
        "csrf": Slot(("more", 0), refreshed="together"),
    },
)
TRANSFER = {"server": "transfer", "access_token": "t"}
PAIR = {"access_token": "a", "refresh_token": "r"}


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ({}, {}),
        ({"authed_user": "none"}, {}),
        ({"authed_user": {}}, {}),
        ({"authed_user": {"id": "U1"}}, {}),
        ({"authed_user": {"access_token": "null"}}, {}),
        ({"authed_user": {"access_token": "u", "ok": False}}, {}),
        ({"authed_user": {"access_token": "u"}}, {"user": "u"}),
        ({"authed_user": '{"access_token": "u"}'}, {"user": "u"}),
        ({"authed_user": {"id": "U1", "more": {"access_token": "deep"}}}, {}),
        ({"other": {"tokens": []}}, {}),
        ({"other": {"tokens": [{"server": "groups", "access_token": "g"}]}}, {}),
        ({"other": {"tokens": [{"server": "groups"}, TRANSFER, TRANSFER]}}, {"transfer": "t"}),
        ({"other": {"tokens": TRANSFER}}, {"transfer": "t"}),
        ({"more": [{"access_token": "c"}]}, {}),
    ],
)
def test_a_slot_is_read_where_the_entry_says(answer: dict[str, Any], found: dict[str, str]) -> None:
    """An object, or the one of a list that fits; without a token of its own there is no slot."""
    granted = read_slots(ACME, answer, NOW, "apart")
    assert {name: grant.access_token.reveal() for name, grant in granted.items()} == found


@pytest.mark.parametrize(
    ("told", "ends", "scopes"),
    [
        ({}, None, None),
        ({"expires_in": 60, "scope": "x y"}, NOW + 60, ("x", "y")),
    ],
)
def test_a_slot_that_comes_together_is_a_kept_secret(
    told: dict[str, object], ends: float | None, scopes: tuple[str, ...] | None
) -> None:
    """It is sealed with the others, read back by its name, and never among the fields beside."""
    answer = {**PAIR, "more": [{"access_token": "c", **told}]}
    grant = read_grant(replace(ACME, keep_fields=("id_token",)), {**answer, "id_token": "i"}, NOW)
    assert grant is not None
    assert grant.kept is not None
    assert kept_fields.plain_text(grant.kept) is None
    secret = kept_fields.secret_text(grant.kept)
    assert secret is not None
    assert kept_fields.from_secret_text(secret) == {"id_token": "i"}
    assert slots.together(secret) == {"csrf": slots.SlotToken(Secret("c"), ends, scopes)}


def test_slots_are_told_apart_by_how_they_are_refreshed() -> None:
    """A row of its own, or a part of the main token's."""
    assert slots.names(ACME, "apart") == ["user", "transfer"]
    assert slots.names(ACME, "together") == ["csrf"]


def test_the_id_of_a_slot_follows_from_its_name() -> None:
    """Whoever knows the connection finds it without a look; names never meet."""
    ids = {slots.slot_id(MAIN, "user"), slots.slot_id(MAIN, "users"), MAIN}
    assert len(ids) == 3
    assert slots.slot_id(MAIN, "user") in ids


@pytest.mark.parametrize(
    ("name", "known", "told"),
    [
        (
            "usr",
            ["user", "app"],
            'no slot is called "usr" (did you mean "user"?): it has app, user',
        ),
        ("user", [], 'no slot is called "user": it has none'),
    ],
)
def test_an_unknown_name_is_told_with_those_that_there_are(
    name: str, known: list[str], told: str
) -> None:
    """One sentence."""
    assert slots.unknown(name, known) == told


def taken(given: object, **fields: object) -> NewConnection:
    """Returns a line with these slots, as it is understood."""
    return answered(read({**NAMES, **fields, "slots": given}), ACME, NOW)


@pytest.mark.parametrize(
    ("given", "fields", "told"),
    [
        ([], {}, "slots must be an object of tokens by name"),
        ({"user": "token"}, {}, "slots must be an object of tokens by name"),
        ({f"s{n}": {} for n in range(21)}, {}, "slots has more than 20 names"),
        ({"user": {"expires_in": 1, "expires_at": "2030-01-01T00:00:00Z"}}, {}, "not both"),
        ({"user": {}}, {}, "slots.user: access_token and refresh_token are missing"),
        ({"user": {"token": "t"}}, {}, "slots.user: there is no field"),
        ({"uesr": PAIR}, {}, "provider acme has csrf, transfer, user"),
        ({"csrf": {"access_token": "c"}}, {}, "slots.csrf is refreshed together with the main"),
        ({"csrf": PAIR}, PAIR, "slots.csrf is refreshed together with the main"),
        ({"csrf": {"refresh_token": "c"}}, PAIR, "slots.csrf is refreshed together"),
        ({"user": PAIR}, {"root_external_id": "2"}, "shares its root's tokens"),
    ],
)
def test_a_slot_that_is_wrong_is_told_in_a_sentence(
    given: object, fields: dict[str, object], told: str
) -> None:
    """It names the field and the mend."""
    with pytest.raises(InvalidConnection, match=told.replace("(", r"\(")):
        taken(given, **fields)


@pytest.mark.parametrize(
    ("told", "ends"),
    [
        ({}, None),
        ({"expires_in": 60}, NOW + 60),
        ({"expires_at": "2027-01-15T08:01:00Z"}, NOW + 60),
    ],
)
def test_one_that_comes_together_may_be_named_beside_the_main_token(
    told: dict[str, object], ends: float | None
) -> None:
    """It is kept with that, as if it had stood in the answer."""
    new = taken({"csrf": {"access_token": "c", **told}}, **PAIR)
    secret = kept_fields.secret_text(new.kept or {})
    assert secret is not None
    assert slots.together(secret)["csrf"].ends_epoch_seconds == ends
    assert new.slots == ()


def test_a_slot_that_is_named_wins_over_the_answer_s() -> None:
    """As a field that is named does; and what became the main token is no slot as well."""
    answer = {**PAIR, "authed_user": {"access_token": "u"}, "other": {"tokens": TRANSFER}}
    new = taken({"user": {"access_token": "named"}}, answer=answer)
    assert [(s.slot, s.access_token) for s in new.slots] == [
        ("user", Secret("named")),
        ("transfer", Secret("t")),
    ]
    alone = answered(read({**NAMES, "answer": {"authed_user": PAIR}}), ACME, NOW)
    assert (alone.access_token, alone.slots) == (Secret("a"), ())


def test_a_slot_stands_where_its_connection_does() -> None:
    """Host, app and placeholders of the stored one, as far as the line does not tell them."""
    (slot,) = taken({"user": PAIR}, **PAIR, placeholders={"b": "new"}).slots
    assert at_its_place(slot, None) is slot
    main = Existing(
        has_access_token=True, has_refresh_token=True, app_name="eu", host="h.example",
        placeholders={"a": "1", "b": "2"},
    )  # fmt: skip
    placed = at_its_place(slot, main)
    assert (placed.host, placed.app) == ("h.example", "eu")
    assert placed.placeholders == {"a": "1", "b": "new"}
    assert (placed.id, placed.main_id) == (slots.slot_id(slot.main_id, "user"), slot.main_id)

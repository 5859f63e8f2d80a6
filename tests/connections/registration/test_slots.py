"""Several tokens in one connection: one registration makes them, each is kept fresh and served by name.

Each through a token server on a real socket and real Postgres.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from refresher.connections import lifecycle, registration
from refresher.connections.revocation import revoke
from refresher.errors import QuotaReached, TokenUnavailable
from refresher.rules.access import Actor
from refresher.rules.registration import read
from refresher.rules.slots import slot_id
from refresher.store import connections, inbound
from refresher.store.connections import Filter
from tests.connections.registration.kit import NAMES, Over, Place
from tests.connections.registration.slots import (
    ANSWER,
    APART,
    LISTED,
    TOGETHER,
    USER,
    count,
    rotating,
    slot_of,
    text,
    user_is_dead,
    whole,
)

Opened = Callable[..., Place]
ME = Actor("cli:ann")


@pytest.fixture
def place(opened: Opened) -> Place:
    """A place whose provider rotates, and has a slot that is refreshed apart."""
    made = opened(APART)
    made.server.reply = rotating
    return made


def test_one_registration_with_the_whole_answer_makes_both_and_each_is_refreshed(
    place: Place,
) -> None:
    """Two refresh tokens, two rows, two lives; the answer to a refresh has either at the top."""
    id_ = whole(place)

    served = slot_of(place, id_)
    assert (text(place.served(id_)), text(served)) == ("bot-1", "user-1")
    assert (served.connection_id, served.slot, served.scopes) == (id_, "user", ("search:read",))
    place.pass_time(3600)
    place.tick()
    assert (text(place.served(id_)), text(slot_of(place, id_))) == ("bot-2", "user-1")
    place.pass_time(3500)
    place.tick()
    assert text(slot_of(place, id_)) == "user-2"
    sent = [request.form["refresh_token"] for request in place.server.asked]
    assert sorted(sent) == ["bot-refresh-1", "bot-refresh-2", "user-refresh-1"]


def test_a_slot_that_ends_is_refreshed_when_it_is_asked_for(place: Place) -> None:
    """As the main token is: ahead of every backlog, and nobody else."""
    id_ = whole(place)
    assert text(slot_of(place, id_, min_ttl_seconds=7201)) == "user-2"
    assert text(place.served(id_)) == "bot-1"


def test_slots_are_taken_by_name_in_each_way_in(opened: Opened, hand_over: Over) -> None:
    """`slots: {user: {…}}`, with the names of an import line; a reconnect of one leaves the other."""
    place = opened(APART)
    user = {"access_token": "user-1", "refresh_token": "user-refresh-1", "expires_in": 3600}
    main = {"access_token": "bot-1", "refresh_token": "bot-refresh-1", "expires_in": 3600}
    assert hand_over(place, {**NAMES, **main, "slots": {"user": user}}) is None
    assert (
        hand_over(place, {**NAMES, "slots": {"user": {**user, "access_token": "user-9"}}}) is None
    )
    id_ = read({**NAMES, **main}).id
    assert (text(place.served(id_)), text(slot_of(place, id_))) == ("bot-1", "user-9")
    assert place.row(id_).credential_version == 1
    assert place.row(slot_id(id_, "user")).credential_version == 2


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"usr": {"access_token": "a"}}, '"usr" (did you mean "user"?): provider acme has user'),
        ({"user": {"access_tokn": "a"}}, "slots.user: there is no field"),
        ({"user": {}}, "slots.user: access_token and refresh_token are missing"),
        ({"user": {"access_token": "a", "expires_in": -1}}, "slots.user: expires_in is negative"),
    ],
)
def test_a_slot_that_is_wrong_refuses_the_whole_line(
    opened: Opened, hand_over: Over, given: dict[str, Any], told: str
) -> None:
    """One sentence with its field; nothing of the line is stored."""
    place = opened(APART)
    line = {**NAMES, "access_token": "a", "refresh_token": "r", "slots": given}
    assert told in (hand_over(place, line) or "")
    assert count(place) == 0


def test_a_dead_slot_is_told_by_its_name_and_leaves_the_main_token_alive(place: Place) -> None:
    """Notice, view and error name it; the main token is refreshed on; a reconnect heals both."""
    id_ = whole(place)
    place.server.reply = user_is_dead
    place.pass_time(7200)
    for _ in range(3):
        place.tick()
        place.pass_time(60)

    assert text(place.served(id_)) == "bot-2"
    with pytest.raises(TokenUnavailable, match=f'connection {id_}, slot "user"') as caught:
        slot_of(place, id_)
    assert caught.value.code == "reconnect_required"
    with place.services.database.transaction() as db:
        view = connections.show(db, id_)
        news = db.exec_driver_sql("select kind, payload from outbox").one()
    assert view is not None
    assert (view.status, view.slots["user"]["status"]) == ("active", "reconnect_required")
    assert news.kind == "connection.reconnect_required"
    assert (news.payload["connection_id"], news.payload["slot"]) == (str(id_), "user")

    place.server.reply = rotating
    whole(place)
    assert text(slot_of(place, id_)) == "user-1"
    assert place.row(slot_id(id_, "user")).status == "active"


def test_an_unknown_slot_is_told_with_those_that_there_are(place: Place) -> None:
    """One sentence; and one that the provider has, but for which no token came, says so."""
    id_ = whole(place)
    with pytest.raises(TokenUnavailable, match=r'"usr" \(did you mean "user"\?\): it has user'):
        slot_of(place, id_, "usr")
    bare = place.hand_in(external_id="bare")
    with pytest.raises(TokenUnavailable, match="no token came for its slot") as caught:
        slot_of(place, bare)
    assert caught.value.code == "no_such_slot"


def test_slots_stand_in_no_list_and_count_for_no_quota(place: Place) -> None:
    """To everybody they are one connection; who asks sees them."""
    id_ = whole(place)
    with place.services.database.transaction() as db:
        assert [view.id for view in connections.views(db, Filter())] == [id_]
        assert {v.slot for v in connections.views(db, Filter(slots=True))} == {"", "user"}
        assert connections.numbers(db, "org").connections == 1
    taken = registration.take(place.services, [read({**NAMES, "answer": ANSWER})], most=1)
    assert (taken.created, taken.reconnected, taken.slots) == (0, 1, 1)
    second = read({**NAMES, "external_id": "2", "answer": ANSWER})
    with pytest.raises(QuotaReached):
        registration.take(place.services, [second], most=1)


@pytest.mark.parametrize(
    ("how", "reason"),
    [("pause", "paused"), ("disable", "disabled"), ("delete", "deleted")],
)
def test_what_is_done_to_a_connection_is_done_to_its_slots(
    place: Place, how: str, reason: str
) -> None:
    """Off together, and on together; new tokens alone switch nothing on but what was deleted."""
    id_ = whole(place)
    database, rows = place.services.database, [id_, slot_id(id_, "user")]
    getattr(lifecycle, how)(database, ME, id_)
    assert {place.row(one).parked_reason for one in rows} == {reason}
    whole(place)
    after = None if how == "delete" else reason
    assert {place.row(one).parked_reason for one in rows} == {after}
    lifecycle.resume(database, ME, id_)
    assert {place.row(one).state for one in rows} == {0}


def test_a_slot_that_first_comes_to_a_disabled_connection_is_disabled(place: Place) -> None:
    """Nobody's token is refreshed for an account that has not paid."""
    id_ = place.hand_in()
    lifecycle.disable(place.services.database, ME, id_)
    place.take({**NAMES, "slots": {"user": {"access_token": "a", "refresh_token": "r"}}})
    assert place.row(slot_id(id_, "user")).parked_reason == "disabled"
    lifecycle.enable(place.services.database, ME, id_)
    assert place.row(slot_id(id_, "user")).state == 0


def test_a_deletion_with_revoke_gives_each_grant_back(place: Place) -> None:
    """Each slot has a refresh token of its own at the provider."""
    id_ = whole(place)
    place.server.reply = lambda _: (200, {})
    lifecycle.delete(place.services.database, ME, id_)
    revoke(place.services, id_, None)
    given_back = {request.form["token"] for request in place.server.asked}
    assert given_back == {"bot-refresh-1", "user-refresh-1"}


def test_an_answer_with_the_slot_s_token_alone_makes_it_the_main_one(place: Place) -> None:
    """Two rows would spend one refresh token."""
    id_ = place.take({**NAMES, "answer": {"ok": True, "authed_user": USER}})
    assert text(place.served(id_)) == "user-1"
    assert count(place) == 1


def test_a_provider_s_notice_about_an_account_is_looked_into_for_each_of_its_tokens(
    place: Place,
) -> None:
    """Which of them has ended it does not tell: the next refresh of each does."""
    id_ = whole(place)
    with place.services.database.transaction() as db:
        found = inbound.accounts(db, "acme", "1042", None)
    assert set(found) == {id_, slot_id(id_, "user")}


def test_a_sibling_uses_the_slots_of_its_root(place: Place) -> None:
    """A page of an account has no token of its own, and no slot either."""
    whole(place)
    page = place.take({**NAMES, "external_id": "page", "root_external_id": NAMES["external_id"]})
    served = slot_of(place, page)
    assert (text(served), served.connection_id) == ("user-1", page)


def test_a_slot_in_a_list_is_found_by_its_fields(opened: Opened) -> None:
    """Globus tells further tokens in `other_tokens`, each with its own refresh token, in any order."""
    place = opened(LISTED)
    place.server.reply = rotating
    transfer = {**USER, "access_token": "transfer-1", "refresh_token": "transfer-refresh-1"}
    others = [
        {"resource_server": "groups.api", "access_token": "groups-1"},
        {"resource_server": "transfer.api", **transfer},
    ]
    id_ = whole(place, answer={**ANSWER, "other_tokens": others})
    assert text(slot_of(place, id_, "transfer")) == "transfer-1"
    assert text(slot_of(place, id_, "transfer", 7201)) == "transfer-2"


def test_a_slot_that_comes_together_is_stored_with_the_pair_and_served_by_name(
    opened: Opened,
) -> None:
    """Each answer brings it, with an end of its own; it stands sealed, and beside no other token."""
    place = opened(TOGETHER)
    id_ = whole(
        place,
        answer={**ANSWER, "more": {"csrf": {"access_token": "csrf-1", "expires_in": 600}}},
    )
    served = slot_of(place, id_, "csrf")
    assert (text(served), round(served.expires_in_seconds or 0)) == ("csrf-1", 600)
    assert place.served(id_).kept_fields == {}
    assert b"csrf-1" not in bytes(place.row(id_).kept_secrets)

    pair = {"access_token": "bot-2", "refresh_token": "bot-refresh-2", "expires_in": 3600}
    place.server.reply = lambda _: (200, {**pair, "more": {"csrf": {"access_token": "csrf-2"}}})
    place.pass_time(601)
    assert text(slot_of(place, id_, "csrf")) == "csrf-2"
    assert text(place.served(id_)) == "bot-2"
    with pytest.raises(TokenUnavailable, match="it has csrf"):
        slot_of(place, id_, "other")

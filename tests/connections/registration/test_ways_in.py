"""Registering over the API and from import lines: what is a reconnect, an update, or refused.

Each through the real ways in, with a token server on a real socket and real Postgres.
"""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from refresher.errors import TokenUnavailable
from refresher.notify import watch
from tests.connections.registration.kit import ENTRY, FRESH, NAMES, PAIR, Opened, Over, Place, kept

UPDATES: list[dict[str, Any]] = [
    {},
    {"name": "Cyd"},
    {"access_token": "", "refresh_token": None},
    {"access_token": "null", "refresh_token": "undefined"},
    {"expires_in": 3600},
    {"expires_at": "2040-01-01T00:00:00Z", "refresh_token_expires_in": 9},
    {"answer": {"access_token": None, "expires_in": 3600}},
]
ERROR = {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}


def told(place: Place) -> list[str]:
    """Returns what was told to webhooks."""
    with place.services.database.transaction() as db:
        return list(db.execute(text("select kind from outbox order by id")).scalars())


@pytest.mark.parametrize("line", UPDATES)
def test_without_tokens_nothing_of_the_grant_changes(
    opened: Opened, hand_over: Over, line: dict[str, Any]
) -> None:
    """No expiry, no version, no event; and what is absent is not emptied."""
    place = opened(ENTRY)
    id_ = place.take(FRESH)
    place.pass_time(10)
    before, events = kept(place, id_), place.events(id_)
    assert hand_over(place, {**NAMES, **line}) is None
    assert kept(place, id_) == before
    assert place.row(id_).name == "Cyd"
    assert place.events(id_) == events


@pytest.mark.parametrize("line", UPDATES)
def test_without_tokens_a_dead_connection_stays_dead(
    opened: Opened, hand_over: Over, line: dict[str, Any]
) -> None:
    """No state changes, nobody hears of a recovery, and the dead token is never served."""
    place = opened(ENTRY)
    id_ = place.hand_in()
    place.server.reply = lambda _: (400, ERROR)
    place.tick()
    watch.tell(place.services)
    before, news = kept(place, id_), told(place)
    assert before["status"] == "reconnect_required"
    assert hand_over(place, {**NAMES, **line}) is None
    assert kept(place, id_) == before
    watch.tell(place.services)
    assert told(place) == news
    with pytest.raises(TokenUnavailable):
        place.served(id_)
    # New tokens are what brings it back.
    assert hand_over(place, {**NAMES, "answer": PAIR}) is None
    assert place.served(id_).access_token.reveal() == "access-2"
    watch.tell(place.services)
    assert told(place)[-1] == "connection.recovered"


@pytest.mark.parametrize(
    "error",
    [
        ERROR,
        {**ERROR, "access_token": "null"},
        {"answer": ERROR},
        {"answer": {"ok": False, "error": "invalid_grant"}},
        {"answer": {"error": {"code": "invalid_grant", "message": "no"}}},
    ],
)
def test_an_error_answer_is_refused_and_changes_nothing(
    opened: Opened, hand_over: Over, error: dict[str, Any]
) -> None:
    """An application that did not look at the status hears so, with the provider's words."""
    place = opened(ENTRY)
    id_ = place.take(FRESH)
    before = kept(place, id_)
    sentence = hand_over(place, {**NAMES, **error})
    assert sentence is not None
    assert "an error of the provider" in sentence
    assert "invalid_grant" in sentence
    assert kept(place, id_) == before


@pytest.mark.parametrize("line", UPDATES)
def test_a_new_connection_without_tokens_is_refused(
    opened: Opened, hand_over: Over, line: dict[str, Any]
) -> None:
    """It would look active, and have nothing to be refreshed with."""
    sentence = hand_over(opened(ENTRY), {**NAMES, **line})
    assert sentence is not None
    assert sentence.startswith("no token came: ")


def test_what_waits_for_its_tokens_or_needs_none_may_come_without(
    opened: Opened, hand_over: Over
) -> None:
    """A dance under way, a page of an account, and a client that is its own grant."""
    place = opened(ENTRY)
    assert hand_over(place, {**NAMES, "in_between_steps": True}) is None
    page = {**NAMES, "external_id": "page", "root_external_id": "1042"}
    assert hand_over(place, page) is None
    assert hand_over(place, {**page, "name": "Page"}) is None
    sentence = hand_over(place, {**NAMES, "in_between_steps": False})
    assert sentence is not None
    assert sentence.startswith("no token came: ")
    assert hand_over(place, {**NAMES, **PAIR}) is None


def test_a_client_that_is_its_own_grant_gets_its_first_token(
    opened: Opened, hand_over: Over
) -> None:
    """Client credentials come without tokens, and are minted at once."""
    place = opened('token_url = "{url}/token"\nstrategy = "client_credentials"')
    assert hand_over(place, NAMES) is None
    place.pass_time(60)
    assert place.tick()["refreshed"] == 1


def test_a_whole_answer_is_taken_as_it_came(opened: Opened, hand_over: Over) -> None:
    """Lives, granted scopes and fields come as in an answer to a refresh; what was asked for stays."""
    place = opened(ENTRY + '\nresponse_path = ["data"]')
    answer = {
        "code": 0,
        "data": {
            "access_token": "a",
            "refresh_token": "r",
            "token_type": "Bearer",
            "expires_in": 900,
            "refresh_expires_in": 0,
            "scope": "mail",
            "instance_url": "https://acme.example",
        },
    }
    line = {**NAMES, "scopes": ["mail", "files", "offline_access"], "answer": answer}
    assert hand_over(place, line) is None
    id_ = place.take({**NAMES, "name": "Ann"})
    row = place.row(id_)
    assert (row.expires_at - place.clock.now).total_seconds() == pytest.approx(900, abs=1)
    assert row.refresh_token_expires_at is None
    assert place.tokens(id_) == ("a", "r")
    served = place.served(id_)
    assert served.scopes == ("mail",)
    assert served.kept_fields == {"instance_url": "https://acme.example"}
    place.pass_time(900)
    place.server.reply = lambda _: (200, {"data": PAIR})
    place.tick()
    assert place.server.asked[0].form["scope"] == "mail files offline_access"


def test_a_refresh_token_s_life_of_zero_is_no_end(opened: Opened, hand_over: Over) -> None:
    """An import line with 0 has no end, and ends the one that was known."""
    place = opened(ENTRY)
    line = {**NAMES, **PAIR, "refresh_token_expires_in": 60}
    assert hand_over(place, line) is None
    id_ = place.take({**NAMES, "name": "Ann"})
    assert place.row(id_).refresh_token_expires_at is not None
    assert hand_over(place, {**line, "refresh_token_expires_in": 0}) is None
    assert place.row(id_).refresh_token_expires_at is None


def test_an_access_token_alone_keeps_the_refresh_token_and_its_end(
    opened: Opened, hand_over: Over
) -> None:
    """Google sends the refresh token once: later dances bring the access token alone."""
    place = opened(ENTRY)
    id_ = place.take({**FRESH, "refresh_token_expires_in": 60})
    assert hand_over(place, {**NAMES, "answer": {"access_token": "a", "expires_in": 60}}) is None
    assert place.tokens(id_) == ("a", "refresh-1")
    row = place.row(id_)
    assert row.refresh_token_expires_at is not None
    assert (row.scopes, row.metadata, row.credential_version) == (["mail"], {"plan": "gold"}, 2)


def test_a_refresh_token_alone_brings_a_dead_connection_back_without_its_dead_token(
    opened: Opened, hand_over: Over
) -> None:
    """The access token of the grant that ended is not served again: the next one is fetched."""
    place = opened(ENTRY)
    id_ = place.take(FRESH)
    place.run("update connection set status = 'reconnect_required' where id = :id", id=id_)
    assert hand_over(place, {**NAMES, "refresh_token": "refresh-9"}) is None
    row = place.row(id_)
    assert (row.status, row.expires_at <= place.clock.now) == ("active", True)
    assert place.served(id_).access_token.reveal() == "access-2"
    assert place.server.asked[0].form["refresh_token"] == "refresh-9"


def test_a_refresh_token_alone_makes_no_end_of_a_token_that_is_not_there(
    opened: Opened, hand_over: Over
) -> None:
    """A new connection has no access token until the first refresh, and says so."""
    place = opened(ENTRY + "\naccess_token_lifetime_seconds = 3600")
    line = {**NAMES, "refresh_token": "refresh-1", "expires_in": 3600}
    assert hand_over(place, line) is None
    id_ = place.take({**NAMES, "name": "Ann"})
    assert (place.row(id_).expires_at, place.row(id_).parked_reason) == (None, None)
    place.pass_time(60)
    assert place.tick()["refreshed"] == 1


def test_an_update_may_name_what_is_new_for_people(opened: Opened, hand_over: Over) -> None:
    """Name, metadata and asked scopes change; an empty list or object empties them."""
    place = opened(ENTRY)
    id_ = place.take(FRESH)
    assert hand_over(place, {**NAMES, "name": "Dee", "scopes": [], "metadata": {"a": 1}}) is None
    row = place.row(id_)
    assert (row.name, row.scopes, row.metadata) == ("Dee", [], {"a": 1})
    assert row.credential_version == 1


def test_a_dance_that_begins_parks_and_one_that_ends_resumes(
    opened: Opened, hand_over: Over
) -> None:
    """`in_between_steps` alone is an update that moves the schedule, and nothing else."""
    place = opened(ENTRY)
    id_ = place.take(FRESH)
    assert hand_over(place, {**NAMES, "in_between_steps": True}) is None
    assert (place.row(id_).parked_reason, place.row(id_).credential_version) == ("mid_oauth", 1)
    assert hand_over(place, {**NAMES, "name": "Ann"}) is None
    assert place.row(id_).parked_reason == "mid_oauth"
    assert hand_over(place, {**NAMES, "in_between_steps": False}) is None
    assert (place.row(id_).state, place.row(id_).in_between_steps) == (0, False)

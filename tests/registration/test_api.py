"""Registering over the API and from import lines: what is a reconnect, an update, or refused.

Each through the real ways in, with a token server on a real socket and real Postgres.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from refresher import intake, notices
from refresher.errors import TokenUnavailable
from refresher.rules.intake import read
from tests.registration.kit import LINE, PAIR, Place
from tests.web.kit import Site, refused

Opened = Callable[..., Place]
ENTRY = 'token_url = "{url}/token"\nsend_scope = true\nkeep_fields = ["instance_url"]'
NAMES = {"organization_id": "org", "provider": "acme", "external_id": "1042"}
FRESH = {
    **LINE,
    "expires_in": 3600,
    "scopes": ["mail"],
    "name": "Cyd",
    "metadata": {"plan": "gold"},
}
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


@pytest.fixture
def site_of() -> Iterator[Callable[[Place], Site]]:
    """Opens an API over the services of a place."""
    with ExitStack() as stack:
        yield lambda place: stack.enter_context(Site.opened(place))  # type: ignore[arg-type]


Over = Callable[[Place, dict[str, Any]], str | None]
"""Hands a line in; returns the refusal's sentence, None when it is taken."""


@pytest.fixture(params=["api", "import"])
def hand_over(request: pytest.FixtureRequest, site_of: Callable[[Place], Site]) -> Over:
    """The two ways in, one after the other."""
    sites: dict[int, Site] = {}

    def over_api(place: Place, line: dict[str, Any]) -> str | None:
        if not sites:
            sites[id(place)] = site_of(place)
        answer = sites[id(place)]("PUT", "/v1/connections", json=line)
        if answer.status_code in {200, 201}:
            return None
        assert answer.status_code == 422, answer.text
        assert answer.json()["code"] in {"invalid_connection", "invalid_body"}
        return str(answer.json()["detail"])

    def over_import(place: Place, line: dict[str, Any]) -> str | None:
        try:
            taken = intake.take(place.services, [read(line)])
        except Exception as error:  # noqa: BLE001  what is refused at the reading is a sentence too
            return str(error)
        return taken.rejected.get(0)

    return over_api if request.param == "api" else over_import


def kept(place: Place, id_: UUID) -> dict[str, Any]:
    """Returns all of a connection that an update without tokens may not change."""
    row = place.row(id_)._asdict()
    return {name: value for name, value in row.items() if name not in {"updated_at", "name"}}


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
    notices.tell(place.services)
    before, news = kept(place, id_), told(place)
    assert before["status"] == "reconnect_required"
    assert hand_over(place, {**NAMES, **line}) is None
    assert kept(place, id_) == before
    notices.tell(place.services)
    assert told(place) == news
    with pytest.raises(TokenUnavailable):
        place.served(id_)
    # New tokens are what brings it back.
    assert hand_over(place, {**NAMES, "answer": PAIR}) is None
    assert place.served(id_).access_token.reveal() == "access-2"
    notices.tell(place.services)
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


MOVING = """
token_url = "http://localhost:{port}/{host}/{tenant}/token"
host_pattern = "eu|us"
host_example = "eu"
placeholders = { tenant = "[a-z]+" }
"""
SOMEWHERE = {**FRESH, "host": "eu", "placeholders": {"tenant": "one"}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"host": "us"}, "host changes"),
        ({"app": "other"}, "app changes"),
        ({"placeholders": {"tenant": "two"}}, "placeholders.tenant changes"),
        ({"host": "us", "access_token": "a", "expires_in": 5}, "host changes"),
    ],
)
def test_a_stored_refresh_token_goes_to_no_other_place(
    opened: Opened, hand_over: Over, change: dict[str, Any], words: str
) -> None:
    """Who may only write cannot have the refresh token, or our secret with it, sent elsewhere."""
    place = opened(MOVING)
    id_ = place.take(SOMEWHERE)
    before = kept(place, id_)
    sentence = hand_over(place, {**NAMES, **change})
    assert sentence is not None
    assert sentence.startswith(words)
    assert "refresh_token must come along" in sentence
    assert kept(place, id_) == before
    # With new tokens it is a move, and the old access token is not served from there.
    moved = {k: v for k, v in change.items() if k in {"host", "placeholders"}}
    assert hand_over(place, {**NAMES, **moved, "refresh_token": "new"}) is None
    if moved:
        assert place.row(id_).expires_at <= place.clock.now


def test_each_mistake_with_a_host_or_a_placeholder_has_its_sentence(
    opened: Opened, hand_over: Over
) -> None:
    """It names the member, with an example to copy."""
    place = opened(MOVING)
    for line, words in (
        ({}, 'host is missing: provider acme needs one for each connection, such as "host": "eu"'),
        ({"host": "eu"}, 'such as "placeholders": {"tenant": "acme"}'),
        ({"host": "evil.example", "placeholders": {"tenant": "a"}}, 'host "evil.example" does not'),
        ({"host": "eu", "placeholders": {"tenant": "A/b"}}, "does not match the pattern"),
        ({"host": "eu", "placeholders": {"tennant": "a"}}, 'did you mean "tenant"?'),
    ):
        sentence = hand_over(place, {**NAMES, **PAIR, **line})
        assert sentence is not None
        assert words in sentence


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


def test_the_api_says_created_reconnected_and_updated(
    opened: Opened, site_of: Callable[[Place], Site]
) -> None:
    """201 is new, 200 is known; both kinds of scopes and what is missing are shown."""
    place = opened(ENTRY)
    site = site_of(place)
    line = {**NAMES, "scopes": ["mail", "files", "offline_access"]}
    made = site("PUT", "/v1/connections", json={**line, "answer": {**PAIR, "scope": "mail"}})
    assert made.status_code == 201
    again = site("PUT", "/v1/connections", json={**NAMES, "name": "Ann"})
    assert again.status_code == 200
    shown = again.json()
    assert shown["scopes"] == ["mail", "files", "offline_access"]
    assert (shown["granted_scopes"], shown["missing_scopes"]) == (["mail"], ["files"])
    assert (shown["credential_version"], shown["note"]) == (1, None)


def test_resuming_what_waits_for_nothing_does_nothing(
    opened: Opened, site_of: Callable[[Place], Site]
) -> None:
    """No event and no due time changes, and the answer says so; a paused one is resumed."""
    place = opened(ENTRY)
    site, id_ = site_of(place), place.take(FRESH)
    before, events = place.row(id_), place.events(id_)
    answer = site("POST", f"/v1/connections/{id_}/resume")
    assert (answer.status_code, answer.json()["note"]) == (200, "nothing to resume: it is active")
    assert (place.row(id_).due_at, place.events(id_)) == (before.due_at, events)
    site("POST", f"/v1/connections/{id_}/pause")
    answer = site("POST", f"/v1/connections/{id_}/resume")
    assert answer.json()["note"] is None
    assert place.events(id_)[-1] == "resumed"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"acess_token": "a"}, 'there is no such field (did you mean "access_token"?)'),
        ({"token_type": "Bearer"}, "a provider's whole answer goes into `answer`"),
        ({"scope": "a"}, 'did you mean "scopes"?'),
        ({"expires_at": 1_800_000_000}, 'such as "2026-12-31T23:59:59Z"'),
        ({"external_id": 1042}, 'it must be a text in quotes, such as "1042"'),
        ({"answer": PAIR, "refresh_token": "r"}, "give answer or refresh_token, not both"),
    ],
)
def test_each_mistake_in_a_body_says_what_was_meant(
    opened: Opened, site_of: Callable[[Place], Site], body: dict[str, Any], words: str
) -> None:
    """The field, what is wrong, and what to write instead."""
    answer = site_of(opened(ENTRY))("PUT", "/v1/connections", json={**NAMES, **body})
    assert answer.status_code == 422
    assert words in answer.json()["detail"]


def test_a_wrong_query_and_a_broken_body_say_where(
    opened: Opened, site_of: Callable[[Place], Site]
) -> None:
    """An unknown parameter is told with those that there are, broken JSON with its place."""
    site = site_of(opened(ENTRY))
    problem = refused(site("GET", "/v1/connections?status=active"), 400, "invalid_query")
    assert 'did you mean "state"?' in problem["detail"]
    problem = refused(site("GET", "/v1/connections?page=2"), 400, "invalid_query")
    assert "there are organization_id, provider, state" in problem["detail"]
    headers = {"content-type": "application/json"}
    answer = site("PUT", "/v1/connections", content=b'{"provider":\n "x",}', headers=headers)
    assert "line 2, column" in refused(answer, 400, "invalid_json")["detail"]

"""A code is sent once, its answer held before anything else, and promoted in one transaction."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from dataclasses import replace
from typing import Any

import pytest

from refresher.connections import arrival
from refresher.errors import DatabaseUnavailable
from refresher.rules.clients import ClientCredentials
from refresher.rules.connect import Outcome, Problem, State
from refresher.rules.connect_steps import SendCode
from refresher.rules.connection import Reply, Secret, connection_id
from refresher.rules.consent import SecondStep
from refresher.rules.providers import BodyForm
from refresher.runtime.clients import sealed
from refresher.runtime.couriers import AT_A_TIME
from refresher.store import connect_steps
from refresher.store.oauth_apps import app_id, put
from tests.connect.carrying import (
    ANN,
    PAIR,
    USERINFO,
    acme_asks,
    answering,
    carry,
    connected,
    count,
    entry,
    stored,
)
from tests.connect.sessions import begin, exchange, make, now
from tests.world import World, granted, refused


@pytest.fixture(autouse=True)
def _entry(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    acme_asks(world, monkeypatch)


def test_a_code_becomes_a_connection(world: World) -> None:
    """With account, scopes, history, audit and notice, and nothing is held afterwards."""
    answering(world, granted(**PAIR, **ANN, scope="a"))
    session = make(world, external_id="c1")
    verifier = world.services.cipher.seal
    attempt = exchange(world, session)
    sealed = verifier(Secret("the-verifier"), attempt.id, "verifier")
    after = carry(world, session, replace(attempt, verifier=sealed, scopes=["a", "b"]))
    # Then one request went, with what ties it to the attempt
    (request,) = world.script.asked
    assert request.parameters["code"] == "the-code"
    assert request.parameters["code_verifier"] == "the-verifier"
    assert request.parameters["redirect_uri"] == attempt.redirect_uri
    # and the connection is whole
    row, tokens = stored(world, after.connection_id)
    assert row.id == connection_id("org-1", "acme", "c1")
    assert tokens == {"access_token": "at-1", "refresh_token": "rt-1"}
    assert (row.account, row.account_label) == ("7", "ann@acme.example")
    assert (row.scopes, row.granted_scopes) == (["a"], ["a"])
    assert (after.state, after.held, after.trouble) == (State.ENDED, None, None)
    assert after.result is not None
    assert after.result.missing_scopes == ["b"]
    history = world.one(
        "select kind, reason from refresh_event where connection_id = :id", id=row.id
    )
    assert tuple(history) == ("connected", f"by connect session {session.id}")
    audit = world.one(
        "select key_id, action, subject from audit where connection_id = :id", id=row.id
    )
    assert tuple(audit) == ("cli:ann", "connected", f"connect session {session.id}")
    notice = world.one("select payload from outbox where kind = 'connection.connected'").payload
    assert notice["account_label"] == "a•••@acme.example"
    world.pass_time(3600)
    world.script.answer = world.script.rotate
    world.tick()
    assert world.script.asked[-1].parameters["refresh_token"] == "rt-1"


def test_the_account_names_a_connection_that_has_no_name(world: World) -> None:
    """One connection for each account that a person adds."""
    answering(world, granted(**PAIR, **ANN))
    after = carry(world, make(world))
    assert after.connection_id == connection_id("org-1", "acme", "7")


SILENT = Reply(failure="timeout")


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (SILENT, Problem.OUTCOME_UNKNOWN),
        (Reply(500, {}, b""), Problem.OUTCOME_UNKNOWN),
        (Reply(200, {}, b"garbage"), Problem.OUTCOME_UNKNOWN),
        (granted(error="invalid_grant"), Problem.REFUSED_CODE),
        (refused("invalid_client", 401), Problem.APP_WRONG),
        (Reply(failure="forbidden_address", sent=False), Problem.PROVIDER_TROUBLE),
    ],
)
def test_without_tokens_the_person_begins_again_and_no_code_goes_twice(
    world: World, reply: Reply, problem: Problem
) -> None:
    """The connection is as it was, refreshes of it go on, and no app or provider pauses (T17)."""
    id_ = connected(world)
    answering(world, reply)
    after = carry(world, make(world, id_))
    assert len(world.script.asked) == 1
    assert (after.state, after.held) == (State.OPEN, None)
    assert after.trouble is not None
    assert after.trouble.code is problem
    row, tokens = stored(world, id_)
    assert not row.in_between_steps
    assert tokens["refresh_token"] == "rt-1"
    assert count(world, "pause") == 0
    assert count(world, "refresh_event", "kind = 'connect_failed'") == 1


def test_a_code_that_has_not_left_goes_once_more(world: World) -> None:
    """Only where no connection to the provider came about."""
    unreached = Reply(failure="connect", sent=False)
    answering(world, unreached, granted(**PAIR, **ANN))
    assert carry(world, make(world)).outcome is Outcome.CONNECTED
    answering(world, unreached, unreached)
    assert carry(world, make(world)).state is State.OPEN


def test_userinfo_is_asked_whose_a_token_is(world: World) -> None:
    """With the token that came; it tells id and label."""
    entry(world, USERINFO)
    answering(world, granted(**PAIR), granted(**ANN))
    row, _ = stored(world, carry(world, make(world, external_id="c1")).connection_id)
    assert (row.account, row.account_label) == ("7", "ann@acme.example")
    assert world.script.asked[1].headers["Authorization"] == "Bearer at-1"


def test_a_step_that_fails_for_a_while_goes_on_from_what_is_held(world: World) -> None:
    """Another process goes on from the row: the code is not asked for, nor is what came asked again."""
    entry(
        world,
        USERINFO,
        second_step=SecondStep(url="https://acme.example/long", grant_type="exchange"),
        refresh_token="never",
    )
    short, long = {"access_token": "short"}, {"access_token": "long", "expires_in": 5_184_000}
    answering(
        world,
        granted(**short),
        SILENT,
        Reply(503, {}, b""),
        granted(**long),
        SILENT,
        granted(**ANN),
    )
    session = make(world)
    assert carry(world, session).state is State.HELD
    assert len(world.script.asked) == 3
    arrival.advance(world.services, session.id)
    assert now(world, session).state is State.HELD
    arrival.advance(world.services, session.id)
    after = now(world, session)
    assert after.outcome is Outcome.CONNECTED
    row, tokens = stored(world, after.connection_id)
    assert tokens == {"access_token": "long"}
    assert row.account == "7"
    grants = [one.parameters.get("grant_type") for one in world.script.asked]
    assert grants == ["authorization_code", "exchange", "exchange", "exchange", None, None]
    assert world.script.asked[1].body is BodyForm.FORM


def test_a_short_lived_token_never_becomes_a_connection(world: World) -> None:
    """Where the second step is refused there is no lasting access (C18)."""
    entry(world, second_step=SecondStep(url="https://acme.example/long"))
    answering(world, granted(**PAIR, **ANN), refused("invalid_request"))
    after = carry(world, make(world))
    assert after.trouble is not None
    assert after.trouble.code is Problem.NO_REFRESH_TOKEN
    assert count(world, "connection") == 0


def test_an_answer_waits_for_postgres_and_is_stored_then(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it is away for a moment; nothing is sent again."""
    hold, away = connect_steps.hold, [1, 2]

    def tried(*given: Any, **more: Any) -> bool:
        if away:
            away.pop()
            raise DatabaseUnavailable("away")
        return hold(*given, **more)

    monkeypatch.setattr(connect_steps, "hold", tried)
    answering(world, granted(**PAIR, **ANN))
    assert carry(world, make(world)).outcome is Outcome.CONNECTED
    assert len(world.script.asked) == 1


def test_an_answer_that_cannot_be_stored_is_lost_and_the_person_begins_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session ends its exchange by its own time; the connection is as it was."""

    def away(*_given: Any, **_more: Any) -> bool:
        raise DatabaseUnavailable("away")

    monkeypatch.setattr(connect_steps, "hold", away)
    id_ = world.connect(organization_id="org-1")
    answering(world, granted(access_token="at-2", refresh_token="rt-2", **ANN))
    session = make(world, id_)
    assert carry(world, session).state is State.EXCHANGING
    assert world.token(id_, "refresh_token") == "refresh-of-c1"


def test_an_organization_has_four_codes_under_way_at_a_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one waits; another organization's does not (C16)."""
    most, now_under_way = [0], [0]

    async def slow(*_given: Any) -> bool:
        now_under_way[0] += 1
        most[0] = max(most[0], now_under_way[0])
        await asyncio.sleep(0.02)
        now_under_way[0] -= 1
        return False

    monkeypatch.setattr(arrival, "_exchanged", slow)
    session = make(world)
    ticket = SendCode(session, begin(world, session), Secret("x"), ())
    other = replace(ticket, session=replace(session, organization_id="other"))

    async def all_at_once(*tickets: SendCode) -> None:
        await asyncio.gather(*(arrival.carry(world.services, one) for one in tickets))

    asyncio.run(all_at_once(*[ticket] * 9))
    assert most == [4]
    asyncio.run(all_at_once(*[ticket] * 9, other))
    assert most == [5]


def test_a_code_that_has_no_turn_in_time_is_not_sent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its organization's others wait for a provider that hangs: the person begins again."""
    monkeypatch.setattr(arrival, "TURN_SECONDS", 0.0)
    session = make(world)
    ticket = SendCode(session, exchange(world, session), Secret("x"), ())

    async def behind_others() -> None:
        place = world.services.couriers.place(session.organization_id)
        for _ in range(AT_A_TIME):
            await place.acquire()
        await arrival.carry(world.services, ticket)

    asyncio.run(behind_others())
    assert not world.script.asked
    assert now(world, session).trouble == arrival.TOO_MANY


def test_the_other_of_two_secrets_is_presented_the_next_time(world: World) -> None:
    """While an app's secret is being changed: never with the same code (C15)."""
    id_ = app_id("acme", "default")
    client = ClientCredentials("app-id", Secret("new"), previous_client_secret=Secret("old"))
    app = sealed(world.services.cipher, id_, client)
    with world.services.database.transaction() as db:
        put(db, "acme", "default", "app-id", app.client_secret, app.material)
    answering(world, refused("invalid_client", 401), granted(**PAIR, **ANN))
    session = make(world)
    assert carry(world, session).state is State.OPEN
    assert carry(world, session).outcome is Outcome.CONNECTED
    shown = [b64decode(one.headers["Authorization"][6:]) for one in world.script.asked]
    assert shown == [b"app-id:new", b"app-id:old"]

"""What a held answer becomes: a connection of the right account, or nothing at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from refresher.connections import arrival
from refresher.rules.connect import Outcome, Problem, Result, State, Trouble
from refresher.rules.providers import Slot
from refresher.store import connect_steps
from tests.connect.carrying import (
    ANN,
    BEN,
    PAIR,
    acme_asks,
    answering,
    carry,
    connected,
    count,
    entry,
    stored,
)
from tests.connect.sessions import begin, exchange, make, now
from tests.world import World, granted


@pytest.fixture(autouse=True)
def _entry(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    acme_asks(world, monkeypatch)


def test_another_account_changes_nothing_and_the_right_one_reconnects(world: World) -> None:
    """The old token still refreshes; then the same session connects (T13)."""
    id_ = connected(world)
    session = make(world, id_)
    other = {"access_token": "at-2", "refresh_token": "rt-2", "expires_in": 3600}
    answering(world, granted(**other, **BEN))
    after = carry(world, session)
    assert (after.state, after.held) == (State.OPEN, None)
    assert after.trouble is not None
    assert after.trouble.code is Problem.WRONG_ACCOUNT
    assert after.trouble.detail == {"used": BEN["email"], "wanted": "a•••@acme.example"}
    assert stored(world, id_)[1]["refresh_token"] == "rt-1"
    answering(world, granted(**other, **ANN))
    assert carry(world, session).outcome is Outcome.CONNECTED
    row, tokens = stored(world, id_)
    assert tokens["refresh_token"] == "rt-2"
    assert row.grant_number == 2


def test_without_a_refresh_token_the_stored_one_is_kept_only_while_it_lives(world: World) -> None:
    """Same account and alive: kept. Dead: failure, and nothing changes (T14)."""
    id_ = connected(world)
    alone = granted(access_token="at-2", expires_in=3600, **ANN)
    answering(world, alone)
    assert carry(world, make(world, id_)).outcome is Outcome.CONNECTED
    assert stored(world, id_)[1] == {"access_token": "at-2", "refresh_token": "rt-1"}
    world.run("update connection set status = 'reconnect_required'")
    answering(world, alone)
    after = carry(world, make(world, id_))
    assert after.trouble is not None
    assert after.trouble.code is Problem.NO_REFRESH_TOKEN
    entry(world, refresh_token="sometimes")
    answering(world, alone)
    assert carry(world, make(world, id_)).outcome is Outcome.CONNECTED
    assert stored(world, id_)[1] == {"access_token": "at-2"}


def test_a_required_scope_that_was_not_granted_refuses(world: World) -> None:
    """With the scopes that are missing; others are told and stored as missing (T15)."""
    answering(world, granted(**PAIR, **ANN, scope="a"))
    session = make(world, required_scopes=["b"])
    attempt = replace(exchange(world, session), scopes=["a", "b"])
    after = carry(world, session, attempt)
    assert after.trouble is not None
    assert after.trouble.code is Problem.SCOPE_MISSING
    assert after.trouble.detail == {"missing_scopes": ["b"]}


def test_an_application_has_the_last_word(world: World) -> None:
    """It is judged at once, and becomes a connection only when it is confirmed (C9)."""
    answering(world, granted(**PAIR, **ANN))
    session = make(world, finish="application", finish_challenge="x")
    after = carry(world, session)
    assert (after.state, after.ready_at is not None) == (State.HELD, True)
    assert after.result == Result("7", "ann@acme.example", [], [], also_connected_as=[])
    arrival.advance(world.services, session.id)
    assert count(world, "connection") == 0
    world.pass_time(300)
    with world.services.database.transaction() as db:
        assert connect_steps.confirm(db, session.id)
    arrival.advance(world.services, session.id)
    assert now(world, session).outcome is Outcome.CONNECTED
    left = "select extract(epoch from expires_at - refresher_now())::int as n from connection"
    assert world.one(left).n == 3300
    assert len(world.script.asked) == 1


@pytest.mark.parametrize("change", ["disabled_at = now()", "deleted_at = now()"])
def test_a_session_ends_with_the_connection_that_it_was_for(world: World, change: str) -> None:
    """Disabled or deleted while the person was at the provider: nothing is stored (T20)."""
    id_ = connected(world)
    session = make(world, id_)
    attempt = exchange(world, session)
    world.run(f"update connection set {change}")
    answering(world, granted(access_token="at-2", refresh_token="rt-2", **ANN))
    after = carry(world, session, attempt)
    assert (after.state, after.outcome) == (State.ENDED, Outcome.CANCELLED)
    assert after.trouble is not None
    assert after.trouble.code is Problem.RIGHT_ENDED
    assert stored(world, id_)[1]["refresh_token"] == "rt-1"


def test_what_is_held_ends_with_the_key_that_the_session_was_made_by(world: World) -> None:
    """Revoked while the application had the last word: nothing is stored (C11)."""
    answering(world, granted(**PAIR, **ANN))
    key = "insert into api_key (id, secret_hash, name, scopes) values ('k1', sha256(''), 'k', '{}')"
    world.run(key)
    session = make(world, finish="application", finish_challenge="x", key_id="k1")
    assert carry(world, session).state is State.HELD
    world.run("update api_key set revoked_at = refresher_now()")
    with world.services.database.transaction() as db:
        assert connect_steps.confirm(db, session.id)
    arrival.advance(world.services, session.id)
    after = now(world, session)
    assert (after.outcome, after.held) == (Outcome.CANCELLED, None)
    assert count(world, "connection") == 0


def test_a_session_that_may_change_the_account_leaves_nothing_of_the_old_one(world: World) -> None:
    """Neither its kept fields nor its tokens in other slots; and it is told (C21)."""
    world.describe("acme", slots={"user": Slot(("user",))}, keep_fields=("team", "plan"))
    user = {"user": {"access_token": "user-1", "refresh_token": "user-rt-1"}}
    id_ = connected(world, team="t1", plan="big", **user)
    slot = world.one("select id from connection where slot_of = :id", id=id_).id
    answering(world, granted(access_token="at-2", refresh_token="rt-2", team="t2", **BEN))
    after = carry(world, make(world, id_, allow_account_change=True))
    assert after.outcome is Outcome.CONNECTED
    row, tokens = stored(world, id_)
    assert (row.account, row.kept_fields, tokens["refresh_token"]) == ("8", {"team": "t2"}, "rt-2")
    assert stored(world, slot)[1] == {}
    assert count(world, "outbox", "kind = 'connection.account_changed'") == 1


def test_an_account_that_nobody_knew_is_learned(world: World) -> None:
    """A connection that was imported learns it with its first reconnect, and says so (C20)."""
    id_ = world.connect(organization_id="org-1")
    answering(world, granted(**PAIR, **ANN))
    after = carry(world, make(world, id_))
    assert after.result == Result(
        "7", "ann@acme.example", [], [], account_learned=True, also_connected_as=[]
    )
    assert stored(world, id_)[0].account == "7"


def test_a_callback_that_names_a_foreign_host_sends_no_code(world: World) -> None:
    """It is refused before anything leaves (T23)."""
    entry(world, host_from_callback="accounts-server")
    world.describe("acme", host_pattern=r"[a-z]+\.acme\.example")
    answering(world)
    evil = ("accounts-server", "https://evil.example")
    after = carry(world, make(world), None, evil)
    assert not world.script.asked
    assert after.trouble is not None
    assert after.trouble.code is Problem.WRONG_HOST


def test_a_late_answer_of_a_session_that_went_on_is_dropped(world: World) -> None:
    """Its time as exchanging was over, and the person began again."""
    session = make(world)
    attempt = exchange(world, session)
    with world.services.database.transaction() as db:
        assert connect_steps.reopen(db, session.id, Trouble(Problem.OUTCOME_UNKNOWN, "late"))
    answering(world, granted(**PAIR, **ANN))
    assert carry(world, session, attempt).state is State.OPEN
    assert count(world, "connection") == 0


def test_what_cannot_be_built_is_told_before_anything_leaves(world: World) -> None:
    """The app is gone since the person left."""
    session = make(world)
    attempt = begin(world, session)
    del attempt
    world.run("delete from app where provider = 'acme'")
    answering(world)
    after = carry(world, session)
    assert after.trouble is not None
    assert (after.trouble.code, not world.script.asked) == (Problem.APP_WRONG, True)


def test_nothing_of_a_consent_is_in_what_people_read(world: World) -> None:
    """Neither code nor tokens, in tables or notices."""
    connected(world)
    for table in ("connect_session", "refresh_event", "outbox", "audit", "connect_attempt"):
        whole = str(world.rows(f"select * from {table}"))
        assert not [text for text in ("the-code", "at-1", "rt-1") if text in whole]

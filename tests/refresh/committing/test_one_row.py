"""One row, or one error of ours, holds no other and costs no pair."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import psycopg
import pytest

from refresher.refresh import commit
from refresher.refresh.attempt import as_settlement
from refresher.refresh.recovery import sweep_stalled
from refresher.refresh.steps import refresh
from refresher.rules.outcomes import Reply
from refresher.rules.requests import TokenRequest
from refresher.runtime.liveness import Watch
from tests.refresh.committing.faults import raising, run
from tests.refresh.committing.in_hand import (
    MANY,
    all_spooled,
    assert_all_stored,
    in_hand,
    sweep_until_stored,
)
from tests.world import World, granted


@pytest.mark.parametrize(
    "error",
    [UnicodeEncodeError("latin-1", "\u2603", 0, 1, "no"), NotImplementedError("datestyle")],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_ours_or_of_the_driver_costs_no_pair(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Whatever is raised between a reply and its commit, the pair is kept."""

    def stumble(*_: object, **__: object) -> None:
        raise error

    for module in ("steps", "recovery"):
        monkeypatch.setattr(f"refresher.refresh.{module}.settle", stumble)
    with in_hand(world, lambda: None) as ids:
        pass
    assert all_spooled(world)
    assert world.row(ids[0]).parked_reason == "unstored"
    monkeypatch.undo()
    sweep_until_stored(world)
    assert_all_stored(world, ids)


def test_a_scope_that_no_column_takes_costs_no_pair(world: World) -> None:
    """A NUL among the words of a provider: the pair is stored without them, at once."""
    id_ = world.connect(expires_in=0)
    world.script.answer = lambda _: granted(
        access_token="a", refresh_token="r", expires_in=3600, scope="read\0write"
    )
    assert refresh(world.services, world.claim())["refreshed"] == 1
    assert world.token(id_, "refresh_token") == "r"
    assert world.services.spool.entries() == []


def test_one_row_that_is_refused_holds_no_other(
    world: World, admin: psycopg.Connection[Any]
) -> None:
    """The others are stored at once; it is parked with an event that says why, until it is mended."""
    begin = run("alter table connection add constraint c check (external_id <> 'c3' "
                "or credential_version < 2) not valid")  # fmt: skip
    with in_hand(world, partial(begin, admin)) as ids:
        pass
    assert len(world.services.spool.entries()) == 1
    refused = ids.pop(3)
    assert all(world.row(id_).credential_version == 2 for id_ in ids)
    row = world.row(refused)
    assert (row.state, row.parked_reason, row.status) == (2, "unstored", "active")
    told = world.one("select reason from refresh_event where connection_id = :id and kind = 'parked'",
                     id=refused).reason  # fmt: skip
    assert (
        told == 'unstored: 23514: new row for relation "connection" violates check constraint "c"'
    )
    world.pass_time(86_400)
    sweep_stalled(world.services, Watch())
    assert refused not in {claim.connection_id for claim in world.claim()}
    run("alter table connection drop constraint c")(admin)
    sweep_until_stored(world)
    assert world.token(refused, "refresh_token") == "new-refresh-of-c3"


def test_a_row_that_is_taken_for_a_full_disk_holds_no_other_for_long(
    world: World, admin: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One broken page looks like a broken disk: after a while each is tried alone, and others pass."""
    monkeypatch.setattr(commit, "ALONE_AFTER_SECONDS", 0.0)
    begin, end = raising("58030")

    def break_one() -> None:
        begin(admin)
        admin.execute(
            "create or replace function refuse() returns trigger language plpgsql as $$ begin "
            "if new.external_id = 'c3' then raise exception 'no' using errcode = '58030'; end if; "
            "return new; end $$"
        )

    with in_hand(world, break_one) as ids:
        pass
    assert len(world.services.spool.entries()) == 1
    end(admin)
    sweep_until_stored(world)
    assert_all_stored(world, ids)


def test_a_reply_that_a_bug_stumbles_over_costs_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer is kept, sealed, and its spent token is presented to nobody; the others are stored."""

    def stumble(cipher: Any, policy: Any, attempt: Any, reply: Reply) -> Any:
        if attempt.row.connection.external_id == "c3":
            raise RuntimeError("a bug")
        return as_settlement(cipher, policy, attempt, reply)

    monkeypatch.setattr("refresher.refresh.attempt.as_settlement", stumble)
    with in_hand(world, lambda: None) as ids:
        pass
    stumbled = ids.pop(3)
    assert all(world.row(id_).credential_version == 2 for id_ in ids)
    assert world.one("select count(*) as n from kept_answer").n == 1
    assert (world.row(stumbled).state, world.row(stumbled).parked_reason) == (2, "unread_answer")
    world.pass_time(86_400)
    sweep_stalled(world.services, Watch())
    assert stumbled not in {claim.connection_id for claim in world.claim()}


@pytest.mark.slow
def test_what_cannot_be_counted_or_told_is_stored_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A counter's full disk or a bug in a log line stands between no reply and its commit."""

    def stumble(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(world.services.meter, "replied", stumble)
    monkeypatch.setattr(commit, "report", stumble)
    with in_hand(world, lambda: None) as ids:
        pass
    assert_all_stored(world, ids)


def test_a_pair_that_no_spool_takes_is_held(
    world: World, admin: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the disk full here as well as there, the process itself keeps what it has."""
    begin, end = raising("P0001")
    tried = threading.Semaphore(0)

    def full(_entries: object) -> str:
        tried.release()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(world.services.spool, "put", full)
    with in_hand(world, partial(begin, admin)) as ids:
        for _ in range(2 * MANY):
            assert tried.acquire(timeout=30)
        end(admin)
    assert_all_stored(world, ids)


def test_an_answer_that_could_not_be_read_survives_a_stop_while_postgres_takes_nothing(
    world: World, admin: psycopg.Connection[Any]
) -> None:
    """It may hold the only token: it lies sealed in the spool, and is kept as soon as it can be."""
    begin, end = raising("53100", "refresh_schedule")
    id_ = world.connect(expires_in=0)
    claims = world.claim()

    def answer(_request: TokenRequest) -> Reply:
        begin(admin)
        world.services.stopping.set()
        return Reply(200, {}, b'{"access_token": ["a secret, oddly"], "refresh_token": {"x": 1}')

    world.script.answer = answer
    assert refresh(world.services, claims)["spooled"] == 1
    (entry,) = world.services.spool.entries()
    assert "secret" not in entry
    end(admin)
    world.services.stopping.clear()
    sweep_until_stored(world)
    assert (
        world.one("select count(*) as n from kept_answer where connection_id = :id", id=id_).n == 1
    )
    assert (world.row(id_).state, world.row(id_).parked_reason) == (2, "unread_answer")

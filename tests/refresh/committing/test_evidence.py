"""Evidence that cannot be written costs no pair of the same commit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from refresher.refresh.steps import refresh
from refresher.rules.outcomes import Reply
from refresher.rules.requests import TokenRequest
from tests.refresh.committing.faults import run
from tests.refresh.committing.in_hand import rotated, sweep_until_stored
from tests.world import World, refused

Break = Callable[[World, psycopg.Connection[Any], pytest.MonkeyPatch], None]


def refuse(_: World, admin: psycopg.Connection[Any], __: pytest.MonkeyPatch) -> None:
    """The table of pauses takes nothing."""
    run("alter table pause add constraint c check (key is null) not valid")(admin)


def rename(_: World, admin: psycopg.Connection[Any], __: pytest.MonkeyPatch) -> None:
    """It is not there."""
    run("alter table pause rename to elsewhere")(admin)


def stumble(_: World, __: psycopg.Connection[Any], patch: pytest.MonkeyPatch) -> None:
    """A bug of ours."""

    def bug(*_: object) -> None:
        raise KeyError("a bug")

    patch.setattr("refresher.refresh.evidence.weigh", bug)


def all_but_one(request: TokenRequest) -> Reply:
    """Rotates each pair; the app of one is refused, which is evidence."""
    if request.parameters["refresh_token"] == "refresh-of-c0":
        return refused("invalid_client", 401)
    return rotated(request)


@pytest.mark.slow
@pytest.mark.parametrize("fault", [refuse, rename, stumble])
def test_pairs_are_stored_at_once_when_evidence_cannot_be_written(
    world: World,
    admin: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
    fault: Break,
) -> None:
    """Neither held nor spooled; the refused row has its outcome, too."""
    ids = [world.connect(f"c{n}", expires_in=0) for n in range(4)]
    in_hand: list[TokenRequest] = []

    def answer(request: TokenRequest) -> Reply:
        if not in_hand:
            fault(world, admin, monkeypatch)
        in_hand.append(request)
        return all_but_one(request)

    world.script.answer = answer
    tally = refresh(world.services, world.claim())
    assert (tally["refreshed"], tally["spooled"], tally["unwritable"]) == (3, 0, 0)
    assert world.services.spool.entries() == []
    for n, id_ in enumerate(ids[1:], 1):
        assert world.token(id_, "refresh_token") == f"new-refresh-of-c{n}"
    assert world.row(ids[0]).state == 0


def test_a_session_that_ends_while_evidence_is_weighed_costs_no_pair(
    world: World, admin: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is Postgres away: the whole commit is tried again, with its evidence."""
    id_, other = world.connect("c1", expires_in=0), world.connect("c0", expires_in=0)
    world.script.answer = all_but_one
    ended: list[object] = []
    hold = monkeypatch.undo

    def end_session(*_: object) -> None:
        hold()
        ended.append(admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        ))  # fmt: skip

    monkeypatch.setattr("refresher.store.pauses.locked", lambda db, wanted: _lost(db, end_session))
    refresh(world.services, world.claim())
    sweep_until_stored(world)
    assert ended
    assert world.token(id_, "refresh_token") == "new-refresh-of-c1"
    assert world.row(other).state == 0
    assert world.one("select count(*) as n from pause").n > 0


def _lost(db: Any, end_session: Callable[[], None]) -> None:
    end_session()
    db.exec_driver_sql("select 1")

"""Reload and begin in one statement: for whom, and that nobody can tell which way a row went."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from refresher.refresh.steps import refresh
from refresher.rules import guards
from refresher.rules.providers import Strategy
from refresher.runtime import checkpoints
from refresher.runtime.checkpoints import Point
from refresher.store import marking
from refresher.store.reload import Reloaded, reload
from refresher.testing import stepper
from tests.chaos.freezes import WHERE
from tests.chaos.kills import WORKER_POINTS
from tests.cli.observing import chaos as observing
from tests.test_state_machine import DEATHS
from tests.world import World

SET_ASIDE = {
    "paused": "paused_at = refresher_now()",
    "disabled": "disabled_at = refresher_now()",
    "deleted": "deleted_at = refresher_now()",
    "mid-oauth": "in_between_steps = true",
    "dead": "status = 'reconnect_required'",
    "without tokens": "access_token = null, refresh_token = null",
    "without an end": "expires_at = null",
}
"""What the guard refuses whatever the provider."""
FINE = {
    "usual": "id = id",
    "expired": "expires_at = refresher_now() - interval '1 day'",
    "with one token": "access_token = null, expires_at = null",
    "without an app": "app_name = 'none'",
}
EVERYTHING = (
    "select to_jsonb(c) - 'updated_at' as connection, to_jsonb(s) as row, "
    "(select jsonb_agg(to_jsonb(e) - 'id' order by e.id) from refresh_event e "
    " where e.connection_id = c.id) as events, "
    "(select jsonb_agg(to_jsonb(n)) from notice n) as notices "
    "from connection c join refresh_schedule s on s.connection_id = c.id"
)


def start(world: World, *, strict: bool = False) -> list[Reloaded]:
    """Claims what is due, and starts it."""
    claims = world.claim()
    with world.services.database.transaction() as db:
        me = world.services.holder_id
        return marking.start(db, claims, holder_id=me, stop_when_expired=strict)


def made(world: World, kinds: dict[str, str]) -> None:
    """Makes a connection of each kind."""
    for kind, change in kinds.items():
        id_ = world.connect(kind, expires_in=0)
        world.run(f"update connection set {change} where id = :id", id=id_)


def begun(world: World) -> set[str]:
    """Returns whose refresh is begun."""
    sql = (
        "select c.external_id from connection c join refresh_schedule s on s.connection_id = c.id "
        "where s.begun_token = s.lease_token"
    )
    return {row.external_id for row in world.rows(sql)}


def test_what_nothing_speaks_against_is_begun_and_nothing_else(world: World) -> None:
    """What the tables tell is asked in the statement, so that the guard refuses none of it later."""
    made(world, FINE | SET_ASIDE)
    started = {row.connection.external_id: row for row in start(world)}
    assert set(started) == set(FINE) == begun(world)
    for kind, row in started.items():
        if kind == "without an app":  # the catalogue alone knows who needs one
            continue
        assert row.left_seconds is None or row.left_seconds <= 0
        assert (
            guards.check(
                row.connection,
                world.services.catalogue["acme"],
                stop_when_expired=False,
                expired=row.left_seconds is not None,
            )
            == guards.Proceed()
        ), kind


def test_it_returns_what_a_reload_does(world: World) -> None:
    """The same columns, as they stood before the mark."""
    made(world, FINE)
    claims = world.claim()
    with world.services.database.transaction() as db:
        before = {row.claim: row for row in reload(db, claims)}
        me = world.services.holder_id
        started = marking.start(db, claims, holder_id=me, stop_when_expired=False)
    assert {row.claim: replace(row, marked=False) for row in started} == before


def test_the_strict_way_begins_nothing_that_has_expired(world: World) -> None:
    """With `expired_tokens = "stop"` that is for the guard to park."""
    made(world, FINE)
    assert {r.connection.external_id for r in start(world, strict=True)} == {"with one token"}


@pytest.mark.parametrize(
    "change",
    [
        "begun_token = lease_token",
        "lease_token = lease_token + 1",
        "state = 0, lease_until = null",
    ],
)
def test_who_has_lost_the_claim_or_comes_second_begins_nothing(world: World, change: str) -> None:
    """A claim counts once."""
    made(world, FINE)
    claims = world.claim()
    world.run(f"update refresh_schedule set {change}")
    with world.services.database.transaction() as db:
        me = world.services.holder_id
        assert marking.start(db, claims, holder_id=me, stop_when_expired=False) == []


def unknown(world: World) -> None:
    """A provider that the catalogue has no more."""
    world.run("update connection set provider = 'gone'")


def no_app(world: World) -> None:
    """An app that nobody configured."""
    world.run("delete from app")


def no_refresh_token(world: World) -> None:
    """An access token alone, where a refresh token is what is sent."""
    world.run("update connection set refresh_token = null")


def own_grant(world: World) -> None:
    """A token that is its own grant, and has expired."""
    world.describe("acme", strategy=Strategy.LONG_LIVED_EXCHANGE)


def too_soon(world: World) -> None:
    """A grant that was asked a moment ago, of a provider that wants pauses between."""
    world.describe("acme", refresh_interval_seconds=600.0)
    assert world.tick()["refreshed"] == 1
    world.run("update refresh_schedule set due_at = refresher_now()")


@pytest.mark.parametrize("speaks", [unknown, no_app, no_refresh_token, own_grant, too_soon])
def test_what_only_the_catalogue_tells_ends_the_same_either_way(
    world: World, speaks: Callable[[World], None]
) -> None:
    """Begun by the reload and refused by the guard, or refused before: the same rows and events."""
    world.connect(expires_in=0)
    speaks(world)
    (before,) = world.rows("select * from connection")
    ended = []
    for provider in ("elsewhere", before.provider):
        world.run("delete from pause")
        world.hold("provider", f"{provider}@elsewhere", sort="limited")
        world.run(
            "update refresh_schedule set state = 0, due_at = refresher_now(), lease_token = 7"
        )
        world.run("update connection set status = 'active', status_cause = null, trouble = null")
        world.run("delete from refresh_event where kind in ('parked', 'postponed')")
        world.run("delete from notice")
        asked = len(world.script.asked)
        refresh(world.services, world.claim())
        assert len(world.script.asked) == asked
        ended.append([tuple(row) for row in world.rows(EVERYTHING)])
    assert ended[0] == ended[1]


@pytest.mark.parametrize("provider", ["elsewhere", "acme"])
def test_every_point_is_reached_either_way(world: World, provider: str) -> None:
    """Whoever kills, freezes or steps finds each point on the short way as on the long one."""
    world.connect(expires_in=0)
    world.hold("provider", f"{provider}@elsewhere", sort="limited")
    claims, reached = world.claim(), list[Point]()
    checkpoints.install(reached.append)
    try:
        refresh(world.services, claims)
    finally:
        checkpoints.install(None)
    assert tuple(reached) == stepper.ORDER
    aimed_at = {*WORKER_POINTS, *WHERE, *DEATHS, *observing.DEATHS}
    assert aimed_at - {"anywhere", "sent"} <= set(reached)  # "sent" is told by the sender

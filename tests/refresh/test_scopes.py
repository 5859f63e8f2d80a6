"""Whom one connection's trouble may touch: nobody else. A clock of its own, real Postgres beneath."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from refresher.rules.outcomes import Reply
from refresher.rules.requests import TokenRequest
from refresher.store import oauth_apps, pause_list
from tests.refresh.scoping import answering, expired, is_of, live, opened
from tests.world import World, refused


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """A world with hosts, and the built-in providers."""
    made = opened(database_url)
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "status"), [("invalid_client", 401), ("unauthorized_client", 400)]
)
@pytest.mark.parametrize("count", [1, 2])
def test_a_refusal_of_one_or_two_leaves_the_others_of_their_app_alone(
    world: World, code: str, status: int, count: int
) -> None:
    """Twelve connections of one app, one refused for ten minutes: the others never expire."""
    ids = [world.connect(f"c{n}", expires_in=30 + 2 * n) for n in range(12)]
    bad = [f"c{n}" for n in range(count)]

    def refuse(request: TokenRequest) -> Reply | None:
        return refused(code, status) if any(is_of(request, b) for b in bad) else None

    answering(world, 60, refuse)
    live(world, ids[count:], seconds=600, step=3)
    asked = [r for r in world.script.asked if is_of(r, "c0")]
    assert 3 <= len(asked) <= 8, "it is tried alone, ever more seldom"
    assert world.row(ids[0]).status == "active"
    assert world.rows("select 1 from notice where scope = 'app' and told <> 'well'") == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "reply",
    [
        Reply(429, {"Retry-After": "86400"}),
        Reply(503, {"Retry-After": "86400"}, b"<html>maintenance</html>"),
        Reply(429),
        refused("unauthorized_client"),
        Reply(404),
        Reply(503),
        Reply(failure="timeout"),
    ],
    ids=lambda r: f"{r.status}{'-later' if r.headers else ''}{'-body' if r.body else ''}",
)
def test_one_tenants_host_touches_no_other_host(world: World, reply: Reply) -> None:
    """One of ten hosts, with 25 connections, answers nothing good: nine never notice."""
    bad = [
        world.connect(f"b{n}", provider="shops", host="busy.example", expires_in=30)
        for n in range(25)
    ]
    ids = [
        world.connect(f"c{n}", provider="shops", host=f"shop{n}.example", expires_in=40 + 2 * n)
        for n in range(9)
    ]
    answering(world, 60, lambda r: reply if "busy" in r.url else None)
    live(world, ids, seconds=120, step=6)
    assert {world.row(i).status for i in bad} == {"active"}
    paused = world.rows("select distinct host from pause where refusals > 0 and host is null")
    assert paused == [], "neither the provider nor the app is held as a whole"


@pytest.mark.slow
def test_an_organization_with_bad_connections_holds_up_itself_alone(world: World) -> None:
    """M17: 25 connections of one organization at a provider with one host; another never notices."""
    for n in range(25):
        world.connect(f"b{n}", organization_id="mischief", expires_in=30)
    ids = [world.connect(f"c{n}", organization_id=f"org{n}", expires_in=40) for n in range(3)]
    answering(world, 60, lambda r: None if any(is_of(r, f"c{n}") for n in range(3)) else Reply(503))
    live(world, ids, seconds=300, step=3)
    held = world.rows("select organization_id from pause where refusals > 0")
    assert [row.organization_id for row in held] == ["mischief"]


@pytest.mark.slow
def test_a_wrong_client_secret_costs_three_requests_a_minute(world: World) -> None:
    """Five hundred connections of several organizations, all refused: at most three ask in a minute."""
    for n in range(500):
        world.connect(f"c{n}", organization_id=f"org{n % 4}", expires_in=900 + 7 * n)
    answering(world, 3600, lambda _: refused("invalid_client", 401))
    at: list[float] = []
    for step in range(360):
        world.pass_time(5)
        before = len(world.script.asked)
        world.tick()
        at += [step * 5.0] * (len(world.script.asked) - before)
    assert len(at) > 10
    assert max(sum(t <= other < t + 60 for other in at) for t in at) <= 3
    told = world.rows("select state from notice where scope = 'app' and key = 'acme/default'")
    assert [row.state for row in told] == ["misconfigured"]


def test_a_wrong_secret_of_an_app_with_one_connection_is_told(world: World) -> None:
    """Only one grant exists: it is refused three times, and then a person hears of it."""
    id_ = world.connect(expires_in=0)
    answering(world, 3600, lambda _: refused("invalid_client", 401))
    states = []
    for _ in range(4):
        world.tick()
        states.append(bool(world.rows("select 1 from notice where told = 'misconfigured'")))
        world.pass_time(600)
    assert states == [False, False, True, True]
    # When the secret is put right, it is tried at once
    world.script.answer = world.script.rotate
    with world.services.database.transaction() as db:
        oauth_apps.put(db, "acme", "default", "app-id", None)
    assert world.tick()["refreshed"] == 1
    assert world.row(id_).attempt == 0
    world.pass_time(120)
    assert world.rows("select 1 from pause") == []


def test_several_hosts_and_organizations_hold_an_app_that_is_really_refused(world: World) -> None:
    """M17: three hosts of two organizations agree, and the fourth is not asked any more."""
    for n in range(8):
        world.connect(
            f"c{n}",
            provider="shops",
            host=f"shop{n}.example",
            organization_id=f"org{n % 2}",
            expires_in=730 + n * 10,
        )
    answering(world, 60, lambda _: refused("invalid_client", 401))
    for _ in range(30):
        world.pass_time(3)
        world.tick()
    assert len(world.script.asked) <= 5
    with world.services.database.transaction() as db:
        assert "shops/default" in [p.key for p in pause_list.held(db)]


def test_a_wait_that_was_asked_of_one_ends_by_hand(world: World) -> None:
    """M17: it is honoured for a day, and `unpause` has the connection tried all the same."""
    id_ = world.connect(provider="shops", host="busy.example", expires_in=0)
    answering(world, 3600, lambda _: Reply(429, {"Retry-After": "31536000"}))
    world.tick()
    left = world.row(id_).due_at - world.clock.now
    assert timedelta(days=1) <= left < timedelta(days=1, minutes=2)
    with world.services.database.transaction() as db:
        pause_list.end(db, pause_list.Chosen("shops", host="busy.example"))
    answering(world, 3600, lambda _: None)
    assert world.tick()["refreshed"] == 1


def test_a_limit_that_two_were_told_ends_with_a_success(world: World) -> None:
    """M17: capped at fifteen minutes and probed by another, whose success ends the wait of all."""
    ids = [world.connect(f"c{n}", expires_in=n) for n in range(6)]
    answering(world, 3600, lambda _: Reply(429, {"Retry-After": "86400"}))
    for _ in range(6):
        world.tick()
        world.pass_time(1)
    assert len(world.script.asked) == 2
    answering(world, 3600, lambda _: None)
    for _ in range(34):
        world.pass_time(30)
        world.tick()
    assert expired(world, ids) == []


def test_the_end_of_an_outage_brings_its_victims_forward(world: World) -> None:
    """M22: the first success at a host has those tried that wait in the slow lane there."""
    ids = [world.connect(f"c{n}", expires_in=2 * 86_400) for n in range(3)]
    other = world.connect("late", expires_in=2 * 86_400)
    world.run(
        "update refresh_schedule set due_at = refresher_now() where connection_id <> :i", i=other
    )
    answering(world, 3600, lambda _: Reply(failure="connect", sent=False))
    for _ in range(6):
        world.pass_time(480)
        world.tick()
    waits = [(world.row(i).due_at - world.clock.now).total_seconds() for i in ids]
    assert min(waits) > 120, "the slow lane"
    # When another connection is refreshed there, they are due within a minute
    answering(world, 3600, lambda _: None)
    world.run(
        "update refresh_schedule set due_at = refresher_now() where connection_id = :i", i=other
    )
    assert world.tick()["refreshed"] == 1
    world.pass_time(60)
    assert world.tick()["refreshed"] == 3
    assert world.rows("select 1 from pause") == []


def test_a_dead_token_waits_no_thirteen_minutes(world: World) -> None:
    """M22: while trouble lasts it is tried each minute at first, so it is well a minute afterwards."""
    id_ = world.connect(expires_in=60)
    answering(world, 60, lambda _: Reply(503))
    for _ in range(60):
        world.pass_time(3)
        world.tick()
    assert world.row(id_).attempt >= 4
    answering(world, 60, lambda _: None)
    for _ in range(21):
        world.pass_time(3)
        world.tick()
    assert expired(world, [id_]) == []

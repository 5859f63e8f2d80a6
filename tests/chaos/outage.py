"""A provider that is down for a week of simulated time, and comes back.

The real story, store and rules, in this process; the database's clock is moved, and no time is waited.
"""

from __future__ import annotations

import random

from refresher.rules.limits import BreakerPolicy, opens
from refresher.rules.outcomes import Reply
from refresher.rules.requests import TokenRequest
from refresher.store.schedule import next_due_in_seconds
from tests.chaos.row import Bench, Row
from tests.world import World

CONNECTIONS = 100
HOUR, DAY = 3600.0, 86_400.0
STEP_SECONDS = 15.0
"""How late a tick may come in the simulation: rows that are due together are taken together."""


def provider_down(bench: Bench) -> Row:
    """Has the provider fail in every way for seven days, then answer; counts what it was asked."""
    dice = random.Random(1)
    away_seconds = bench.seconds(7 * DAY, DAY)
    world = World(bench.ground.database())
    try:
        for n in range(CONNECTIONS):
            world.connect(f"c{n}", expires_in=HOUR * (0.3 + 0.7 * dice.random()))
        world.script.answer = lambda _: _trouble(dice)
        _live(world, away_seconds)
        asked = len(world.script.asked)
        world.script.answer = _rotate(world)
        back_after = _until_all_are_refreshed(world)
        bench.advance()
        return _row(bench, world, asked, most_requests(away_seconds), back_after)
    finally:
        world.close()


def most_requests(away_seconds: float) -> int:
    """Returns the stated bound: failures until the breaker opens, then one probe a pause.

    Whoever has been sent when it opens still counts: one round of all connections.
    """
    policy, waited, probes = BreakerPolicy(), 0.0, 0
    while waited < away_seconds:
        opened = opens(policy, policy.failures, probes)
        assert opened is not None
        waited += opened.seconds
        probes += 1
    return policy.failures + CONNECTIONS + probes


def _trouble(dice: random.Random) -> Reply:
    return dice.choice(
        [
            Reply(failure="connect", sent=False),
            Reply(failure="timeout"),
            Reply(500),
            Reply(503, body=b"<html>down</html>"),
        ]
    )


def _rotate(world: World):
    return lambda request: _answer(world, request)


def _answer(world: World, request: TokenRequest) -> Reply:
    return world.script.rotate(request)


def _live(world: World, seconds: float) -> None:
    left = seconds
    while left > 0:
        with world.services.database.transaction() as db:
            due = next_due_in_seconds(db)
        step = min(left, max(0.0, due or 0.0) + STEP_SECONDS)
        world.pass_time(step)
        world.tick()
        left -= step


def _until_all_are_refreshed(world: World) -> float:
    waited = 0.0
    while waited < DAY:
        if world.one(_REFRESHED).n == CONNECTIONS:
            break
        _live(world, STEP_SECONDS)
        waited += STEP_SECONDS
    return waited


_REFRESHED = "select count(distinct connection_id) as n from refresh_event where kind = 'refreshed'"
_PARKED = "select count(*) as n from refresh_schedule where state = 2"


def _row(bench: Bench, world: World, asked: int, bound: int, back_after: float) -> Row:
    refreshed = world.one(_REFRESHED).n
    parked = world.one(_PARKED).n
    found = {
        f"{parked} parked": parked,
        f"{asked} requests, more than {bound}": asked > bound,
        f"{CONNECTIONS - refreshed} not refreshed a day after": refreshed < CONNECTIONS,
    }
    return Row(
        bench.title,
        times=1,
        refreshes=refreshed,
        lost=CONNECTIONS - refreshed,
        parked_wrongly=parked,
        recoveries=(back_after,),
        note=f"{CONNECTIONS} connections asked {asked:,} times in all; the bound is {bound:,}",
        broken=tuple(what for what, is_so in found.items() if is_so),
    )

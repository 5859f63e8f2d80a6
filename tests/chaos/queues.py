"""Redis emptied, Redis killed and started empty, every message delivered twice and out of order."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import redis

from tests.chaos.deployment import Deployment, Plan
from tests.chaos.recovery import moment, recover
from tests.chaos.row import Bench, Row
from tests.waiting import wait_until

MARKER = "refresher:*:here"
AGAIN_WITHIN_SECONDS = 5.0


def flush_redis(bench: Bench) -> Row:
    """Empties Redis under load, again and again."""
    return _lose_data(bench, lambda deployment: deployment.ground.redis.flushall())


def kill_redis(bench: Bench) -> Row:
    """Kills Redis with -9 and starts it, empty, after up to a second, again and again."""
    dice = random.Random(bench.title)

    def kill(deployment: Deployment) -> None:
        deployment.ground.redis.kill()
        time.sleep(dice.random())
        deployment.ground.redis.start()

    return _lose_data(bench, kill)


def _lose_data(bench: Bench, lose: Callable[[Deployment], None]) -> Row:
    dice = random.Random(bench.title)
    with Deployment(bench.ground, Plan(connections=300, grace_seconds=0)) as deployment:
        recoveries, dispatched = [], []
        for _ in range(bench.times):
            time.sleep(dice.random())
            lose(deployment)
            back = moment(deployment)
            dispatched.append(dispatching_after(deployment))
            recoveries.append(recover(deployment, back))
            bench.advance()
        broken = []
        if max(dispatched) > AGAIN_WITHIN_SECONDS:
            broken.append(f"dispatching only after {max(dispatched):.1f} s")
        note = f"dispatching again after {max(dispatched):.1f} s at most"
        return bench.conclude(deployment, recoveries, note=note, broken=broken)


def dispatching_after(deployment: Deployment) -> float:
    """Returns how long it takes until the loss is noticed, and rows are claimed again after that."""
    began = time.monotonic()
    before = deployment.number(_CLAIMS)
    with redis.Redis.from_url(deployment.services.settings.redis) as client:
        wait_until(lambda: client.keys(MARKER))
    wait_until(lambda: deployment.number(_CLAIMS) > before)
    return time.monotonic() - began


_CLAIMS = "select sum(lease_token) from refresh_schedule"


REFRESHED = "select count(*) from refresh_event where kind = 'refreshed'"


def deliver_twice(bench: Bench) -> Row:
    """Delivers every message twice and out of order; without grace, one repeat would be the end."""
    plan = Plan(connections=300, grace_seconds=0, twice=True, settings={"batch_size": 5})
    with Deployment(bench.ground, plan) as deployment:
        time.sleep(bench.seconds(30, 6))
        stale = deployment.ground.spawn.outputs().count('"stale"')
        bench.advance()
        broken = [] if stale else ["no second delivery was ever seen"]
        note = f"{stale} batches with a delivery that came second"
        return bench.conclude(deployment, note=note, broken=broken)

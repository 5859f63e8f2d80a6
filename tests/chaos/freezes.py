"""SIGSTOP past the lease and the attempt limit, then SIGCONT: a zombie must spend no token twice."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Literal

from refresher.runtime.checkpoints import Point
from tests.chaos.deployment import Deployment, Member, Plan
from tests.chaos.recovery import Moment, moment, recover
from tests.chaos.row import Bench, Row
from tests.waiting import wait_until

# Leases and attempts of seconds: a frozen worker is given up after six.
PLAN = Plan(
    lifetime_seconds=20.0,
    grace_seconds=60.0,
    settings={
        "sender": "httpx",
        "http_connect_seconds": 0.5,
        "http_total_seconds": 1.5,
        "commit_seconds": 1,
        "queue_wait_seconds": 2,
        "lease_seconds": 5,
        "attempt_timeout_seconds": 6,
        "shutdown_seconds": 5,
        "statement_timeout_seconds": 2,
    },
)
# One refresh at a time and no grace: begun and not sent, the token may be presented once, by one.
STRICT = replace(
    PLAN,
    connections=60,
    threads=1,
    latency_seconds=0.02,
    grace_seconds=0,
    settings={**PLAN.settings, "batch_size": 1},
)
Where = Point | Literal["anywhere"]
WHERE: tuple[Where, ...] = ("anywhere", "sent", "replied", "committing")
ZOMBIE_SECONDS = 2.0
"""What a thawed worker is given to do its worst."""


def freeze_workers(bench: Bench) -> Row:
    """Freezes one worker at each place in turn, until the others have taken its rows over."""
    with Deployment(bench.ground, PLAN) as deployment:
        recoveries = []
        for n in range(bench.times):
            recoveries.append(freeze(deployment, WHERE[n % len(WHERE)]))
            bench.advance()
        return bench.conclude(deployment, recoveries)


def freeze_before_sending(bench: Bench) -> Row:
    """Freezes a worker that is about to present a token, until another has presented it."""
    with Deployment(bench.ground, STRICT) as deployment:
        recoveries = []
        for _ in range(bench.times):
            recoveries.append(freeze(deployment, "begun"))
            bench.advance()
        return bench.conclude(deployment, recoveries)


def freeze(deployment: Deployment, where: Where) -> float:
    """Freezes a worker, waits until its rows have outcomes, thaws it; returns how long that took."""
    if where == "anywhere":
        frozen = deployment.workers[0]
        frozen.process.suspend()
        since = moment(deployment)
    else:
        frozen, since = _freeze_at(deployment, where)
    seconds = recover(deployment, since)
    frozen.process.resume()
    time.sleep(ZOMBIE_SECONDS)
    assert frozen.process.is_running(), frozen.process.output
    return seconds


def _freeze_at(deployment: Deployment, point: Point) -> tuple[Member, Moment]:
    deployment.triggers.arm(point, "freeze")
    wait_until(lambda: deployment.triggers.taken(point), 30, lambda: f"never {point}")
    taken = deployment.triggers.taken(point)
    assert taken is not None
    deployment.triggers.let_go(point)
    return deployment.member(taken.group_id), moment(deployment)

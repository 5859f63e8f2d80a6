"""kill -9: workers at random, workers and schedulers exactly between two steps."""

from __future__ import annotations

import random
import time
from dataclasses import replace

from refresher.runtime.checkpoints import Point
from tests.chaos.deployment import Deployment, Member, Plan
from tests.chaos.losses import Losses
from tests.chaos.recovery import Moment, moment, recover
from tests.chaos.row import Bench, Row
from tests.waiting import wait_until

WORKER_POINTS: tuple[Point, ...] = ("begun", "sent", "replied", "committing", "committed")
SCHEDULER_POINTS: tuple[Point, ...] = ("claimed", "handed_over")
REPLY_IN_FLIGHT: frozenset[Point] = frozenset({"sent", "replied", "committing"})
"""Where a rotated pair exists nowhere but on the way: without grace nothing can bring it back."""
GRACE_SECONDS = 10.0
# One refresh at a time in each worker, so that "at this point" is true of everything in flight.
ONE_AT_A_TIME = Plan(
    connections=60,
    threads=1,
    latency_seconds=0.02,
    grace_seconds=0,
    settings={"batch_size": 1, "sender": "httpx"},
)


def kill_workers_at_random(bench: Bench, *, grace_seconds: float) -> Row:
    """Kills one worker after another, each at any moment once the last kill is got over.

    That is, the one that takes its place works too: otherwise the time to recovery is that of a start.
    """
    dice = random.Random(bench.title)
    with Deployment(bench.ground, Plan(grace_seconds=grace_seconds)) as deployment:
        losses, recoveries = Losses(deployment), []
        for n in range(bench.times):
            deployment.wait_until_whole()
            time.sleep(dice.random())
            killed = kill(deployment, deployment.workers[n % len(deployment.workers)])
            recoveries.append(recover(deployment, killed))
            losses.examine(killed)
            bench.advance()
        told = grace_seconds == 0
        return bench.conclude(
            deployment,
            recoveries,
            told_allowed=told,
            note=_told(losses) if told else "",
            broken=losses.broken,
        )


def kill_at(bench: Bench, *, point: Point, grace_seconds: float) -> Row:
    """Kills whoever comes first to `point`, again and again."""
    may_lose = grace_seconds == 0 and point in REPLY_IN_FLIGHT
    # (the Rust client does not say when a request has left)
    several = Plan(grace_seconds=grace_seconds, settings={"sender": "httpx"})
    plan = several if grace_seconds else ONE_AT_A_TIME
    with Deployment(bench.ground, plan) as deployment:
        losses, recoveries = Losses(deployment), []
        for _ in range(bench.times):
            killed = kill_at_point(deployment, point)
            recoveries.append(recover(deployment, killed))
            losses.examine(killed)
            bench.advance()
        return bench.conclude(
            deployment,
            recoveries,
            told_allowed=may_lose,
            note=_told(losses) if may_lose else "",
            broken=losses.broken,
        )


def kill_schedulers(bench: Bench) -> Row:
    """Kills the scheduler, again and again; tokens live half a minute, and none may expire."""
    dice = random.Random(bench.title)
    plan = replace(Plan(), connections=400, lifetime_seconds=30.0, grace_seconds=0)
    with Deployment(bench.ground, plan) as deployment:
        recoveries = []
        for _ in range(bench.times):
            deployment.wait_until_whole()
            time.sleep(dice.random())
            recoveries.append(recover(deployment, kill(deployment, deployment.scheduler)))
            bench.advance()
        late = int(deployment.number(_EXPIRED))
        return bench.conclude(
            deployment, recoveries, broken=[f"{late} tokens expired"] if late else ()
        )


_EXPIRED = "select count(*) from refresh_event where kind = 'refreshed' and expired_seconds > 0"


def kill(deployment: Deployment, member: Member) -> Moment:
    """Kills a member with -9 now, notes what was in flight, and starts it anew."""
    member.process.kill()
    killed = moment(deployment)
    member.restart()
    return killed


def kill_at_point(deployment: Deployment, point: Point, limit_seconds: float = 90.0) -> Moment:
    """Has the next process that comes to `point` killed there, and starts it anew."""
    deployment.wait_until_whole()
    deployment.triggers.arm(point)
    wait_until(lambda: deployment.triggers.taken(point), limit_seconds, lambda: f"never {point}")
    taken = deployment.triggers.taken(point)
    assert taken is not None
    killed = kill(deployment, deployment.member(taken.group_id))
    deployment.triggers.let_go(point)
    return replace(killed, at=taken.at)


def _told(losses: Losses) -> str:
    if not losses.told_after:
        return "no reply was in flight"
    latest = max(losses.told_after)
    return f"{len(losses.told_after)} told as interrupted, within {latest:.1f} s"

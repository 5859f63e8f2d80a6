"""The short form of `make chaos`, in every test run: real processes, real signals, one referee."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos import databases, kills, queues, stops
from tests.chaos.deployment import Deployment, Plan
from tests.chaos.ground import Ground
from tests.chaos.recovery import moment, recover
from tests.chaos.referee import judge
from tests.guard import Guard

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(400)]
KILLS_AT_RANDOM = 5
# What a busy machine takes to answer is not the point here: no request should run into its limit.
UNHURRIED = {
    "http_connect_seconds": 10,
    "http_total_seconds": 20,
    "lease_seconds": 30,
    "attempt_timeout_seconds": 60,
    "shutdown_seconds": 25,
    "statement_timeout_seconds": 20,
}
# Sixty refreshes in about four seconds; a grace longer than any restart, as Auth0 gives on request.
# The lease stays short: what a killed worker had fetched and not begun waits for its end.
PLAN = Plan(
    connections=60,
    grace_seconds=300,
    settings={
        "sender": "httpx",
        "http_connect_seconds": 4,
        "http_total_seconds": 6,
        "queue_wait_seconds": 2,
        "shutdown_seconds": 10,
    },
)


@pytest.fixture
def ground(guard: Guard, tmp_path: Path) -> Iterator[Ground]:
    """A Postgres and a Redis of this test's own, free to be broken."""
    with Ground(guard, tmp_path) as ground:
        yield ground


def test_nothing_is_lost_whatever_is_killed_stopped_or_emptied(ground: Ground) -> None:
    """Killed -9 at random and at each step, a Postgres crash, a Redis flush, a deploy: 0 lost."""
    # Given refreshes under way in two workers, by a provider that forgives for minutes
    with Deployment(ground, PLAN) as deployment:
        # When workers are killed at random
        for n in range(KILLS_AT_RANDOM):
            recover(deployment, kills.kill(deployment, deployment.workers[n % 2]))
        # And whoever comes first to each step is killed there
        for point in (*kills.SCHEDULER_POINTS, *kills.WORKER_POINTS):
            recover(deployment, kills.kill_at_point(deployment, point))
        # And Postgres crashes, Redis is emptied, and a deploy stops the scheduler and a worker
        databases.restart(deployment, away_seconds=0.5)
        emptied = moment(deployment)
        ground.redis.flushall()
        recover(deployment, emptied)
        for member in (deployment.scheduler, deployment.workers[0]):
            since = moment(deployment)
            limit = deployment.services.settings.shutdown_seconds
            assert stops.stop(member) < limit + stops.EXIT_SLACK_SECONDS
            recover(deployment, since)
        deployment.settle_down()
        # Then the provider's ledger and the database agree, and the history holds
        verdict = judge(deployment)
    assert (verdict.lost, verdict.interrupted, verdict.parked_wrongly) == (0, 0, 0)
    assert verdict.double_spent == 0
    assert verdict.broken == ()
    assert verdict.unknown_outcomes >= 4  # begun, sent, replied, committing: each was left open


@pytest.mark.slow
def test_a_message_that_comes_twice_spends_no_refresh_token_twice(ground: Ground) -> None:
    """Every message twice and out of order, at a provider that ends the family of a spent token."""
    settings = {**UNHURRIED, "batch_size": 5}
    plan = Plan(connections=60, lifetime_seconds=5, grace_seconds=0, twice=True, settings=settings)
    with Deployment(ground, plan) as deployment:
        since = moment(deployment)
        while deployment.number(queues.REFRESHED) < 2 * plan.connections:
            recover(deployment, since)
            since = moment(deployment)
        deployment.settle_down()
        verdict = judge(deployment)
        second = ground.spawn.outputs().count('"stale"')
    assert second > 0
    assert (verdict.lost, verdict.interrupted, verdict.double_spent) == (0, 0, 0)
    assert (verdict.parked_wrongly, verdict.unknown_outcomes, verdict.broken) == (0, 0, ())

"""Whole deployments on RabbitMQ: real processes, real signals, and a referee who knows every token."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from refresher.rules.installation import namespace
from tests.chaos import kills
from tests.chaos.deployment import Deployment, Plan
from tests.chaos.ground import Ground
from tests.chaos.recovery import moment, recover
from tests.chaos.referee import Verdict, judge
from tests.guard import Guard
from tests.rabbitmq.server import RabbitServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
SETTINGS = {
    "integration_refresh__transport": "rabbitmq",
    "sender": "httpx",
    "http_connect_seconds": 4,
    "http_total_seconds": 6,
    "queue_wait_seconds": 2,
    "shutdown_seconds": 10,
}


@pytest.fixture
def ground(guard: Guard, tmp_path: Path) -> Iterator[Ground]:
    """A Postgres of this test's own, free to be broken."""
    with Ground(guard, tmp_path) as ground:
        yield ground


def plan(rabbit: RabbitServer, *, grace_seconds: float, life_seconds: float) -> Plan:
    """Sixty connections on RabbitMQ."""
    settings = {**SETTINGS, "rabbitmq_url": rabbit.url()}
    return Plan(
        connections=60,
        lifetime_seconds=life_seconds,
        grace_seconds=grace_seconds,
        settings=settings,
    )


def told(deployment: Deployment, rabbit: RabbitServer) -> str:
    """Returns what all processes printed, which has no password and no traceback."""
    printed = deployment.ground.spawn.outputs()
    for secret in (rabbit.password, rabbit.url().split("@")[0].rpartition(":")[2]):
        assert secret not in printed
    assert "Traceback" not in printed
    return printed


def assert_nothing_is_lost(verdict: Verdict) -> None:
    """The provider's ledger and the database agree, and the history holds."""
    assert (verdict.lost, verdict.interrupted, verdict.parked_wrongly) == (0, 0, 0)
    assert verdict.double_spent == 0
    assert verdict.broken == ()


def test_nothing_is_lost_whoever_is_killed(ground: Ground, rabbit: RabbitServer) -> None:
    """Workers killed -9 at random and at each step, the scheduler too: what they had is given on."""
    with Deployment(ground, plan(rabbit, grace_seconds=300, life_seconds=10)) as deployment:
        for n in range(4):
            recover(deployment, kills.kill(deployment, deployment.workers[n % 2]))
        for point in (*kills.SCHEDULER_POINTS, *kills.WORKER_POINTS):
            recover(deployment, kills.kill_at_point(deployment, point))
        deployment.settle_down()
        told(deployment, rabbit)
        verdict = judge(deployment)
    assert_nothing_is_lost(verdict)
    assert verdict.unknown_outcomes >= 4  # begun, sent, replied, committing: each was left open


def test_nothing_is_lost_or_spent_twice_whatever_befalls_rabbitmq(
    ground: Ground, rabbit: RabbitServer
) -> None:
    """Stopped, killed, emptied, its queue purged and deleted, away for a while: without any grace."""
    with Deployment(ground, plan(rabbit, grace_seconds=0, life_seconds=6)) as deployment:
        (row,) = deployment.rows("select id from installation")
        queue = f"{namespace(row.id)}:integration_refresh"
        recover(deployment, moment(deployment))
        for befall in (rabbit.stop, rabbit.kill, rabbit.forget_all):
            befall()
            time.sleep(2)
            rabbit.start()
            back = moment(deployment)
            assert recover(deployment, back) < deployment.services.settings.lease_seconds
        for command in ("purge_queue", "delete_queue"):
            rabbit.control(command, queue)
            recover(deployment, moment(deployment))
        assert [one.process.is_running() for one in deployment.members] == [True] * 3
        deployment.settle_down()
        printed = told(deployment, rabbit)
        verdict = judge(deployment)
    assert "rabbitmq cannot be used: nothing answers at its address" in printed
    noticed = ("the broker lost its data", "the broker holds nothing of ours yet")
    assert sum(map(printed.count, noticed)) >= 1 + 3, "at the first start, and at each loss"
    assert_nothing_is_lost(verdict)
    assert verdict.unknown_outcomes == 0

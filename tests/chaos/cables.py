"""Pulled cables: machines that lose their network for half a minute, and one at the end of a bad line.

The scheduler, two workers and the web process have a machine each (`wire.py`), and their settings are
those of production, but for how often a token is refreshed. The second worker is always at the end of
a line of 200 ms there and back that loses a packet in a hundred, each way.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from tests.chaos.deployment import Deployment, Plan
from tests.chaos.machines import SLOW, Machine, Machines
from tests.chaos.recovery import moment, recover
from tests.chaos.row import Bench, Row
from tests.waiting import wait_until

CUT_SECONDS, LEAST_CUT_SECONDS = 30.0, 8.0
BEFORE_SECONDS = 12.0
BACK_WITHIN_SECONDS = 20.0
"""From the cable's return until everybody has Postgres and Redis again, and rows are claimed."""
STATUS_TOKEN = "status-token-of-the-chaos-suite"
PLAN = Plan(
    connections=300,
    lifetime_seconds=50.0,
    first_expiry=(0.5, 1.0),
    latency_seconds=0.3,
    settings={
        "status_token": STATUS_TOKEN,
        "attempt_interval_seconds": 5,
        "http_connect_seconds": 5,
        "http_total_seconds": 20,
        "commit_seconds": 10,
        "queue_wait_seconds": 20,
        "lease_seconds": 60,
        "attempt_timeout_seconds": 600,
        "shutdown_seconds": 32,
        "statement_timeout_seconds": 10,
    },
)


@dataclass
class _Seen:
    """What was seen of the cuts so far."""

    recoveries: list[float] = field(default_factory=list)
    back_after: list[float] = field(default_factory=list)
    sent_after: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    slowest_answer: float = 0.0
    broken: list[str] = field(default_factory=list)

    @property
    def note(self) -> str:
        """What the table says of it."""
        told = [f"{len(self.late)} tokens expired, for {max(self.late, default=0):.0f} s at most"]
        if self.back_after:
            told.append(f"at work again {max(self.back_after):.1f} s after the cable")
        if self.sent_after:
            told.append(f"last request {max(self.sent_after):.1f} s after the cut")
        elif self.back_after:
            told.append("no request after the cut")
        if self.slowest_answer:
            told.append(f"/health/status within {self.slowest_answer:.1f} s")
        return ", ".join(told)


def pull(bench: Bench, *, places: Sequence[str], links: Sequence[str], grace_seconds: float) -> Row:
    """Pulls the cables of these machines for half a minute, and plugs them in again."""
    seen = _Seen()
    plan = replace(PLAN, grace_seconds=grace_seconds)
    with (
        Machines(bench.ground.guard) as machines,
        Deployment(bench.ground, plan, machines) as deployment,
    ):
        for _ in range(bench.times):
            time.sleep(bench.seconds(BEFORE_SECONDS, 4))
            seconds = bench.seconds(CUT_SECONDS, LEAST_CUT_SECONDS)
            _once(deployment, seen, [machines[place] for place in places], links, seconds)
            bench.advance()
        return bench.conclude(deployment, seen.recoveries, note=seen.note, broken=seen.broken)


def bad_line(bench: Bench) -> Row:
    """Leaves the machine at the end of the bad line, and nobody else, to refresh."""
    plan = replace(PLAN, grace_seconds=0.0)
    with (
        Machines(bench.ground.guard) as machines,
        Deployment(bench.ground, plan, machines) as deployment,
    ):
        since = moment(deployment)
        deployment.workers[0].process.terminate()
        deployment.workers.pop(0).process.wait(60)
        time.sleep(bench.seconds(60, 15))
        recover(deployment, since)
        seen = _Seen(late=_late(deployment, since.at))
        _demand(seen, not seen.late, seen.note)
        dropped = machines[SLOW].dropped()
        _demand(seen, dropped > 0, "no packet was lost")
        bench.advance()
        note = f"{dropped} packets lost, {seen.note}"
        return bench.conclude(deployment, note=note, broken=seen.broken)


def _once(
    deployment: Deployment,
    seen: _Seen,
    machines: Sequence[Machine],
    links: Sequence[str],
    seconds: float,
) -> None:
    for machine in machines:
        machine.pull(links)
    pulled_at, since = time.monotonic(), moment(deployment)
    while time.monotonic() < pulled_at + seconds:
        for machine in machines:
            _ask(deployment, seen, machine)
        time.sleep(0.5)
    for machine in machines:
        last = machine.mend().last_sent_at
        if last is not None:
            seen.sent_after.append(last - pulled_at)
    back_at, back = time.monotonic(), moment(deployment)
    claims = deployment.number(_CLAIMS)
    for machine in machines:
        wait_until(partial(_is_whole, deployment, machine), 120, partial(_say, deployment, machine))
    wait_until(lambda: deployment.number(_CLAIMS) > claims)
    seen.back_after.append(time.monotonic() - back_at)
    _demand(seen, seen.back_after[-1] < BACK_WITHIN_SECONDS, seen.note)
    away = (back.at - since.at).total_seconds()
    seen.recoveries.append(max(0.0, recover(deployment, since, limit_seconds=700) - away))
    # What was cut off under way has an outcome that is unknown, and is presented again.
    wait_until(lambda: not deployment.number(_NOT_YET, ids=since.ids, back=back.at), 120)
    seen.late += _late(deployment, since.at)


_NOT_YET = """
    select count(*) from unnest(cast(:ids as uuid[])) u(held) where not exists (
        select from refresh_event e where e.connection_id = u.held and e.kind = 'refreshed'
        and e.occurred_at > :back)
"""
_CLAIMS = "select sum(lease_token) from refresh_schedule"
_LATE = """
    select expired_seconds from refresh_event
    where kind = 'refreshed' and expired_seconds > 0 and occurred_at > :since
"""


def _late(deployment: Deployment, since: object) -> list[float]:
    return [float(row[0]) for row in deployment.rows(_LATE, since=since)]


def _ask(deployment: Deployment, seen: _Seen, machine: Machine) -> None:
    """Asks a process that is cut off how it is: it must answer, and want no restart."""
    began = time.monotonic()
    status = machine.ask(deployment.port, "/health/status", STATUS_TOKEN)
    seen.slowest_answer = max(seen.slowest_answer, time.monotonic() - began)
    _demand(seen, status is not None, "/health/status did not answer")
    health = machine.ask(deployment.port, "/health", STATUS_TOKEN) or {}
    _demand(seen, bool(health.get("ok")), f"/health: {health}")


def _is_whole(deployment: Deployment, machine: Machine) -> bool:
    """Whether a machine's process is registered, and has Postgres and Redis.

    Nothing more is asked at the end of the bad line: the page waits for a second, which is too short.
    """
    told = machine.ask(deployment.port, "/health/status", STATUS_TOKEN) or {}
    has_all = machine.is_slow or (told and told["database"]["ok"] and told["queue"].get("ok"))
    return bool(told.get("registered") and has_all)


def _say(deployment: Deployment, machine: Machine) -> str:
    return str(machine.ask(deployment.port, "/health/status", STATUS_TOKEN))


def _demand(seen: _Seen, kept: bool, sentence: str) -> None:
    if not kept and sentence not in seen.broken:
        seen.broken.append(sentence)

"""kill -9 of the web process between the steps of a consent: at each named point, again and again.

Half of the people connect anew, half reconnect. The scheduler's job is done by us, every ten seconds of
a simulated clock, so the minutes of its guards take none; recovery is told in those seconds.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from refresher.connections import connect, connect_sweep
from refresher.connections.connect_orders import Order
from refresher.devkit.browser import Browser, Unreachable
from refresher.devkit.oauth_server import FakeProvider, Options
from refresher.rules.connect import Outcome, Problem, State
from refresher.runtime.checkpoints import Point
from refresher.testing.sandbox import ORGANIZATION, PROVIDER, TESTER, Sandbox
from refresher.testing.triggers import Triggers
from tests.chaos.row import Bench, Row
from tests.connect.web_process import environment
from tests.ports import free_port
from tests.processes import Process

POINTS: tuple[Point, ...] = ("code_sending", "code_answered", "code_held", "promoting")
HELD: frozenset[Point] = frozenset({"code_held", "promoting"})
"""Where the answer is stored: any process goes on from there."""
LOOK_SECONDS = int(connect_sweep.LOOK_SECONDS)
LIMIT_SECONDS = 70
CONNECTED = (State.ENDED, Outcome.CONNECTED, None)
AGAIN = (State.OPEN, None, Problem.OUTCOME_UNKNOWN)


@dataclass
class _Stage:
    """A provider, our services with a clock of their own, and a web process that is killed."""

    bench: Bench
    sandbox: Sandbox
    provider: FakeProvider
    triggers: Triggers
    broken: list[str] = field(default_factory=list)
    recoveries: list[float] = field(default_factory=list)

    def web(self) -> Process:
        """Starts the web process, and returns it when it listens."""
        env = environment(self.sandbox, self.bench.ground.folder)
        process = self.bench.ground.spawn("-m", "tests.connect.web_process", env=env)
        process.wait_for("web started")
        return process

    def demand(self, kept: bool, sentence: str) -> None:
        """Notes a promise that was not kept."""
        if not kept:
            self.broken.append(sentence)

    def number(self, query: str, **values: object) -> int:
        """Returns what a query counts."""
        with self.sandbox.services.database.transaction() as db:
            return int(db.execute(text(query), values).scalar_one())


def kill_web(bench: Bench) -> Row:
    """Kills whoever carries a code, at each point in turn, and has the sweep go on."""
    with _stage(bench) as stage:
        for n in range(bench.times):
            _once(stage, POINTS[n % len(POINTS)], f"person-{n}", anew=n // len(POINTS) % 2 == 0)
            bench.advance()
        refreshed = _refreshed(stage)
        told = stage.provider.admin.summary()
        sent = sum(POINTS[n % len(POINTS)] != "code_sending" for n in range(bench.times))
        codes = f"{told.code_requests} codes sent, {told.codes_sent_twice} twice"
        stage.demand((told.code_requests, told.codes_sent_twice) == (sent, 0), codes)
        went_on = sum(POINTS[n % len(POINTS)] in HELD for n in range(bench.times))
        note = f"{codes}; {went_on} of {went_on} held answers connected without the browser"
        return Row(
            bench.title,
            bench.times,
            refreshed,
            recoveries=tuple(stage.recoveries),
            note="" if stage.broken else note,
            broken=tuple(stage.broken),
        )


@contextmanager
def _stage(bench: Bench) -> Iterator[_Stage]:
    url = f"http://127.0.0.1:{free_port()}"
    ground = bench.ground
    with FakeProvider(Options(client_secret="fake-secret")) as provider:
        sandbox = Sandbox.build(ground.database(), provider, ground.folder, public_url=url)
        try:
            yield _Stage(bench, sandbox, provider, Triggers(ground.folder / "triggers"))
        finally:
            sandbox.close()


def _once(stage: _Stage, point: Point, name: str, *, anew: bool) -> None:
    sandbox = stage.sandbox
    sandbox.clock.set(datetime.now(UTC))
    id_ = None if anew else sandbox.connect(name)
    before = sandbox.tokens(id_) if id_ else None
    order = Order(ORGANIZATION, PROVIDER, name) if anew else Order(connection_id=id_)
    web, made = stage.web(), connect.make(sandbox.services, order, TESTER)
    stage.triggers.arm(point)
    with Browser() as person, suppress(Unreachable):
        person.open(f"{stage.provider.url}/login?account={name}")
        person.open(made.url)
        person.submit()
    died = web.wait() == -signal.SIGKILL and stage.triggers.taken(point) is not None
    stage.demand(died, f"not killed at {point}")
    stage.triggers.let_go(point)
    held = point in HELD
    guarded = stage.number(_GUARDED, name=name)
    stage.demand(guarded == int(bool(id_) and not held), f"{point}: {guarded} guards")
    _settle(stage, made.session.id, name)
    session = connect.find(sandbox.services, made.session.id, TESTER)
    came_to = (session.state, session.outcome, session.trouble and session.trouble.code)
    stage.demand(came_to == (CONNECTED if held else AGAIN), f"{point}: {came_to}")
    rows = stage.number(_ROWS, name=name)
    stage.demand(rows == int(held or not anew), f"{point}: {rows} rows of {name}")
    same = id_ is None or sandbox.tokens(id_) == before
    stage.demand(id_ is None or same != held, f"{point}: the stored pair is not what it should be")


def _settle(stage: _Stage, session_id: UUID, name: str) -> None:
    """Looks every ten simulated seconds until nothing is under way, and notes how long that took."""
    clock, services = stage.sandbox.clock, stage.sandbox.services
    died_at = clock.now if clock.now > (now := datetime.now(UTC)) else now
    for seconds in range(LOOK_SECONDS, LIMIT_SECONDS + 1, LOOK_SECONDS):
        clock.set(died_at + timedelta(seconds=seconds))
        connect_sweep.look(services)
        state = connect.find(services, session_id, TESTER).state
        if state not in {State.EXCHANGING, State.HELD} and not stage.number(_GUARDED, name=name):
            stage.recoveries.append(seconds)
            return
    stage.demand(False, f"not settled within {LIMIT_SECONDS} s: {state}")


def _refreshed(stage: _Stage) -> int:
    """Has every connection be refreshed with what is stored of it; returns how many were."""
    clock = stage.sandbox.clock
    clock.set(clock.now + timedelta(hours=2))
    stage.sandbox.tick()
    refreshed, stored = stage.number(_REFRESHED), stage.number(_CONNECTIONS)
    stage.demand(refreshed == stored, f"{refreshed} of {stored} connections could be refreshed")
    return refreshed


_CONNECTIONS = "select count(*) from connection"
_ROWS = f"{_CONNECTIONS} where external_id = :name and refresh_token is not null"
_GUARDED = f"{_CONNECTIONS} where external_id = :name and in_between_steps"
_REFRESHED = "select count(distinct connection_id) from refresh_event where kind = 'refreshed'"

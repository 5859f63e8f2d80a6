"""kill -9 of a real web process while a person's code is under way (T16)."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from refresher.connections import connect, connect_sweep
from refresher.connections.connect_orders import Order
from refresher.devkit.browser import Browser, Unreachable
from refresher.devkit.oauth_server import FakeProvider
from refresher.rules.access import Actor
from refresher.rules.connect import Outcome, Problem, State
from refresher.runtime.checkpoints import Point
from refresher.testing.sandbox import Sandbox
from refresher.testing.triggers import Triggers
from tests.connect.web_process import environment
from tests.ports import free_port
from tests.processes import Spawner

BY = Actor("cli:ann")
POINTS: list[tuple[Point, int]] = [
    ("code_sending", 0),
    ("code_answered", 1),
    ("code_held", 1),
    ("promoting", 1),
]


@pytest.fixture
def sandbox(
    refresher_database_url: str, refresher_provider: FakeProvider, tmp_path: Path
) -> Iterator[Sandbox]:
    """Services beside the web process, with the same settings and the real time."""
    url = f"http://127.0.0.1:{free_port()}"
    made = Sandbox.build(refresher_database_url, refresher_provider, tmp_path, public_url=url)
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.parametrize(("point", "sent"), POINTS)
def test_a_web_process_that_is_killed_leaves_nothing_half_done(
    sandbox: Sandbox, spawn: Spawner, tmp_path: Path, point: Point, sent: int
) -> None:
    """No code is sent twice; what is held is connected without the browser, the rest begins again."""
    assert sandbox.provider is not None
    id_ = sandbox.connect("ann")
    before = sandbox.tokens(id_)
    triggers = Triggers(tmp_path / "triggers")
    web = spawn("-m", "tests.connect.web_process", env=environment(sandbox, tmp_path))
    web.wait_for("web started")
    made = connect.make(sandbox.services, Order(connection_id=id_), BY)
    # When it is killed just then
    triggers.arm(point)
    with Browser() as person, suppress(Unreachable):
        person.open(made.url)
        person.submit()
    assert web.wait() == -signal.SIGKILL, web.output
    assert triggers.taken(point)
    # Then what was held goes on, and what was not ends by its own time
    sandbox.clock.set(datetime.now(UTC) + timedelta(seconds=70))
    connect_sweep.look(sandbox.services)
    session = connect.find(sandbox.services, made.session.id, BY)
    held = point in {"code_held", "promoting"}
    assert session.outcome == (Outcome.CONNECTED if held else None)
    assert session.state == (State.ENDED if held else State.OPEN)
    assert held or (session.trouble and session.trouble.code == Problem.OUTCOME_UNKNOWN)
    assert (sandbox.tokens(id_) != before) == held
    assert sandbox.provider.admin.summary().code_requests == sent
    with sandbox.services.database.transaction() as db:
        row = db.exec_driver_sql("select in_between_steps from connection").scalar_one()
    assert row is False

"""A hundred rotated replies in hand, and Postgres that takes none of them: read-only, full, frozen.

The provider rotates without grace and holds its answers until the fault has begun; so each reply is the
only place where its token pair exists. Every second time the workers are killed meanwhile: then it is
the spool alone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import psycopg
from psycopg import sql

from refresher.devkit.oauth_server.faults import FaultKind
from tests.chaos.deployment import Deployment, Plan
from tests.chaos.ground import Ground
from tests.chaos.recovery import Moment, moment, recover
from tests.chaos.row import Bench, Row
from tests.services import plain
from tests.waiting import wait_until

IN_HAND = 100
HELD_SECONDS = 2.0
"""How long the provider holds an answer after it has rotated."""
REFUSED_SECONDS, LEAST_REFUSED_SECONDS = 8.0, 6.0
LINES_A_SECOND = 5.0
PLATFORM_SECONDS = 40.0
"""How long a platform waits after SIGTERM, where our documents say so."""
TMPFS = ("mount", "-t", "tmpfs", "-o", "size=64m,mode=755", "tmpfs")
PLAN = Plan(
    connections=IN_HAND,
    grace_seconds=0,
    lifetime_seconds=3600,
    latency_seconds=0,
    first_expiry=(1.0, 1.0),
    settings={"http_total_seconds": 10, "lease_seconds": 25, "attempt_timeout_seconds": 60,
              "shutdown_seconds": 15, "log_level": "warning"},
)  # fmt: skip
DUE = "update refresh_schedule set due_at = refresher_now() where state = 0 returning connection_id"
Fault = Callable[[Deployment], AbstractContextManager[None]]


def refuse(bench: Bench, fault: Fault, *, kills: bool = True) -> Row:
    """Has Postgres refuse all replies in hand, again and again; returns what came of them."""
    rates: list[float] = []
    recoveries: list[float] = []
    broken: list[str] = []
    with Deployment(bench.ground, PLAN) as deployment:
        for n in range(bench.times):
            in_flight = hold_all(deployment)
            before, began = lines(deployment), time.monotonic()
            with fault(deployment):
                broken += unhealthy(
                    deployment, bench.seconds(REFUSED_SECONDS, LEAST_REFUSED_SECONDS)
                )
                if kills and n % 2:
                    kill_workers(deployment)
            ended = moment(deployment)
            rates.append((lines(deployment) - before) / (time.monotonic() - began))
            seconds = recover(deployment, in_flight)
            recoveries.append(max(0.0, seconds - (ended.at - in_flight.at).total_seconds()))
            await_all_stored(deployment, in_flight)
            bench.advance()
        if max(rates) > LINES_A_SECOND:
            broken.append(f"{max(rates):.1f} log lines a second")
        note = (
            f"{IN_HAND} of {IN_HAND} stored each time; {max(rates):.1f} log lines a second at most"
        )
        return bench.conclude(deployment, recoveries, note=note, broken=broken)


def end_while_frozen(bench: Bench, end: Callable[[Deployment], None]) -> Row:
    """Freezes Postgres with all replies in hand, ends every process by `end`, and starts others."""
    with Deployment(bench.ground, PLAN) as deployment:
        in_flight = hold_all(deployment)
        with frozen(deployment):
            end(deployment)
            spooled = len(deployment.services.spool.entries())
        for member in deployment.members:
            member.restart()
        deployment.wait_until_whole()
        await_all_stored(deployment, in_flight)
        broken = [] if spooled == IN_HAND else [f"{spooled} of {IN_HAND} were spooled"]
        return bench.conclude(deployment, broken=broken)


def ask_all_to_stop(deployment: Deployment) -> None:
    """Sends every process a SIGTERM at once, while the answers are on their way; they end in time."""
    for member in deployment.members:
        member.process.terminate()
    for member in deployment.members:
        member.process.wait(PLATFORM_SECONDS)


def kill_when_spooled(deployment: Deployment) -> None:
    """Kills every process with -9 some seconds after the last answer has come."""
    spool = deployment.services.spool
    wait_until(lambda: len(spool.entries()) == IN_HAND, 60, lambda: str(len(spool.entries())))
    for member in deployment.members:
        member.process.kill()


def hold_all(deployment: Deployment, kind: FaultKind = "slow") -> Moment:
    """Makes all rows due; returns when the provider has rotated each and holds the answers."""
    before = rotations(deployment)
    deployment.provider.add_fault(kind, seconds=HELD_SECONDS, count=IN_HAND)
    deployment.rows(DUE)
    wait_until(lambda: rotations(deployment) == before + IN_HAND, 60)
    return moment(deployment)


def rotations(deployment: Deployment) -> int:
    """Returns how often the provider has rotated a grant."""
    return sum(grant.generation for grant in deployment.provider.grants())


def await_all_stored(deployment: Deployment, since: Moment) -> None:
    """Returns when each connection has been refreshed since, and nothing is left in the spool."""
    wait_until(lambda: all_stored(deployment, since), 60, lambda: story(deployment))


def all_stored(deployment: Deployment, since: Moment) -> bool:
    """Whether that is so now."""
    refreshed = deployment.number(
        "select count(distinct connection_id) from refresh_event where kind = 'refreshed' "
        "and occurred_at > :since",
        since=since.at,
    )
    return refreshed == IN_HAND and not deployment.services.spool.entries()


def story(deployment: Deployment) -> str:
    """Returns what is left, for whoever must find out why."""
    rows = deployment.rows(
        "select s.state, s.parked_reason, c.status_cause, count(*) from refresh_schedule s "
        "join connection c on c.id = s.connection_id group by 1, 2, 3"
    )
    left = len(deployment.services.spool.entries())
    return f"{[tuple(row) for row in rows]}, {left} in the spool"


def lines(deployment: Deployment) -> int:
    """Returns how many lines scheduler and workers have logged."""
    return sum(m.process.output.count("\n") for m in deployment.members)


def unhealthy(deployment: Deployment, seconds: float) -> Sequence[str]:
    """Asks for the scheduler's health once a second; returns what was wrong with the answers."""
    until, wrong = time.monotonic() + seconds, []
    while time.monotonic() < until:
        answer = httpx.get(f"http://127.0.0.1:{deployment.port}/health", timeout=5)
        if answer.status_code != 200:
            wrong.append(f"/health answered {answer.status_code}: {answer.text}")
        time.sleep(1)
    return wrong


def kill_workers(deployment: Deployment) -> None:
    """Kills every worker that holds replies with -9, and starts others."""
    for worker in deployment.workers:
        worker.restart()


def administrator(deployment: Deployment) -> psycopg.Connection[tuple[object, ...]]:
    """Returns a session of somebody who may change the server."""
    return psycopg.connect(plain(deployment.services.settings.database), autocommit=True)


@contextmanager
def read_only(deployment: Deployment) -> Iterator[None]:
    """Makes the whole server read-only, as a managed Postgres does when its disk is nearly full."""
    with administrator(deployment) as admin:
        admin.execute("alter system set default_transaction_read_only = on")
        admin.execute("select pg_reload_conf()")
        try:
            yield
        finally:
            admin.execute("alter system reset default_transaction_read_only")
            admin.execute("select pg_reload_conf()")


@contextmanager
def frozen(deployment: Deployment) -> Iterator[None]:
    """Stops every process of Postgres where it is (SIGSTOP), as a hung disk or a paused host does."""
    pids = deployment.ground.postgres.pids()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@contextmanager
def revoked(deployment: Deployment) -> Iterator[None]:
    """Refuses every update of the tokens' table, as a permission that is gone does.

    The tests' role is a superuser, which has every permission: a trigger speaks in Postgres' words.
    """
    yield from _by_trigger(deployment, "42501")


def _by_trigger(deployment: Deployment, sqlstate: str) -> Iterator[None]:
    with administrator(deployment) as admin:
        body = sql.Literal(f"begin raise exception 'no' using errcode = '{sqlstate}'; end")
        admin.execute(
            sql.SQL("create function refuse() returns trigger language plpgsql as {}").format(body)
        )
        admin.execute(
            "create trigger refuse before update on connection for each row execute function refuse()"
        )
        try:
            yield
        finally:
            admin.execute("drop function refuse cascade")


@contextmanager
def constrained(deployment: Deployment) -> Iterator[None]:
    """Adds a constraint that no new pair can meet."""
    with administrator(deployment) as admin:
        admin.execute(
            "alter table connection add constraint refuse check (issued_at < now()) not valid"
        )
        try:
            yield
        finally:
            admin.execute("alter table connection drop constraint refuse")


@contextmanager
def full(deployment: Deployment) -> Iterator[None]:
    """Fills the disk that the database's tables are on."""
    heap = small_disk(deployment.ground) / "filled"
    try:
        with heap.open("wb") as file:
            _fill(file.fileno())
        yield
    finally:
        heap.unlink()


def _fill(descriptor: int) -> None:
    for size in (65_536, 512):
        try:
            while True:
                os.write(descriptor, b"x" * size)
        except OSError as error:
            if error.errno != 28:
                raise


def small_disk(ground: Ground) -> Path:
    """Returns the small disk under the database's tables."""
    return ground.postgres.folder / "disk"


def can_mount() -> bool:
    """Whether a small disk can be made here."""
    folder = Path(tempfile.mkdtemp())
    try:
        made = subprocess.run([*TMPFS, folder], check=False, capture_output=True).returncode == 0
        if made:
            subprocess.run(["umount", folder], check=True)
    except FileNotFoundError:
        return False
    finally:
        folder.rmdir()
    return made


def disk_full(bench: Bench) -> Row:
    """Fills the disk under all tables while the replies are in hand; it needs root, for a tmpfs."""
    ground, disk = bench.ground, small_disk(bench.ground)
    disk.mkdir()
    subprocess.run([*TMPFS, disk], check=True)
    try:
        place = disk / "tablespace"
        place.mkdir()
        ground.postgres.make_tablespace("small", place)
        ground.tablespace = "small"
        return refuse(bench, full)
    finally:
        ground.spawn.close()
        ground.postgres.immediate_stop()
        subprocess.run(["umount", "-l", disk], check=True)

"""The story of a benchmark: set up, start the processes, make all due at once, watch, count.

The measured time begins at the instant at which all rows become due, when every process is up and has
refreshed some rows already, and ends with the last commit.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic, sleep

from bench.refreshes import statements as sql
from bench.refreshes import usage
from bench.refreshes.plan import BenchFailed, Plan
from bench.refreshes.report import Report, cost_of, due_told, machine
from bench.refreshes.stage import Say, Stage, set_up, start_processes
from refresher.store import statistics
from refresher.store.session import Db

LOOK_SECONDS = 0.02
STALLED_SECONDS = 30.0
"""Nothing was written for so long, twenty latencies included: it will not end well."""
NOTICE_SECONDS = 3.0
PATIENCE = 2.0
BRACKETS = {b"BEGIN", b"COMMIT", b"ROLLBACK"}
WARM_UP_ROWS = 200
"""For each thread, before the time counts: pools are filled and modules loaded then."""
_EXECUTED = re.compile(rb"LOG:  (?:execute [^:]*|statement): *(\w*)")


@dataclass(frozen=True, slots=True)
class Measured:
    """The raw figures of a run: its instants, and what each kind of process used between them."""

    due_at: datetime
    ended_at: datetime
    finished: bool
    logged_before: int
    cpu_seconds: dict[str, float]
    peak_megabytes: dict[str, float]


def perform(plan: Plan, say: Say, prepare: Callable[[Stage], None] | None = None) -> Report:
    """Runs the benchmark and returns what came of it; raises `RefresherError` when it cannot.

    `prepare` may change the stage before the processes start.
    """
    before = machine()
    with set_up(plan, say) as stage:
        if prepare is not None:
            prepare(stage)
        kinds = {**start_processes(stage, say), **stage.kinds}
        with stage.services.database.session() as db:
            measured = _measure(stage, db, kinds, say)
        stage.crew.stop()
        return _report(stage, measured, before)


def _measure(stage: Stage, db: Db, kinds: dict[str, int], say: Say) -> Measured:
    log = stage.statement_log
    if log is not None:
        sql.leave_uncounted(db)
    _warm_up(stage, db)
    after = sql.newest_event(db)
    began = monotonic()
    sql.schedule_for_tomorrow(db)
    # The same again takes as long; a preparation that were late would count as lateness of refreshes.
    in_seconds = NOTICE_SECONDS + PATIENCE * (monotonic() - began)
    plan = stage.plan
    due_at = sql.make_due(
        db, in_seconds, count=plan.wanted, per_second=plan.due_per_second, order=plan.order
    )
    if sql.is_past(db, due_at):
        raise BenchFailed(
            "the machine was too slow to have all rows due at the instant chosen: again"
        )
    if log is not None:
        sql.checkpoint(db)
    say(f"{due_told(plan)}; from then on the time counts")
    until(stage, db, due_at)
    logged_before = log.stat().st_size if log else 0
    used = usage.cpu_seconds(kinds)
    ended_at, finished = watch(stage, db, after, plan.wanted)
    used_at_end = usage.cpu_seconds(kinds)
    return Measured(
        due_at=due_at,
        ended_at=ended_at,
        finished=finished,
        logged_before=logged_before,
        cpu_seconds={kind: used_at_end[kind] - used[kind] for kind in kinds},
        peak_megabytes=usage.peak_megabytes(kinds),
    )


def until(stage: Stage, db: Db, instant: datetime) -> None:
    """Waits for an instant of the database's clock."""
    while not sql.is_past(db, instant):
        stage.crew.demand()
        sleep(LOOK_SECONDS)


def _warm_up(stage: Stage, db: Db) -> None:
    after, plan = sql.newest_event(db), stage.plan
    some = sql.make_some_due(db, plan.processes * plan.threads * WARM_UP_ROWS)
    _, finished = watch(stage, db, after, some)
    if not finished:
        raise BenchFailed(f"the warm-up did not end: {_complaint(stage)}")


def watch(stage: Stage, db: Db, after: int, connections: int) -> tuple[datetime, bool]:
    """Returns when the last outcome was there, and whether that was the end."""
    patience = STALLED_SECONDS + 20 * stage.plan.latency_seconds
    moved_at, written = monotonic(), -1
    while True:
        seen = sql.progress(db, after=after, connections=connections)
        if seen.is_over:
            return seen.at, True
        if seen.written != written:
            moved_at, written = monotonic(), seen.written
        if monotonic() - moved_at > patience:
            return seen.at, False
        stage.crew.demand()
        sleep(LOOK_SECONDS)


def _report(stage: Stage, measured: Measured, before: dict[str, object]) -> Report:
    with stage.services.database.transaction() as db:
        done = statistics.refreshes_since(db, measured.due_at)
        longest = sql.longest_lateness_seconds(db, measured.due_at)
        settings = sql.server_settings(db)
    if not done.refreshed:
        raise BenchFailed(f"nothing was refreshed: {_complaint(stage)}")
    seconds = max(0.001, (measured.ended_at - measured.due_at).total_seconds())
    statements, transactions = _statements(stage.statement_log, measured.logged_before)
    return Report(
        plan=stage.plan,
        refreshed=done.refreshed,
        finished=measured.finished,
        seconds=seconds,
        lateness_seconds={
            "p50": done.lateness_p50_seconds,
            "p99": done.lateness_p99_seconds,
            "max": longest,
        },
        cpu_microseconds=cost_of(measured.cpu_seconds, done.refreshed),
        peak_megabytes=measured.peak_megabytes,
        statements=None if statements is None else statements / done.refreshed,
        transactions=None if transactions is None else transactions / done.refreshed,
        errors={kind: count for kind, count in done.kinds.items() if kind != "refreshed"},
        database_settings=settings,
        machine=before,
    )


def _statements(log: Path | None, start: int) -> tuple[int | None, int | None]:
    """Returns how many statements and commits the server logged: none of a server that is not ours."""
    if log is None:
        return None, None
    statements = transactions = 0
    with log.open("rb") as lines:
        lines.seek(start)
        for line in lines:
            found = _EXECUTED.search(line)
            if found is None:
                continue  # another line of a statement told already
            transactions += found[1] == b"COMMIT"
            statements += found[1] not in BRACKETS
    return statements, transactions


def _complaint(stage: Stage) -> str:
    found = [process.last_words() for process in stage.crew.running.values()]
    return found[0] if found else "no process had a word"

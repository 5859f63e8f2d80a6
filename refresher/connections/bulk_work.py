"""Works bulk jobs off: the scheduler's job each second, and whoever waits at the command line.

A batch is one transaction: its connections locked, judged anew, changed, written down, and the job
moved on. So who is killed has done nothing of it, and the next one begins where the last one ended. The
job's own row is locked meanwhile: two schedulers never work on one job at the same time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never
from uuid import UUID

import structlog

from refresher.catalogue import Catalogue
from refresher.connections.bulk import rates
from refresher.rules import bulk as rules
from refresher.rules.access import Scope
from refresher.rules.bulk import AUDITED, BATCH, MAKE_DUE, Deed, LeftOut
from refresher.rules.bulk_plan import MOST
from refresher.rules.bulk_words import JobState
from refresher.runtime.services import Services
from refresher.store import api_keys, audit, bulk, bulk_rows, schedule, state_changes
from refresher.store.audit import AuditEntry
from refresher.store.bulk import Dealt, Job
from refresher.store.bulk_rows import Look, Row
from refresher.store.events import Event, append
from refresher.store.pool import DatabaseError
from refresher.store.session import Database, Db, retrying

log = structlog.get_logger()
LOOK_SECONDS = 1.0
GATHERED_AT_ONCE = 1_000
BEHIND_SECONDS, SLOWED_SECONDS = 10.0, 10.0
"""While what is due by itself is so late, a batch that makes rows due goes only so often."""


def look(services: Services) -> None:
    """Works off what is due of all jobs, and returns when nothing is."""
    while not services.stopping.is_set():
        if not work(services.database, services.catalogue):
            return


def forget_old(services: Services) -> None:
    """Deletes jobs that ended thirty days ago."""
    with services.database.transaction() as db:
        bulk.forget_old(db)


def work(database: Database, catalogue: Catalogue, job_id: int | None = None) -> bool:
    """Works off one batch of this job, or of any; False where none is due, or somebody is at it."""
    try:
        return retrying(lambda: _batch(database, catalogue, job_id, BATCH))
    except DatabaseError:
        log.exception("a batch failed: its connections go one by one")
    try:
        return retrying(lambda: _batch(database, catalogue, job_id, 1))
    except DatabaseError:
        return _fail_first(database, job_id)


def _batch(database: Database, catalogue: Catalogue, job_id: int | None, size: int) -> bool:
    with database.transaction() as db:
        job = bulk.due(db, job_id=job_id)
        if job is None:
            return False
        if why := _lacks_right(db, job):
            bulk.end(db, job.id, JobState.STOPPED, why)
            log.warning("a bulk job stopped", job=job.id, why=why)
        elif job.state is JobState.GATHERING:
            _gather(db, job)
        elif ids := bulk.next_rows(db, job, size):
            bulk.advance(db, job, _deal(db, catalogue, job, ids))
            _end_if_done(db, job)
        else:
            bulk.end(db, job.id, JobState.DONE)
        return True


def _end_if_done(db: Db, job: Job) -> None:
    if not bulk.next_rows(db, job, 1):
        bulk.end(db, job.id, JobState.DONE)


def _fail_first(database: Database, job_id: int | None) -> bool:
    """Passes over the connection that Postgres refuses to change."""
    with database.transaction() as db:
        job = bulk.due(db, job_id=job_id)
        rows = bulk.next_rows(db, job, 1) if job else []
        if job is None or not rows:
            return False
        bulk.advance(db, job, Dealt(rows, failed=1))
        log.error("a bulk job passes over a connection", job=job.id, connection_id=str(rows[0]))
        return True


def _lacks_right(db: Db, job: Job) -> str | None:
    if job.key_id is None:
        return None
    key, now = api_keys.find(db, job.key_id)
    return rules.lacks_right(key, job.organization_id, Scope.WRITE, now)


def _look(job: Job) -> Look:
    return Look(job.deed, job.selection.organization_id, job.as_of, job.selection.health)


def _gather(db: Db, job: Job) -> None:
    """Writes down which connections are meant, page by page."""
    delays, most = job.deed is Deed.DELETE, max(job.most, MOST)
    if job.selection.ids:
        bulk.gather(db, job, job.selection.ids, gathered_to=None, delays=delays)
        return
    limit = min(GATHERED_AT_ONCE, most - job.total)
    ids, after = bulk_rows.matching(db, job.selection, after=job.gathered_to, limit=limit)
    goes_on = job.total + len(ids) < most
    bulk.gather(db, job, ids, gathered_to=after if goes_on else None, delays=delays)


def _deal(db: Db, catalogue: Catalogue, job: Job, ids: Sequence[UUID]) -> Dealt:
    """Does the deed to those that it still fits."""
    bulk_rows.lock(db, ids)
    rows = bulk_rows.rows(db, ids, _look(job))
    headlines = {row.id: rules.left_out(job.deed, row.standing) for row in rows}
    fits = [row for row in rows if headlines[row.id] is None]
    todo = fits[: job.most - job.done]
    headlines |= dict.fromkeys((row.id for row in fits[len(todo) :]), LeftOut.BEYOND)
    due_in, spread = _spread(catalogue, job, todo)
    done = _do(db, job, todo, due_in)
    missing = Counter(
        headlines.get(id_, LeftOut.GONE) or LeftOut.ALREADY for id_ in set(ids) - done
    )
    # What was idle a moment ago is leased by now: its schedule row is nobody's to lock here.
    if job.deed is Deed.REFRESH and LeftOut.ALREADY in missing:
        missing[LeftOut.UNDER_WAY] += missing.pop(LeftOut.ALREADY)
    _write_down(db, job, [row for row in todo if row.id in done])
    return Dealt(ids, len(done), left_out=missing, again_in_seconds=_again(db, job, spread))


def _spread(catalogue: Catalogue, job: Job, todo: Sequence[Row]) -> tuple[dict[UUID, float], float]:
    """Returns in how many seconds each is due, and how long the whole takes; 0 for other deeds."""
    if job.deed not in MAKE_DUE:
        return dict.fromkeys((row.id for row in todo), 0.0), 0.0
    numbers, due_in = Counter[str](), dict[UUID, float]()
    known = rates(catalogue, Counter(row.provider for row in todo))
    for row in todo:
        due_in[row.id] = numbers[row.provider] / rules.pace(known[row.provider])
        numbers[row.provider] += 1
    return due_in, rules.spread_seconds(numbers, known)


def _again(db: Db, job: Job, spread: float) -> float:
    if job.deed not in MAKE_DUE:
        return 0.0
    first = schedule.next_due_in_seconds(db)
    behind = first is not None and first < -BEHIND_SECONDS
    return max(spread, SLOWED_SECONDS) if behind else spread


def _do(db: Db, job: Job, todo: Sequence[Row], due_in: Mapping[UUID, float]) -> set[UUID]:
    """Does it, to their slots as well, with an event each; returns to whom it was done."""
    reason = f"{job.actor.told} (bulk {job.id})"
    slots = bulk_rows.slots(db, [row.id for row in todo])
    whole = {id_: due_in[main] for main in due_in for id_ in (main, *slots.get(main, ()))}
    in_order = dict(sorted(whole.items()))
    match job.deed:
        case Deed.REFRESH:
            return state_changes.bring_forward(db, due_in, reason=reason)
        case Deed.RESUME:
            resumed = state_changes.resume_all(db, in_order, reason=reason)
            return {m for m in due_in if not resumed.isdisjoint((m, *slots.get(m, ())))}
        case Deed.ENABLE:
            state_changes.enable_all(db, in_order)
            append(db, [Event(id_, "enabled", reason=reason) for id_ in in_order])
        case Deed.PAUSE | Deed.DISABLE | Deed.DELETE:
            state_changes.stop_all(db, list(in_order), AUDITED[job.deed], reason=reason)
        case _:
            assert_never(job.deed)
    return set(due_in)


def _write_down(db: Db, job: Job, rows: Iterable[Row]) -> None:
    action, subject = AUDITED[job.deed], job.actor.about(f"bulk:{job.id}")
    entries = [AuditEntry(job.made_by, action, r.organization_id, r.id, subject) for r in rows]
    audit.append(db, entries)

"""The table `worker`, and the session-level advisory locks that tell which processes live.

A lock ends with its session, so a process killed with -9 is known to be dead within a second or two,
while a frozen one is known to live. One session may end without its process (an operator, a restart
of a proxy), so a process is missing only when none of its sessions is left, which have its name.
Only a session connection carries such a lock: a pooler in transaction mode does not
(REFRESHER_LIVENESS_LOCK=false falls back to leases).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

from refresher.store.session import Db, many, one, run

LOCK_CLASS = 0x72656672
"""The first half of our advisory locks' two numbers: "refr" in ASCII."""

WITH_LOCK = f"""
    worker w left join pg_locks l on l.locktype = 'advisory' and l.classid::bigint = {LOCK_CLASS}
        and l.objid::bigint = w.lock_key and l.granted
        and l.database = (select oid from pg_database where datname = current_database())
"""  # noqa: S608  our own number
"""The processes, each with its lock `l` where it stands."""
NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Holders:
    """The processes that may hold leases: those with a lock or another session, and those without."""

    alive: frozenset[UUID]
    missing: frozenset[UUID]


def session_name(worker_id: UUID) -> str:
    """Returns the name of every database session of a process."""
    return f"refresher {worker_id}"


@dataclass(frozen=True, slots=True)
class RunsWith:
    """What a process has: ids of its keys, the sealing one first, and digests of its settings."""

    keys: Sequence[str]
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LivingProcess:
    """A process that lives, and what it runs with."""

    role: str
    host: str
    process_id: int
    runs_with: RunsWith


@dataclass(frozen=True, slots=True)
class ProcessSeen:
    """A process that has not noted its end; `locked` tells that its liveness lock stands.

    `failing` are its jobs that fail again and again, with the reason. `runs_seconds` is how long it
    has been running.
    """

    role: str
    host: str
    process_id: int
    locked: bool
    seen_seconds: float
    failing: Mapping[str, str]
    runs_seconds: float = 0.0


def register(
    db: Db,
    worker_id: UUID,
    *,
    role: str,
    host: str,
    process_id: int,
    runs_with: RunsWith | None = None,
) -> int:
    """Records a process and returns the number of its lock."""
    sql = """
        insert into worker (id, lock_key, role, host, process_id, runs_with)
        values (:id, (random() * 2147483647)::int, :role, :host, :process_id,
                cast(:runs_with as jsonb))
        on conflict (id) do update set stopped_at = null, seen_at = refresher_now()
        returning lock_key
        """
    return one(
        db,
        int,
        sql,
        id=worker_id,
        role=role,
        host=host,
        process_id=process_id,
        runs_with=runs_with and json.dumps(asdict(runs_with)),
    )


def told(db: Db) -> list[LivingProcess]:
    """Returns what the processes that gave a sign of life within a minute run with."""
    sql = """
        select role, host, process_id, runs_with from worker
        where stopped_at is null and runs_with is not null
          and seen_at > refresher_now() - interval '1 minute'
        order by role, host, process_id
        """
    return [
        LivingProcess(row.role, row.host, row.process_id, RunsWith(**row.runs_with))
        for row in run(db, sql)
    ]


def take_lock(db: Db, lock_key: int) -> bool:
    """Takes the process's lock on this session; it lasts as long as the session."""
    sql = "select pg_try_advisory_lock(cast(:lock_class as int), cast(:key as int))"
    return one(db, bool, sql, lock_class=LOCK_CLASS, key=lock_key)


def end_former_session(db: Db, lock_key: int) -> int:
    """Ends the session that has the process's lock but is another one of its own; returns how many.

    A cable that was pulled leaves it to the server, which learns of it after hours or never.
    """
    sql = """
        select count(pg_terminate_backend(l.pid)) from pg_locks l
        join pg_stat_activity a on a.pid = l.pid
        where l.locktype = 'advisory' and l.granted and l.pid <> pg_backend_pid()
          and l.classid::bigint = :lock_class and l.objid::bigint = :key
          and l.database = (select oid from pg_database where datname = current_database())
          and a.application_name = current_setting('application_name')
          and a.usename = current_user
        """
    return one(db, int, sql, lock_class=LOCK_CLASS, key=lock_key)


def seen(
    db: Db, worker_id: UUID, *, every_seconds: float, failing: Mapping[str, str] = NOTHING
) -> None:
    """Notes that the process lives, if the last note is older than `every_seconds` or says otherwise.

    `failing` are its jobs that fail again and again, each with the reason.
    """
    sql = """
        update worker set seen_at = refresher_now(), failing = cast(:failing as jsonb)
        where id = :id and (failing <> cast(:failing as jsonb)
            or seen_at < refresher_now() - :seconds * interval '1 second')
        """
    run(db, sql, id=worker_id, seconds=every_seconds, failing=json.dumps(dict(failing)))


def stopped(db: Db, worker_id: UUID) -> None:
    """Notes a clean stop: nothing of this process is left to sweep."""
    sql = "update worker set stopped_at = refresher_now() where id = :id"
    run(db, sql, id=worker_id)


def holders(db: Db) -> Holders:
    """Returns which registered processes live, by their locks and their sessions.

    Right after the server started no lock can be back yet, so nobody is called missing then.
    """
    sql = f"""
        select w.id,
               l.objid is not null or exists (
                   select from pg_stat_activity a where a.application_name = 'refresher ' || w.id
               ) as present,
               pg_postmaster_start_time() > clock_timestamp() - interval '5 seconds' as too_early
        from {WITH_LOCK}
        where w.stopped_at is null
        """  # noqa: S608  our own names
    rows = run(db, sql).all()
    alive = frozenset(row.id for row in rows if row.present or row.too_early)
    return Holders(alive, frozenset(row.id for row in rows) - alive)


def processes(db: Db) -> list[ProcessSeen]:
    """Returns the processes that registered and noted no end."""
    sql = f"""
        select w.role, w.host, w.process_id, l.objid is not null as locked,
            extract(epoch from refresher_now() - w.seen_at)::float8 as seen_seconds, w.failing,
            extract(epoch from refresher_now() - w.started_at)::float8 as runs_seconds
        from {WITH_LOCK}
        where w.stopped_at is null order by w.role, w.host, w.process_id
        """  # noqa: S608  our own names
    return many(db, ProcessSeen, sql)


def bury(db: Db, worker_id: UUID) -> None:
    """Notes that a process died, once nothing of it is leased any more."""
    sql = """
        update worker set stopped_at = refresher_now() where id = :id and stopped_at is null
          and not exists (select 1 from refresh_schedule where state = 1 and holder_id = :id)
        """
    run(db, sql, id=worker_id)


def forget_old(db: Db) -> int:
    """Deletes the rows of processes that stopped a week ago."""
    sql = "delete from worker where stopped_at < refresher_now() - interval '7 days'"
    return run(db, sql).rowcount


NOBODY = Holders(frozenset(), frozenset())
"""For when liveness locks are turned off: only leases count."""

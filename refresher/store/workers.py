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

from sqlalchemy import Connection as Db
from sqlalchemy import text

LOCK_CLASS = 0x72656672
"""The first half of our advisory locks' two numbers: "refr" in ASCII."""

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
class Told:
    """A process that lives, and what it runs with."""

    role: str
    host: str
    process_id: int
    runs_with: RunsWith


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
    statement = text(
        """
        insert into worker (id, lock_key, role, host, process_id, runs_with)
        values (:id, (random() * 2147483647)::int, :role, :host, :process_id,
                cast(:runs_with as jsonb))
        on conflict (id) do update set stopped_at = null, seen_at = refresher_now()
        returning lock_key
        """
    )
    values = {
        "id": worker_id,
        "role": role,
        "host": host,
        "process_id": process_id,
        "runs_with": runs_with and json.dumps(asdict(runs_with)),
    }
    return int(db.execute(statement, values).scalar_one())


def told(db: Db) -> list[Told]:
    """Returns what the processes that gave a sign of life within a minute run with."""
    statement = text(
        """
        select role, host, process_id, runs_with from worker
        where stopped_at is null and runs_with is not null
          and seen_at > refresher_now() - interval '1 minute'
        order by role, host, process_id
        """
    )
    return [
        Told(row.role, row.host, row.process_id, RunsWith(**row.runs_with))
        for row in db.execute(statement)
    ]


def take_lock(db: Db, lock_key: int) -> bool:
    """Takes the process's lock on this session; it lasts as long as the session."""
    statement = text("select pg_try_advisory_lock(cast(:class as int), cast(:key as int))")
    return bool(db.execute(statement, {"class": LOCK_CLASS, "key": lock_key}).scalar_one())


def seen(
    db: Db, worker_id: UUID, *, every_seconds: float, failing: Mapping[str, str] = NOTHING
) -> None:
    """Notes that the process lives, if the last note is older than `every_seconds` or says otherwise.

    `failing` are its jobs that fail again and again, each with the reason.
    """
    statement = text(
        """
        update worker set seen_at = refresher_now(), failing = cast(:failing as jsonb)
        where id = :id and (failing <> cast(:failing as jsonb)
            or seen_at < refresher_now() - :seconds * interval '1 second')
        """
    )
    values = {"id": worker_id, "seconds": every_seconds, "failing": json.dumps(dict(failing))}
    db.execute(statement, values)


def stopped(db: Db, worker_id: UUID) -> None:
    """Notes a clean stop: nothing of this process is left to sweep."""
    statement = text("update worker set stopped_at = refresher_now() where id = :id")
    db.execute(statement, {"id": worker_id})


def holders(db: Db) -> Holders:
    """Returns which registered processes live, by their locks and their sessions.

    Right after the server started no lock can be back yet, so nobody is called missing then.
    """
    statement = text(
        """
        select w.id,
               l.objid is not null or exists (
                   select from pg_stat_activity a where a.application_name = 'refresher ' || w.id
               ) as present,
               pg_postmaster_start_time() > clock_timestamp() - interval '5 seconds' as too_early
        from worker w
        left join pg_locks l on l.locktype = 'advisory' and l.classid::bigint = :class
            and l.objid::bigint = w.lock_key and l.granted
            and l.database = (select oid from pg_database where datname = current_database())
        where w.stopped_at is null
        """
    )
    rows = db.execute(statement, {"class": LOCK_CLASS}).all()
    alive = frozenset(row.id for row in rows if row.present or row.too_early)
    return Holders(alive, frozenset(row.id for row in rows) - alive)


def bury(db: Db, worker_id: UUID) -> None:
    """Notes that a process died, once nothing of it is leased any more."""
    statement = text(
        """
        update worker set stopped_at = refresher_now() where id = :id and stopped_at is null
          and not exists (select 1 from refresh_schedule where state = 1 and holder_id = :id)
        """
    )
    db.execute(statement, {"id": worker_id})


def forget_old(db: Db) -> int:
    """Deletes the rows of processes that stopped a week ago."""
    statement = text("delete from worker where stopped_at < refresher_now() - interval '7 days'")
    return db.execute(statement).rowcount


NOBODY = Holders(frozenset(), frozenset())
"""For when liveness locks are turned off: only leases count."""

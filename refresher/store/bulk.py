"""The tables `bulk_job` and `bulk_row`: begun, worked off batch by batch, ended.

Whoever works a batch off holds the job's row locked until the batch is committed, with all that was
done in it; so no batch is worked off twice, and who is killed has done nothing of it. `organization_id`
None sees all jobs, a bound key those of its organization.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from refresher.rules.access import Actor
from refresher.rules.bulk import Deed, LeftOut
from refresher.rules.bulk_plan import Order, Selection
from refresher.rules.bulk_words import JobState, Progress
from refresher.store.db import RowMapping
from refresher.store.session import Db, many, run

KEPT_DAYS = 30


@dataclass(frozen=True, slots=True)
class Job:
    """One job. `why` tells why it stopped, or what it waits for."""

    id: int
    made_by: str
    key_id: str | None
    person: str | None
    organization_id: str | None
    deed: Deed
    selection: Selection
    as_of: datetime
    most: int
    state: JobState
    why: str | None
    gathered_to: str | None
    total: int
    done: int
    skipped: int
    failed: int
    left_out: Mapping[LeftOut, int]
    next_at: datetime
    created_at: datetime
    ended_at: datetime | None

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return Progress(
            self.deed, self.state, self.total, self.done, self.skipped, self.failed, self.why
        )

    @property
    def actor(self) -> Actor:
        """Who began it, with the organization that the key was bound to then."""
        return Actor(self.made_by, self.organization_id, self.person)


@dataclass(frozen=True, slots=True)
class Dealt:
    """What a batch came to: which rows are dealt with, and how."""

    rows: Sequence[UUID]
    done: int = 0
    failed: int = 0
    left_out: Mapping[LeftOut, int] | None = None
    again_in_seconds: float = 0.0


_COLUMNS = ", ".join(Job.__dataclass_fields__)
_VISIBLE = "(cast(:organization as text) is null or organization_id = :organization)"


def add(db: Db, by: Actor, order: Order) -> tuple[Job, bool]:
    """Begins a job, and returns it and True; of a plan that has one already, that one and False."""
    sql = f"""
        insert into bulk_job
            (made_by, key_id, person, organization_id, plan_id, deed, selection, as_of, most)
        values (:made_by, :key_id, :person, :organization, :plan, :deed,
            cast(:selection as jsonb), :as_of, :most)
        on conflict (plan_id) do nothing returning {_COLUMNS}
        """  # noqa: S608  our own column names
    values = {
        "made_by": by.id,
        "key_id": by.key_id,
        "person": by.person,
        "organization": by.organization_id,
        "plan": order.plan_id,
        "deed": order.deed.value,
        "selection": json.dumps(order.selection.as_json()),
        "as_of": order.as_of,
        "most": order.most,
    }
    row = run(db, sql, **values).mappings().first()
    if row is not None:
        return _job(row), True
    before = f"select {_COLUMNS} from bulk_job where plan_id = :plan"  # noqa: S608  same
    return _job(run(db, before, plan=order.plan_id).mappings().one()), False


def find(db: Db, job_id: int, organization_id: str | None) -> Job | None:
    """Returns one job that this organization may know."""
    sql = f"select {_COLUMNS} from bulk_job where id = :id and {_VISIBLE}"  # noqa: S608  same
    row = run(db, sql, id=job_id, organization=organization_id).mappings().first()
    return _job(row) if row else None


def page(db: Db, organization_id: str | None, *, before: int | None, limit: int) -> list[Job]:
    """Returns the newest jobs, those before a number."""
    sql = f"""
        select {_COLUMNS} from bulk_job
        where {_VISIBLE} and (cast(:before as bigint) is null or id < :before)
        order by id desc limit :limit
        """  # noqa: S608  same
    rows = run(db, sql, organization=organization_id, before=before, limit=limit).mappings()
    return [_job(row) for row in rows]


def due(db: Db, *, job_id: int | None = None) -> Job | None:
    """Locks and returns a job whose next batch is due and that nobody is working on; else None."""
    sql = f"""
        select {_COLUMNS} from bulk_job
        where ended_at is null and next_at <= refresher_now()
          and (cast(:id as bigint) is null or id = :id)
        order by next_at limit 1 for update skip locked
        """  # noqa: S608  same
    row = run(db, sql, id=job_id).mappings().first()
    return _job(row) if row else None


def gather(db: Db, job: Job, ids: Sequence[UUID], *, gathered_to: str | None, delays: bool) -> None:
    """Leaves connections to a job; `gathered_to` None: these are all.

    `delays`: who holds a grant waits for the turn of those that use it.
    """
    sql = """
        with added as (
            insert into bulk_row (job_id, turn, connection_id)
            select :job, case when :delays and c.root_id is null then 1 else 0 end, c.id
            from unnest(cast(:ids as uuid[])) u(id) join connection c on c.id = u.id
            where c.created_at <= :as_of
            on conflict do nothing returning 1
        )
        update bulk_job set total = total + (select count(*) from added), gathered_to = :to,
            state = case when cast(:to as text) is null then 'working' else state end
        where id = :job
        """
    values = {"job": job.id, "as_of": job.as_of, "delays": delays, "to": gathered_to}
    run(db, sql, **values, ids=list(ids))


def next_rows(db: Db, job: Job, limit: int) -> list[UUID]:
    """Returns the connections of the next batch, all of one turn, in the order of their ids."""
    sql = """
        select connection_id from bulk_row
        where job_id = :id and turn = (select min(turn) from bulk_row where job_id = :id)
        order by connection_id limit :limit
        """
    return many(db, UUID, sql, id=job.id, limit=limit)


def advance(db: Db, job: Job, dealt: Dealt) -> None:
    """Notes what a batch came to, and when the next one goes."""
    sql = """
        with gone as (
            delete from bulk_row where job_id = :id and turn in (0, 1)
              and connection_id = any(cast(:rows as uuid[]))
        )
        update bulk_job set done = done + :done, failed = failed + :failed,
            skipped = skipped + :skipped, left_out = cast(:left_out as jsonb), why = null,
            next_at = refresher_now() + :seconds * interval '1 second'
        where id = :id
        """
    new = dealt.left_out or {}
    whole = {reason.value: count for reason, count in job.left_out.items()}
    for reason, count in new.items():
        whole[reason.value] = whole.get(reason.value, 0) + count
    run(
        db,
        sql,
        id=job.id,
        rows=list(dealt.rows),
        done=dealt.done,
        failed=dealt.failed,
        skipped=sum(new.values()),
        left_out=json.dumps(whole),
        seconds=dealt.again_in_seconds,
    )


def wait(db: Db, job: Job, seconds: float, why: str) -> None:
    """Has the next batch wait, and says what for."""
    sql = (
        "update bulk_job set next_at = refresher_now() + :seconds * interval '1 second', why = :why "
        "where id = :id"
    )
    run(db, sql, id=job.id, seconds=seconds, why=why)


def end(db: Db, job_id: int, state: JobState, why: str | None = None) -> bool:
    """Ends a job; False where it had ended. Waits for the batch that is under way."""
    sql = """
        update bulk_job set state = :state, why = :why, ended_at = refresher_now()
        where id = :id and ended_at is null
        """
    ended = run(db, sql, id=job_id, state=state.value, why=why).rowcount == 1
    run(db, "delete from bulk_row where job_id = :id", id=job_id)
    return ended


def forget_old(db: Db) -> None:
    """Deletes jobs that ended thirty days ago: what they did stands in events and audit."""
    sql = "delete from bulk_job where ended_at < refresher_now() - :days * interval '1 day'"
    run(db, sql, days=KEPT_DAYS)


def _job(row: RowMapping) -> Job:
    values: dict[str, Any] = dict(row)
    values["deed"], values["state"] = Deed(row["deed"]), JobState(row["state"])
    values["selection"] = Selection.from_json(row["selection"])
    values["left_out"] = {LeftOut(name): count for name, count in row["left_out"].items()}
    return Job(**values)

"""What previews and bulk jobs are shown as, by the API and by the SDK."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from refresher.connections.bulk import Preview
from refresher.rules import bulk_words
from refresher.rules.bulk import Deed, LeftOut, why_left_out
from refresher.rules.bulk_plan import PLAN_SECONDS
from refresher.rules.bulk_words import JobState
from refresher.store.bulk import Job
from refresher.store.bulk_rows import Row


@dataclass(frozen=True, slots=True)
class LeftOutView:
    """Some that are left out, and why."""

    reason: LeftOut
    number: int
    told: str


@dataclass(frozen=True, slots=True)
class BulkRow:
    """One of the connections that it would be done to."""

    id: UUID
    organization_id: str
    provider: str
    external_id: str
    name: str | None
    status_cause: str | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class BulkPreview:
    """What would be done, and to whom; `plan` is its order, for a quarter of an hour."""

    deed: Deed
    title: str
    told: str
    number: int | None
    providers: Mapping[str, int]
    left_out: Sequence[LeftOutView]
    sample: Sequence[BulkRow]
    spread_seconds: float
    as_of: datetime
    plan: str
    plan_expires_at: datetime
    command: str | None


@dataclass(frozen=True, slots=True)
class BulkJob:
    """One job, and how far it is."""

    id: int
    deed: Deed
    state: JobState
    told: str
    why: str | None
    selection: Mapping[str, object]
    number: int
    total: int
    done: int
    skipped: int
    failed: int
    left_out: Sequence[LeftOutView]
    made_by: str
    organization_id: str | None
    as_of: datetime
    created_at: datetime
    ended_at: datetime | None


def shown_preview(seen: Preview, signed: str) -> BulkPreview:
    """Returns a preview with its plan as text."""
    plan, number = seen.plan, seen.number
    told = bulk_words.headline(plan.deed, number)
    if number != 0:
        told += f" {bulk_words.consequence(plan.deed, seen.spread_seconds)}"
    return BulkPreview(
        deed=plan.deed,
        title=bulk_words.title(plan.deed, number),
        told=told,
        number=number,
        providers=seen.providers,
        left_out=_left_out(plan.deed, seen.left_out),
        sample=[_row(row) for row in seen.sample],
        spread_seconds=seen.spread_seconds,
        as_of=plan.as_of,
        plan=signed,
        plan_expires_at=plan.as_of + timedelta(seconds=PLAN_SECONDS),
        command=plan.selection.command(plan.deed) if number is None else None,
    )


def _left_out(deed: Deed, numbers: Mapping[LeftOut, int]) -> list[LeftOutView]:
    ordered = sorted(numbers.items(), key=lambda pair: (-pair[1], pair[0].value))
    return [LeftOutView(reason, n, why_left_out(deed, reason, n)) for reason, n in ordered]


def _row(row: Row) -> BulkRow:
    return BulkRow(
        id=row.id,
        organization_id=row.organization_id,
        provider=row.provider,
        external_id=row.external_id,
        name=row.name,
        status_cause=row.cause,
        updated_at=row.updated_at,
    )


def shown_job(job: Job) -> BulkJob:
    """Returns a job as it stands."""
    return BulkJob(
        id=job.id,
        deed=job.deed,
        state=job.state,
        told=bulk_words.sentence(job.progress),
        why=job.why,
        selection=job.selection.as_json(),
        number=job.most,
        total=job.total,
        done=job.done,
        skipped=job.skipped,
        failed=job.failed,
        left_out=_left_out(job.deed, job.left_out),
        made_by=job.made_by,
        organization_id=job.organization_id,
        as_of=job.as_of,
        created_at=job.created_at,
        ended_at=job.ended_at,
    )

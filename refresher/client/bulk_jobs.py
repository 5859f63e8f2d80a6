"""One deed for many connections: looked at first, then ordered, and worked off by the scheduler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypedDict
from uuid import UUID

from refresher.client.calls import Call, Page, page_params
from refresher.client.values import made
from refresher.client.which import Which, as_id

PATH = "/v1/bulk"
BulkDeed = Literal["refresh", "resume", "enable", "pause", "disable", "delete"]


class Selection(TypedDict, total=False):
    """Which connections: those named in `which`, at most 200; or all that fit the others."""

    which: Sequence[Which]
    health: str | None
    provider: str | None
    app: str | None
    organization_id: str | None


@dataclass(frozen=True, slots=True)
class BulkLeftOut:
    """So many that are left out, and why; `told` is a sentence."""

    reason: str
    number: int
    told: str


@dataclass(frozen=True, slots=True)
class BulkRow:
    """One of the connections that it would be done to."""

    id: UUID
    organization_id: str
    provider: str
    external_id: str
    name: str | None = None
    status_cause: str | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class BulkPreview:
    """What would be done; nothing is yet. `plan` is its order, for a quarter of an hour.

    `number` None: more than 10,000 match, and are not counted here; then `command` does it.
    `spread_seconds` is over how long the refreshes would be spread. `sample`: some of them.
    """

    deed: str
    title: str
    told: str
    number: int | None
    plan: str = field(repr=False)
    providers: Mapping[str, int] = field(default_factory=dict)
    left_out: tuple[BulkLeftOut, ...] = ()
    sample: tuple[BulkRow, ...] = ()
    spread_seconds: float = 0.0
    as_of: datetime | None = None
    plan_expires_at: datetime | None = None
    command: str | None = None


@dataclass(frozen=True, slots=True)
class BulkJob:
    """A job, and how far it is: `done`, `skipped` and `failed` of `total`; `told` in a sentence."""

    id: int
    deed: str
    state: str
    told: str
    why: str | None = None
    selection: Mapping[str, object] = field(default_factory=dict)
    number: int = 0
    total: int = 0
    done: int = 0
    skipped: int = 0
    failed: int = 0
    left_out: tuple[BulkLeftOut, ...] = ()
    made_by: str = ""
    organization_id: str | None = None
    as_of: datetime | None = None
    created_at: datetime | None = None
    ended_at: datetime | None = None


def preview(deed: BulkDeed, selection: Selection) -> Call[BulkPreview]:
    """What would be done."""
    body: dict[str, Any] = {n: v for n, v in selection.items() if v is not None}
    ids = [str(as_id(one)) for one in body.pop("which", ())]
    body |= {"deed": deed, **({"ids": ids} if ids else {})}
    return Call(
        "POST",
        f"{PATH}/preview",
        read=_preview,
        here=lambda direct: _preview(direct.bulk.preview(body)),
        body=body,
        safe=True,
    )


def begin(plan: BulkPreview | str, number: int | None) -> Call[BulkJob]:
    """The job of a preview."""
    text = plan.plan if isinstance(plan, BulkPreview) else plan
    return Call(
        "POST",
        PATH,
        read=_job,
        here=lambda direct: _job(direct.bulk.begin(text, number)),
        body={"plan": text} | ({} if number is None else {"number": number}),
        once=True,
    )


def listed(*, cursor: str | None) -> Call[Page[BulkJob]]:
    """A page of jobs, the newest first."""
    return Call(
        "GET",
        PATH,
        read=_jobs,
        here=lambda direct: _jobs(direct.bulk.listed(cursor)),
        params=page_params(cursor),
    )


def get(job_id: int) -> Call[BulkJob]:
    """A job as it stands."""
    return Call(
        "GET",
        f"{PATH}/{int(job_id)}",
        read=_job,
        here=lambda direct: _job(direct.bulk.get(int(job_id))),
    )


def stop(job_id: int) -> Call[BulkJob]:
    """A job that goes no further."""
    return Call(
        "POST",
        f"{PATH}/{int(job_id)}/stop",
        read=_job,
        here=lambda direct: _job(direct.bulk.stop(int(job_id))),
        once=True,
    )


def _preview(document: Mapping[str, Any]) -> BulkPreview:
    sample = [made(BulkRow, one) for one in document["sample"]]
    return made(BulkPreview, {**document, "sample": sample, "left_out": _left_out(document)})


def _job(document: Mapping[str, Any]) -> BulkJob:
    return made(BulkJob, {**document, "left_out": _left_out(document)})


def _jobs(document: Mapping[str, Any]) -> Page[BulkJob]:
    return Page(tuple(_job(one) for one in document["items"]), document["next_cursor"])


def _left_out(document: Mapping[str, Any]) -> list[BulkLeftOut]:
    return [made(BulkLeftOut, one) for one in document["left_out"]]

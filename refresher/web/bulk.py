"""Bulk jobs: what would be done to many connections, begun, followed, stopped."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from refresher.connections import bulk
from refresher.connections.bulk import BulkRefused, Preview
from refresher.connections.bulk_views import BulkJob, BulkPreview, shown_job, shown_preview
from refresher.rules.bulk import Deed
from refresher.rules.bulk_plan import MOST_CHOSEN, Plan, Selection
from refresher.rules.standing_word import Health
from refresher.web.dependencies import NOT_ITS_OWN, ONCE, Caller, Reader, Writer, with_problems
from refresher.web.paging import Page, page, read_number
from refresher.web.problems import Problem
from refresher.web.routes import ApiRoute
from refresher.web.shapes import Given, Needed, PageQuery

router = APIRouter(prefix="/v1/bulk", tags=["bulk"], route_class=ApiRoute)


def _number(given: Any) -> Any:
    """Returns a job's number; 0, which none has, for what is no number."""
    return int(given) if isinstance(given, str) and given.isdecimal() and len(given) < 19 else 0


JobId = Annotated[int, BeforeValidator(_number), Path(alias="job_id")]
Many = Annotated[int, Field(strict=True, ge=0, le=10**12)]


class BulkSelection(Given):
    """Which connections: those that are named, or all that match."""

    ids: list[UUID] = Field(
        default_factory=list, max_length=MOST_CHOSEN, description="These, whatever else matches."
    )
    health: Health | None = None
    provider: Needed | None = None
    app: Needed | None = None
    organization_id: Needed | None = Field(None, description="Left out: any that the key is for.")


class BulkWish(BulkSelection):
    """What would be done, and to which connections."""

    deed: Deed


class BulkOrder(BulkSelection):
    """The plan of a preview; or a deed, the filters, and how many it is done to."""

    plan: Annotated[str, Field(max_length=20_000, pattern=r"^[A-Za-z0-9_-]+$")] | None = None
    deed: Deed | None = None
    number: Many | None = Field(
        None, description="How many it is. With more than 10,000: how many it may be at most."
    )

    @model_validator(mode="after")
    def _is_either(self) -> BulkOrder:
        if self.plan is None and (self.deed is None or self.number is None):
            raise PydanticCustomError("missing", "give a plan; or a deed, filters and the number")
        return self


@router.post("/preview", openapi_extra=with_problems("organization_mismatch"))
def preview_bulk_job(caller: Writer, body: BulkWish) -> BulkPreview:
    """Preview a bulk job.

    Nothing is done. `number` null: more match than are counted here (10,000 at most); then `command`
    does it at the command line. Beyond 1,000 that match, the other figures are of the first 1,000, and
    `number` is how many it may be.
    """
    seen = _preview(caller, body.deed, body)
    return shown_preview(seen, bulk.signed(caller.services.cipher, seen.plan, caller.actor))


@router.post(
    "",
    status_code=201,
    dependencies=[ONCE],
    openapi_extra=with_problems("bulk_refused", "organization_mismatch"),
)
def begin_bulk_job(caller: Writer, body: BulkOrder) -> BulkJob:
    """Begin a bulk job.

    The scheduler works it off. The same plan again is the same job. `number` is needed to delete, and
    where more than 10,000 match: then a key for all organizations may say how many it may be at most.
    """
    try:
        plan = _plan(caller, body)
        return shown_job(bulk.begin(caller.database, caller.actor, plan, body.number))
    except BulkRefused as refused:
        raise Problem("bulk_refused", str(refused), reason=refused.reason.value) from None


@router.get("", openapi_extra=with_problems("invalid_cursor"))
def list_bulk_jobs(caller: Reader, query: Annotated[PageQuery, Query()]) -> Page[BulkJob]:
    """List bulk jobs.

    The newest first. A bound key's are those of its organization.
    """
    before = read_number("bulk", query.cursor)
    found = bulk.recent(caller.database, caller.actor, before=before, limit=query.limit + 1)
    return page("bulk", [shown_job(job) for job in found], query.limit, lambda job: [job.id])


@router.get("/{job_id}")
def show_bulk_job(caller: Reader, job_id: JobId) -> BulkJob:
    """Show a bulk job."""
    return shown_job(bulk.find(caller.database, caller.actor, job_id))


@router.post("/{job_id}/stop", dependencies=[ONCE])
def stop_bulk_job(caller: Writer, job_id: JobId) -> BulkJob:
    """Stop a bulk job.

    What it did stays. One that has ended stays as it is.
    """
    return shown_job(bulk.stop(caller.database, caller.actor, job_id))


def _plan(caller: Caller, body: BulkOrder) -> Plan:
    if body.plan is not None:
        return bulk.opened(caller.database, caller.services.cipher, body.plan, caller.actor)
    assert body.deed is not None
    return _preview(caller, body.deed, body).plan


def _preview(caller: Caller, deed: Deed, body: BulkSelection) -> Preview:
    if caller.organization_id is not None and body.organization_id not in {
        None,
        caller.organization_id,
    }:
        raise Problem("organization_mismatch", NOT_ITS_OWN)
    services = caller.services
    selection = Selection(
        tuple(body.ids), body.health, body.provider, body.app, body.organization_id
    )
    return bulk.preview(services.database, services.catalogue, caller.actor, deed, selection)

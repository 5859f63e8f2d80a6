"""Bulk jobs, straight on the database: as the API's routes do it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from refresher.client import calls
from refresher.connections import bulk
from refresher.connections.bulk import BulkRefused, NoSuchJob
from refresher.connections.bulk_views import shown_job, shown_preview
from refresher.errors import ApiError, Conflict
from refresher.rules.access import Actor
from refresher.rules.bulk import Deed
from refresher.rules.bulk_plan import Selection
from refresher.runtime.services import Services
from refresher.store.bulk import Job

Document = dict[str, Any]


class DirectBulk:
    """What an application orders for many connections."""

    def __init__(self, services: Services, by: Actor) -> None:
        self._services, self._by = services, by

    def preview(self, given: Mapping[str, Any]) -> Document:
        """Returns what would be done."""
        chosen = {name: value for name, value in given.items() if name not in {"deed", "ids"}}
        ids = tuple(UUID(one) for one in given.get("ids", ()))
        services = self._services
        seen = bulk.preview(
            services.database,
            services.catalogue,
            self._by,
            Deed(given["deed"]),
            Selection(ids=ids, **chosen),
        )
        return asdict(shown_preview(seen, bulk.signed(services.cipher, seen.plan, self._by)))

    def begin(self, plan: str, number: int | None) -> Document:
        """Begins the job of a plan."""
        services = self._services
        try:
            opened = bulk.opened(services.database, services.cipher, plan, self._by)
            return asdict(shown_job(bulk.begin(services.database, self._by, opened, number)))
        except BulkRefused as refused:
            raise Conflict(str(refused)) from None

    def listed(self, cursor: str | None) -> Document:
        """Returns a page of jobs."""
        before = None if cursor is None else int(cursor)
        found = bulk.recent(self._services.database, self._by, before=before, limit=calls.PAGE + 1)
        shown = found[: calls.PAGE]
        more = str(shown[-1].id) if len(found) > calls.PAGE else None
        return {"items": [asdict(shown_job(job)) for job in shown], "next_cursor": more}

    def get(self, job_id: int) -> Document:
        """Returns a job."""
        return self._one(bulk.find, job_id)

    def stop(self, job_id: int) -> Document:
        """Stops a job."""
        return self._one(bulk.stop, job_id)

    def _one(self, deed: Callable[..., Job], job_id: int) -> Document:
        try:
            return asdict(shown_job(deed(self._services.database, self._by, job_id)))
        except NoSuchJob as error:
            raise ApiError(str(error), status=404, code="no_such_job") from None

"""`refresher.bulk`: one deed for many connections."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Unpack

from refresher.client import bulk_jobs
from refresher.client.bulk_jobs import BulkDeed, BulkJob, BulkPreview, Selection
from refresher.client.opened import AsyncPart


class AsyncBulk(AsyncPart):
    """Looks first, then orders; the scheduler works it off. docs/api.md tells the rules."""

    async def preview(self, deed: BulkDeed, **selection: Unpack[Selection]) -> BulkPreview:
        """Returns what a deed would do, and to whom; nothing is done."""
        return await self._run(bulk_jobs.preview(deed, selection))

    async def begin(self, plan: BulkPreview | str, *, number: int | None = None) -> BulkJob:
        """Begins what a preview showed; the same plan again is the same job.

        To delete, `number` must say how many. Raises `Conflict` with the reason where it is refused.
        """
        return await self._run(bulk_jobs.begin(plan, number))

    def list(self) -> AsyncIterator[BulkJob]:
        """Yields jobs, the newest first."""
        return self._pages(lambda cursor: bulk_jobs.listed(cursor=cursor))

    async def get(self, job_id: int) -> BulkJob:
        """Returns a job as it stands."""
        return await self._run(bulk_jobs.get(job_id))

    async def stop(self, job_id: int) -> BulkJob:
        """Stops a job; what it did stays."""
        return await self._run(bulk_jobs.stop(job_id))

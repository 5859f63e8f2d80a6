# Made of asynchronous/bulk.py by `make client`: change that one.
"""`refresher.bulk`: one deed for many connections."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Unpack

from refresher.client import bulk_jobs
from refresher.client.bulk_jobs import BulkDeed, BulkJob, BulkPreview, Selection
from refresher.client.opened import Part


class Bulk(Part):
    """Looks first, then orders; the scheduler works it off. docs/api.md tells the rules."""

    def preview(self, deed: BulkDeed, **selection: Unpack[Selection]) -> BulkPreview:
        """Returns what a deed would do, and to whom; nothing is done."""
        return self._run(bulk_jobs.preview(deed, selection))

    def begin(self, plan: BulkPreview | str, *, number: int | None = None) -> BulkJob:
        """Begins what a preview showed; the same plan again is the same job.

        To delete, `number` must say how many. Raises `Conflict` with the reason where it is refused.
        """
        return self._run(bulk_jobs.begin(plan, number))

    def list(self) -> Iterator[BulkJob]:
        """Yields jobs, the newest first."""
        return self._pages(lambda cursor: bulk_jobs.listed(cursor=cursor))

    def get(self, job_id: int) -> BulkJob:
        """Returns a job as it stands."""
        return self._run(bulk_jobs.get(job_id))

    def stop(self, job_id: int) -> BulkJob:
        """Stops a job; what it did stays."""
        return self._run(bulk_jobs.stop(job_id))

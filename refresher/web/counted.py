"""Deeds that come in numbers, reads of tokens and refusals: counted, and written to the audit in lines.

A line for each would cost a write for each, and a stranger could fill the table. So what is alike
shares a line; a process that is killed loses the reads of the last half minute, and the refusals of
the last minute.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from uuid import UUID

import structlog

from refresher.errors import RefresherError
from refresher.store import audit
from refresher.store.session import Database

Like = tuple[str, str | None, UUID | None, str | None]
"""Whose key, of which organization or of all, about which connection, and about what else."""
log = structlog.get_logger()
MOST_ALIKE = 500
"""So few together that writing them keeps nobody waiting for more than some milliseconds."""


class Counted:
    """Counts one action, on the event loop's thread; `threads` write what was counted."""

    def __init__(
        self, database: Database, threads: Executor, action: str, *, every_seconds: float
    ) -> None:
        self._database, self._threads = database, threads
        self._action, self._every = action, every_seconds
        self._counts: dict[Like, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def note(
        self,
        key_id: str,
        organization_id: str | None,
        connection_id: UUID | None = None,
        subject: str | None = None,
    ) -> None:
        """Counts one, and has it written soon."""
        like = (key_id, organization_id, connection_id, subject)
        self._counts[like] = self._counts.get(like, 0) + 1
        if len(self._counts) >= MOST_ALIKE:
            self._flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._every, self._flush)

    def take(self) -> dict[Like, int]:
        """Returns what was counted and is not written yet."""
        counts, self._counts = self._counts, {}
        return counts

    def write(self, counts: dict[Like, int]) -> None:
        """Writes counts; while Postgres is away it is said in the log instead."""
        deeds = [
            audit.AuditEntry(key_id, self._action, organization_id, connection_id, subject, count)
            for (key_id, organization_id, connection_id, subject), count in counts.items()
        ]
        missing = {"action": self._action, "deeds": len(deeds)}
        try:
            with self._database.transaction() as db:
                audit.append(db, deeds)
        except RefresherError as error:
            log.error("deeds are missing in the audit", **missing, why=str(error))  # noqa: TRY400  a sentence, no traceback
        except Exception:
            log.exception("deeds are missing in the audit", **missing)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if counts := self.take():
            self._threads.submit(self.write, counts)

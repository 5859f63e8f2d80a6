"""A session of an event loop's own, for reads that come by the thousand a second.

Through a thread each read would change threads twice and wait for Python's lock each time: under load
that takes ten times as long as Postgres does. What is read is `serving.py`'s.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import psycopg

from refresher.rules.serving import Stored
from refresher.store import serving
from refresher.store.serving import Wanted
from refresher.store.session import Database, as_told

Session = psycopg.AsyncConnection[Any]


class Lane:
    """One read after the other; belongs to one event loop. Opens its session at the first."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._session: Session | None = None

    async def stored_many(self, wanted: Collection[Wanted]) -> dict[Wanted, Stored]:
        """Returns the sealed tokens of those of these connections that there are.

        A session that broke while it rested is replaced. Raises `DatabaseUnavailable`.
        """
        try:
            if (rested := self._session) is not None:
                try:
                    return await self._ask(rested, wanted)
                except psycopg.OperationalError:
                    if not rested.closed:  # slow, not broken: a second try would be as slow
                        raise
                    self.close()
            self._session = await self._database.open_async()
            return await self._ask(self._session, wanted)
        except psycopg.Error as error:
            self.close()
            raise as_told(error, self._database.url) from error

    def close(self) -> None:
        """Ends the session; the next read opens another. Needs no event loop."""
        session, self._session = self._session, None
        if session is not None:
            session.pgconn.finish()

    def __del__(self) -> None:
        self.close()

    async def _ask(self, session: Session, wanted: Collection[Wanted]) -> dict[Wanted, Stored]:
        now, told = self._database.simulated_now, self._database.told_in_transaction()
        if now is None and not told:
            return await self._read(session, wanted)
        async with session.transaction():
            for statement in told:
                await session.execute(statement)
            if now is not None:
                simulating = "select set_config('refresher.now', %s, true)"
                await session.execute(simulating, [now.isoformat()])
            return await self._read(session, wanted)

    async def _read(self, session: Session, wanted: Collection[Wanted]) -> dict[Wanted, Stored]:
        statement, values = serving.many(wanted)
        cursor = await session.execute(statement.sql, values, prepare=True, binary=True)
        return serving.found_many(await cursor.fetchall())

"""A database for one command: sessions of the driver's own, without a pool and without SQLAlchemy.

It works whatever pooler is there, and leaves nothing behind: each transaction is told for itself what
the server must know.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from typing import Any, TypeVar

import psycopg

from refresher.store import binary
from refresher.store.connecting import PatientConnection, send_arrays_in_binary
from refresher.store.db import Db, as_driver
from refresher.store.refusals import as_told
from refresher.store.session import Database

T = TypeVar("T")


class Found(list[T]):
    """What a statement found, with the ways of SQLAlchemy's results to get at it."""

    def first(self) -> T | None:
        """Returns the first one, None where there is none."""
        return self[0] if self else None

    def one(self) -> T:
        """Returns the only one; raises `ValueError` where there are none or several."""
        (only,) = self
        return only

    def all(self) -> list[T]:
        """Returns all of them."""
        return self


class Rows(Found[Any]):
    """The rows of one statement, each a named tuple."""

    def __init__(self, cursor: psycopg.Cursor[Any]) -> None:
        self.rowcount = cursor.rowcount
        self._names = tuple(column.name for column in cursor.description or ())
        row = _row(self._names)
        super().__init__(map(row, cursor.fetchall()) if self._names else ())

    def mappings(self) -> Found[dict[str, Any]]:
        """Returns the rows by the names of their columns."""
        return Found(dict(zip(self._names, row, strict=True)) for row in self)

    def scalars(self) -> Found[Any]:
        """Returns each row's first column."""
        return Found(row[0] for row in self)

    def scalar(self) -> Any:
        """Returns the first column of the first row, None where there is none."""
        return self.scalars().first()

    def scalar_one(self) -> Any:
        """Returns the first column of the only row."""
        return self.scalars().one()

    def scalar_one_or_none(self) -> Any:
        """Returns the same, None where there is no row."""
        return self.scalar_one() if self else None


@lru_cache(maxsize=100)
def _row(names: tuple[str, ...]) -> Any:
    """Returns what makes a named tuple of a row; what Postgres has no name for is known by position."""
    made: Any = namedtuple  # noqa: PYI024  its fields are those of a query
    return made("Row", names, rename=True)._make


class Session:
    """A transaction on a session of the driver's own: a `Db`."""

    closed = invalidated = False

    def __init__(self, driver: PatientConnection) -> None:
        self.driver_connection = driver
        self.info: dict[Any, Any] = {}

    @property
    def connection(self) -> Session:
        """What has the driver's session: this."""
        return self

    def execute(self, statement: Any, parameters: Any = None, /) -> Rows:
        """Executes SQLAlchemy's `text`."""
        return self.exec_driver_sql(as_driver(str(statement)), parameters or {})

    def exec_driver_sql(
        self,
        statement: str,
        parameters: Any = None,
        execution_options: Any = None,  # noqa: ARG002  SQLAlchemy's
    ) -> Rows:
        """Executes a statement that is written as the driver takes it."""
        return Rows(self.driver_connection.execute(statement.encode(), parameters))

    def get_execution_options(self) -> Mapping[str, Any]:
        """Returns how it executes: nothing is prepared."""
        return {binary.PLANS_ARE_KEPT: False}

    def begin_nested(self) -> AbstractContextManager[Any]:
        """Opens a savepoint, to which an error in the block goes back."""
        return self.driver_connection.transaction()


class PlainDatabase(Database):
    """Opens a session where none rests, for one transaction after the other; no thread is shut out."""

    def __init__(self, url: str, **named: Any) -> None:
        super().__init__(url, **named, sessions_are_ours=False)
        self._resting: list[PatientConnection] = []

    @contextmanager
    def transaction(self, *, snapshot: bool = False) -> Iterator[Db]:
        """Opens a transaction that commits at the end; `snapshot`: all it reads is of one moment."""
        try:
            with self._begun(
                "begin isolation level repeatable read" if snapshot else "begin"
            ) as db:
                yield db
        except psycopg.Error as error:
            raise as_told(error, self.url) from error

    @contextmanager
    def reading(self) -> Iterator[Db]:
        """Opens a transaction: what the server is told holds within one only."""
        with self.transaction() as db:
            yield db

    def close(self) -> None:
        """Ends the sessions."""
        while self._resting:
            self._resting.pop().close()

    @contextmanager
    def _begun(self, begin: str) -> Iterator[Db]:
        """Yields a transaction; its session is kept for the next one unless an error has met it."""
        session = self._session(f"{begin}; {self._telling}")
        try:
            db = Session(session)
            if self.simulated_now is not None:
                simulating = "select set_config('refresher.now', %s, true)"
                session.execute(simulating, [self.simulated_now.isoformat()])
            yield db
            session.execute("commit")
        except BaseException:
            session.close()
            raise
        self._resting.append(session)

    def _session(self, begin: str) -> PatientConnection:
        """Returns a session that has begun; one that broke while it rested is replaced."""
        while self._resting:
            rested = self._resting.pop()
            try:
                rested.execute(begin.encode())
            except psycopg.OperationalError:
                rested.close()
            else:
                return rested
        opened = self.open_plain()
        opened.autocommit = True  # what begins and commits is written here
        send_arrays_in_binary(opened)
        try:
            opened.execute(begin.encode())
        except BaseException:
            opened.close()
            raise
        return opened

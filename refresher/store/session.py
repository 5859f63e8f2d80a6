"""A database, and how statements are executed in a transaction of it.

`pool.py` has the one of a process that works, `plain.py` that of a command that looks. A deadlock, a
serialization failure, or an event whose day was attached meanwhile is tried again by `retrying`.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import is_dataclass
from datetime import datetime
from math import inf
from typing import Any, TypeVar

import psycopg

from refresher.settings.database_url import parts
from refresher.store import binary
from refresher.store.connecting import (
    Patience,
    PatientAsyncConnection,
    PatientConnection,
    driver_arguments,
    server_settings,
    telling,
)
from refresher.store.db import Answer, Db, as_driver
from refresher.store.refusals import is_passing

__all__ = ["Answer", "Database", "Db", "conditions", "first", "many", "one", "retrying", "run"]
T = TypeVar("T")


class Database(ABC):
    """One database, in which transactions are opened.

    `name` is what Postgres shows of its sessions: by it others see that a process still has some.
    `schema` is where the tables are, None where the role's own search path leads to them.
    `sessions_are_ours` is false behind a pooler in transaction mode: then nothing is prepared, and what
    the server must know it is told in each transaction. When true and it is not so, the first
    connection raises `SettingsError`.
    `simulated_now`, when set, is what `refresher_now()` answers inside every transaction: a test
    lives through days in milliseconds. Production code never sets it.
    """

    def __init__(
        self,
        url: str,
        *,
        statement_timeout_seconds: float = 10.0,
        name: str = "refresher",
        schema: str | None = None,
        sessions_are_ours: bool = True,
    ) -> None:
        self.url = url
        self.schema = schema
        self.sessions_are_ours = sessions_are_ours
        self.simulated_now: datetime | None = None
        self._of_url, ours = parts(url), sessions_are_ours
        self._connect_arguments = driver_arguments(self._of_url, name, once_a_session=ours)
        settings = server_settings(self._of_url, statement_timeout_seconds, schema)
        self._telling = telling(settings, once_a_session=ours)
        self._patience = Patience(statement_timeout_seconds)
        self._endless = Patience(inf)

    @abstractmethod
    def transaction(self, *, snapshot: bool = False) -> AbstractContextManager[Db]:
        """Opens a transaction that commits at the end; `snapshot`: all it reads is of one moment."""

    @abstractmethod
    def reading(self) -> AbstractContextManager[Db]:
        """Opens a connection for statements that only read, each its own transaction if it may be."""

    @abstractmethod
    def close(self) -> None:
        """Ends what is open."""

    def open_plain(self) -> PatientConnection:
        """Returns a session outside the pool that was told nothing yet. Raises `psycopg.Error`."""
        made = PatientConnection.connect(**self._named())
        made.patience = self._patience
        return made

    async def open_async(self) -> psycopg.AsyncConnection[Any]:
        """Returns a session outside the pool for one event loop, each statement its own transaction.

        It is for hot statements (`binary.py`) alone. Raises `psycopg.Error`.
        """
        made = await PatientAsyncConnection.connect(**self._named(), autocommit=True)
        made.patience = self._patience
        binary.send_in_one_go(made)
        if self.sessions_are_ours:
            await made.execute(self._telling.encode())
            await made.execute(f"set plan_cache_mode = {binary.PLAN_ONCE}")
        return made

    def told_in_transaction(self) -> list[bytes]:
        """Returns what a transaction of `open_async`'s session must begin with; often nothing."""
        return [] if self.sessions_are_ours else [self._telling.encode()]

    def _named(self) -> dict[str, Any]:
        return {**self._of_url, **self._connect_arguments}

    def hurry(self) -> None:
        """Has statements end within seconds from here on, for this process is to stop."""
        self._patience.hurry()
        self._endless.hurry()


def run(db: Db, sql: str, /, **values: object) -> Answer:
    """Executes a statement, `:name` in it standing for the value of that name; others are ignored."""
    found: Answer = db.exec_driver_sql(as_driver(sql), values)
    return found


def many(db: Db, kind: type[T], sql: str, /, **values: object) -> list[T]:
    """Returns each row as a value of `kind`: a dataclass by its columns' names, else its one column.

    A null stays None; only `first` promises to tell it.
    """
    found = run(db, sql, **values)
    if is_dataclass(kind):
        return [kind(**row) for row in found.mappings()]
    make: Any = kind  # such as a float of a `numeric`
    made: list[Any] = [v if v is None or isinstance(v, make) else make(v) for v in found.scalars()]
    return made


def first(db: Db, kind: type[T], sql: str, /, **values: object) -> T | None:
    """Returns the first row as a value of `kind`; None where there is no row, or it is a null."""
    found = many(db, kind, sql, **values)
    return found[0] if found else None


def one(db: Db, kind: type[T], sql: str, /, **values: object) -> T:
    """Returns the only row as a value of `kind`."""
    (found,) = many(db, kind, sql, **values)
    return found


def conditions(given: Mapping[str, object]) -> str:
    """Returns the conditions, in SQL, whose values are given: those that are not None."""
    return " and ".join(["true", *(sql for sql, value in given.items() if value is not None)])


def retrying(work: Callable[[], T], *, tries: int = 5) -> T:
    """Returns `work()`, done again where that helps: Postgres chose it as a deadlock's victim, say."""
    for _ in range(tries - 1):
        try:
            return work()
        except Exception as error:
            if not is_passing(error):
                raise
            time.sleep(0.01)
    return work()

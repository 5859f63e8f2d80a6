"""Opens Postgres: the engine, its time-outs, and `transaction()`, the one place that commits.

Errors of the driver that mean "Postgres is away", or takes no writes, leave here as
`DatabaseUnavailable`, in a sentence without the password; which ones: `refusals.py`. A deadlock, a
serialization failure, or an event whose day was attached meanwhile is tried again by `retrying`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import is_dataclass
from datetime import datetime
from functools import lru_cache
from math import inf
from typing import Any, TypeVar

import psycopg
from sqlalchemy import (
    Connection,
    CursorResult,
    Engine,
    TextClause,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import NullPool

from refresher.errors import DatabaseUnavailable
from refresher.settings.database_url import where
from refresher.store import binary
from refresher.store.connecting import (
    Patience,
    PatientAsyncConnection,
    PatientConnection,
    driver_arguments,
    note_rest,
    opens,
    ping_after_rest,
    refuse_shared_sessions,
    send_arrays_in_binary,
    server_settings,
    telling,
)
from refresher.store.refusals import as_told, is_passing, is_stale

T = TypeVar("T")
Db = Connection
"""An open transaction: what every function under `store/` takes first."""
DatabaseError = DBAPIError
"""Any error of the driver: a value Postgres refuses, or (see `as_told`) Postgres being away."""


class Database:
    """A pool of connections to one database.

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
        pool_size: int = 10,
        statement_timeout_seconds: float = 10.0,
        name: str = "refresher",
        schema: str | None = None,
        sessions_are_ours: bool = True,
    ) -> None:
        self.url = url
        self.schema = schema
        self.sessions_are_ours = sessions_are_ours
        self.simulated_now: datetime | None = None
        parsed, ours = make_url(url), sessions_are_ours
        self._connect_arguments = driver_arguments(parsed, name, once_a_session=ours)
        settings = server_settings(parsed, statement_timeout_seconds, schema)
        self._telling = telling(settings, once_a_session=ours)
        self._looked_for_pooler = not ours
        self.engine: Engine = create_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=30,
            hide_parameters=True,  # an error's text must not carry what was to be stored
            connect_args=self._connect_arguments,
            execution_options={binary.PLANS_ARE_KEPT: ours},
        )
        self._patience = Patience(statement_timeout_seconds)
        self._endless = Patience(inf)
        self._reading = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._still = self.engine.execution_options(isolation_level="REPEATABLE READ")
        self._follow()

    def _follow(self) -> None:
        """Has SQLAlchemy call us at what happens to a session."""
        event.listen(self.engine, "do_connect", opens(self._patience))
        event.listen(self.engine, "connect", send_arrays_in_binary)
        if self.sessions_are_ours:
            event.listen(self.engine, "connect", self._tell_session)
        else:
            event.listen(self.engine, "begin", self._tell_transaction)
        event.listen(self.engine, "before_cursor_execute", binary.before_others)
        event.listen(self.engine, "rollback", binary.rolled_back)
        event.listen(self.engine, "rollback_savepoint", binary.rolled_back)
        event.listen(self.engine, "checkin", note_rest)
        event.listen(self.engine, "checkout", ping_after_rest)

    @contextmanager
    def transaction(self, *, snapshot: bool = False) -> Iterator[Connection]:
        """Opens a transaction that commits at the end; `snapshot`: all it reads is of one moment."""
        try:
            with (self._still if snapshot else self.engine).begin() as db, _left_clean(db):
                if self.simulated_now is not None:
                    db.execute(
                        text("select set_config('refresher.now', :now, true)"),
                        {"now": self.simulated_now.isoformat()},
                    )
                yield db
        except (DBAPIError, psycopg.Error) as error:
            raise as_told(error, self.url) from error
        except PoolTimeout as error:
            raise _exhausted() from error

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Opens a pooled connection for statements that only read, each its own transaction.

        Neither a BEGIN nor a COMMIT is waited for: a third of the round trips.
        """
        if self.simulated_now is not None or not self.sessions_are_ours:
            # What is set holds within a transaction only.
            with self.transaction() as db:
                yield db
            return
        try:
            with self._reading.connect() as db, _left_clean(db):
                yield db
        except (DBAPIError, psycopg.Error) as error:
            raise as_told(error, self.url) from error
        except PoolTimeout as error:
            raise _exhausted() from error

    @contextmanager
    def session(self, *, waits: bool = False) -> Iterator[Connection]:
        """Opens a connection outside the pool, each statement its own transaction.

        For what belongs to the session itself: an advisory lock that lasts as long as we do. Behind a
        pooler in transaction mode nothing may rely on it. `waits`: it is kept however long the server
        hangs, until `hurry`.
        """
        engine = create_engine(
            self.url,
            poolclass=NullPool,
            hide_parameters=True,
            isolation_level="AUTOCOMMIT",
            connect_args=self._connect_arguments,
        )
        event.listen(engine, "do_connect", opens(self._endless if waits else self._patience))
        event.listen(engine, "connect", self._tell_session)
        try:
            with engine.connect() as db:
                yield db
        except (DBAPIError, psycopg.Error) as error:
            raise as_told(error, self.url) from error
        finally:
            engine.dispose()

    def open_plain(self) -> psycopg.Connection[Any]:
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
        of_url = self.engine.dialect.create_connect_args(self.engine.url)[1]
        return {**of_url, **self._connect_arguments}

    def _tell_session(self, session: psycopg.Connection[Any], _record: object) -> None:
        try:
            self._begin_session(session)
        except BaseException:
            session.close()  # the pool knows nothing of it yet
            raise

    def _begin_session(self, session: psycopg.Connection[Any]) -> None:
        before, session.autocommit = session.autocommit, True
        if not self._looked_for_pooler:
            refuse_shared_sessions(session, self.open_plain, where(self.url))
            self._looked_for_pooler = True
        session.execute(self._telling.encode())
        session.autocommit = before

    def _tell_transaction(self, db: Connection) -> None:
        db.exec_driver_sql(self._telling)

    def hurry(self) -> None:
        """Has statements end within seconds from here on, for this process is to stop."""
        self._patience.hurry()
        self._endless.hurry()

    def close(self) -> None:
        """Closes the pool."""
        self.engine.dispose()


def _exhausted() -> DatabaseUnavailable:
    return DatabaseUnavailable(
        "no free database connection within 30 s: raise REFRESHER_DATABASE_POOL_SIZE"
    )


def run(db: Db, sql: str, /, **values: object) -> CursorResult[*tuple[Any, ...]]:
    """Executes a statement, `:name` in it standing for the value of that name; others are ignored."""
    return db.execute(_statement(sql), values)


def many(db: Db, kind: type[T], sql: str, /, **values: object) -> list[T]:
    """Returns each row as a value of `kind`: a dataclass by its columns' names, else its one column.

    A null stays None; only `first` promises to tell it.
    """
    found = db.execute(_statement(sql), values)
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


@lru_cache(maxsize=1_000)
def _statement(sql: str) -> TextClause:
    return text(sql)


def retrying(work: Callable[[], T], *, tries: int = 5) -> T:
    """Returns `work()`, done again where that helps: Postgres chose it as a deadlock's victim, say."""
    for _ in range(tries - 1):
        try:
            return work()
        except DBAPIError as error:
            if not is_passing(error):
                raise
            time.sleep(0.01)
    return work()


@contextmanager
def _left_clean(db: Connection) -> Iterator[None]:
    """Closes a session that an error has shown to be unusable, instead of giving it to the next."""
    try:
        yield
    except (DBAPIError, psycopg.Error) as error:
        if is_stale(error):
            db.invalidate()
        raise

"""A pool of sessions for a process that works: the engine, its time-outs, and the one that commits.

Errors of the driver that mean "Postgres is away", or takes no writes, leave here as
`DatabaseUnavailable`, in a sentence without the password; which ones: `refusals.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from refresher.errors import DatabaseUnavailable
from refresher.settings.database_url import where
from refresher.store import binary
from refresher.store.connecting import (
    Patience,
    PatientConnection,
    refuse_shared_sessions,
    send_arrays_in_binary,
)
from refresher.store.db import Db
from refresher.store.refusals import as_told, is_stale
from refresher.store.session import Database

DatabaseError = DBAPIError
"""Any error of the driver: a value Postgres refuses, or (see `as_told`) Postgres being away."""
PING_AFTER_SECONDS = 1.0


class Pool(Database):
    """A pool of `pool_size` connections to one database."""

    def __init__(
        self, url: str, *, pool_size: int = 10, sessions_are_ours: bool = True, **named: Any
    ) -> None:
        super().__init__(url, sessions_are_ours=sessions_are_ours, **named)
        self._looked_for_pooler = not sessions_are_ours
        self.engine: Engine = create_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=30,
            hide_parameters=True,  # an error's text must not carry what was to be stored
            connect_args=self._connect_arguments,
            execution_options={binary.PLANS_ARE_KEPT: sessions_are_ours},
        )
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

    def close(self) -> None:
        """Closes the pool."""
        self.engine.dispose()


def _exhausted() -> DatabaseUnavailable:
    return DatabaseUnavailable(
        "no free database connection within 30 s: raise REFRESHER_DATABASE_POOL_SIZE"
    )


def note_rest(_connection: object, record: ConnectionPoolEntry) -> None:
    """Remembers since when a connection is idle."""
    record.info["rests_since"] = monotonic()


def ping_after_rest(
    connection: psycopg.Connection[object], record: ConnectionPoolEntry, _proxy: object
) -> None:
    """Replaces a connection that died while it was idle; a busy one is not asked each time.

    A ping before each transaction (`pool_pre_ping`) costs a busy worker 4 to 7 % of its rate.
    """
    rests_since = record.info.get("rests_since")
    if rests_since is None or monotonic() - rests_since < PING_AFTER_SECONDS:
        return
    try:
        connection.execute("select 1")
        connection.rollback()
    except psycopg.Error as error:
        raise DisconnectionError from error


def opens(patience: Patience) -> Callable[..., PatientConnection]:
    """Returns what SQLAlchemy calls to open a session (`do_connect`)."""

    def connect(_dialect: object, _record: object, given: Any, named: Any) -> PatientConnection:
        made = PatientConnection.connect(*given, **named)
        made.patience = patience
        return made

    return connect


def wait_for_ever(db: Db) -> None:
    """Lets the rest of a transaction take its time, on both sides."""
    db.execute(text("set local statement_timeout = 0"))
    driver = db.connection.driver_connection
    assert isinstance(driver, PatientConnection)
    driver.patience, before = None, driver.patience

    def restore(*_event: object) -> None:
        driver.patience = before

    for end in ("commit", "rollback"):
        event.listen(db, end, restore, once=True)


@contextmanager
def _left_clean(db: Connection) -> Iterator[None]:
    """Closes a session that an error has shown to be unusable, instead of giving it to the next."""
    try:
        yield
    except (DBAPIError, psycopg.Error) as error:
        if is_stale(error):
            db.invalidate()
        raise

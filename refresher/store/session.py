"""Opens Postgres: the engine, its time-outs, and `transaction()`, the one place that commits.

Errors of the driver that mean "Postgres is away", or takes no writes, leave here as
`DatabaseUnavailable`, in a sentence without the password; which ones: `refusals.py`. A deadlock or a
serialization failure is tried again by `retrying`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar, cast

import psycopg
from psycopg.types.array import ListBinaryDumper
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from refresher.errors import DatabaseNotMigrated, DatabaseRefusesWrites, DatabaseUnavailable
from refresher.store import arrays, hot
from refresher.store.refusals import Nature, first_line, is_stale, nature_of

T = TypeVar("T")
Db = Connection
"""An open transaction: what every function under `store/` takes first."""
DatabaseError = DBAPIError
"""Any error of the driver: a value Postgres refuses, or (see `as_told`) Postgres being away."""
PING_AFTER_SECONDS = 1.0
_AGAIN = {"40001", "40P01"}  # serialization failure, deadlock detected


class Database:
    """A pool of connections to one database.

    `name` is what Postgres shows of its sessions: by it others see that a process still has some.
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
    ) -> None:
        self.url = url
        self.simulated_now: datetime | None = None
        self._connect_arguments = connect_arguments(statement_timeout_seconds, name)
        self.engine: Engine = create_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=30,
            hide_parameters=True,  # an error's text must not carry what was to be stored
            connect_args=self._connect_arguments,
        )
        self._reading = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        event.listen(self.engine, "connect", _send_arrays_in_binary)
        event.listen(self.engine, "before_cursor_execute", hot.before_others)
        event.listen(self.engine, "rollback", hot.rolled_back)
        event.listen(self.engine, "checkin", _note_rest)
        event.listen(self.engine, "checkout", _ping_after_rest)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Opens a transaction that commits at the end of the block, or rolls back on an error."""
        try:
            with self.engine.begin() as db, _left_clean(db):
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
        if self.simulated_now is not None:  # which holds within a transaction only
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
    def session(self) -> Iterator[Connection]:
        """Opens a connection outside the pool, each statement its own transaction.

        For what belongs to the session itself: an advisory lock that lasts as long as we do.
        """
        engine = create_engine(
            self.url,
            poolclass=NullPool,
            hide_parameters=True,
            isolation_level="AUTOCOMMIT",
            connect_args=self._connect_arguments,
        )
        try:
            with engine.connect() as db:
                yield db
        except (DBAPIError, psycopg.Error) as error:
            raise as_told(error, self.url) from error
        finally:
            engine.dispose()

    async def open_async(self) -> psycopg.AsyncConnection[Any]:
        """Returns a session outside the pool for one event loop, each statement its own transaction.

        It is for hot statements (`hot.py`) alone. Raises `psycopg.Error`.
        """
        of_url = self.engine.dialect.create_connect_args(self.engine.url)[1]
        named: dict[str, Any] = {**of_url, **self._connect_arguments, "autocommit": True}
        made = await psycopg.AsyncConnection.connect(**named)
        arrays.send_in_one_go(made)
        await made.execute(f"set plan_cache_mode = {hot.PLAN_ONCE}")
        return made

    def close(self) -> None:
        """Closes the pool."""
        self.engine.dispose()


def _exhausted() -> DatabaseUnavailable:
    return DatabaseUnavailable(
        "no free database connection within 30 s: raise REFRESHER_DATABASE_POOL_SIZE"
    )


def _note_rest(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info["rests_since"] = time.monotonic()


def _ping_after_rest(
    connection: psycopg.Connection[object], record: ConnectionPoolEntry, _proxy: object
) -> None:
    """Replaces a connection that died while it was idle; a busy one is not asked each time.

    A ping before each transaction (`pool_pre_ping`) costs a busy worker 4 to 7 % of its rate.
    """
    rests_since = record.info.get("rests_since")
    if rests_since is None or time.monotonic() - rests_since < PING_AFTER_SECONDS:
        return
    try:
        connection.execute("select 1")
        connection.rollback()
    except psycopg.Error as error:
        raise DisconnectionError from error


def _send_arrays_in_binary(connection: psycopg.Connection[object], _record: object) -> None:
    """Has psycopg send lists in binary form: a statement on 100 rows takes a third of the time."""
    connection.adapters.register_dumper(list, ListBinaryDumper)
    arrays.send_in_one_go(connection)


def connect_arguments(
    statement_timeout_seconds: float, name: str = "refresher"
) -> dict[str, object]:
    """Returns libpq's arguments: a hung server or a dead peer is noticed within seconds."""
    options = {
        "statement_timeout": f"{statement_timeout_seconds * 1000:.0f}",
        "lock_timeout": f"{statement_timeout_seconds * 500:.0f}",
        "idle_in_transaction_session_timeout": f"{statement_timeout_seconds * 2000:.0f}",
        "timezone": "UTC",
    }
    return {
        "application_name": name,
        "connect_timeout": 5,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
        "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
    }


def retrying(work: Callable[[], T], *, tries: int = 5) -> T:
    """Returns `work()`, done again when Postgres chose it as a deadlock's victim."""
    for _ in range(tries - 1):
        try:
            return work()
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in _AGAIN:
                raise
            time.sleep(0.01)
    return work()


def as_told(error: DBAPIError | psycopg.Error, url: str) -> Exception:
    """Returns what leaves this package for an error: `DatabaseError`, or a sentence about Postgres.

    The driver's own errors are those of hot statements (`hot.py`).
    """
    if isinstance(error, psycopg.Error):
        made = DBAPIError.instance(None, None, error, psycopg.Error, hide_parameters=True)
        error = cast("DBAPIError", made)
    return _unavailable(error, url) or error


def _unavailable(error: DBAPIError, url: str) -> DatabaseUnavailable | DatabaseNotMigrated | None:
    """Returns the sentence for an error that means Postgres is away or has no tables, else None."""
    where = make_url(url).render_as_string(hide_password=True)
    match nature_of(error):
        case Nature.AWAY:
            return DatabaseUnavailable(f"{where} cannot be used: {first_line(error.orig)}")
        case Nature.NO_WRITES:
            return DatabaseRefusesWrites(f"{where} takes no writes: {first_line(error.orig)}")
        case Nature.NO_TABLES:
            return DatabaseNotMigrated(f"{where} has no refresher tables: run `refresher migrate`")
        case Nature.OLDER_TABLES:
            return DatabaseNotMigrated(f"{where} has older tables: run `refresher migrate`")
        case Nature.VALUES:
            return None


@contextmanager
def _left_clean(db: Connection) -> Iterator[None]:
    """Closes a session that an error has shown to be unusable, instead of giving it to the next."""
    try:
        yield
    except (DBAPIError, psycopg.Error) as error:
        if is_stale(error):
            db.invalidate()
        raise

"""How long a statement is waited for on our side, whatever the server does about it.

`statement_timeout` is the server's own: one that is suspended, or whose disk hangs, never gets to it,
and its kernel goes on acknowledging what we send, so no time-out of TCP counts. Without a limit here
each thread that asks would hang until the server goes on, and a process could not stop.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from sqlalchemy import Connection, event, text

T = TypeVar("T")
BEYOND_SECONDS = 5.0
"""What a server may take beyond its own time-out to tell us so."""
HURRIED_SECONDS = 5.0


class Patience:
    """The limit of one database's statements, shortened when the process is to stop."""

    def __init__(self, statement_timeout_seconds: float) -> None:
        self.seconds = statement_timeout_seconds + BEYOND_SECONDS

    def hurry(self) -> None:
        """Has statements end soon, those that are under way too."""
        self.seconds = min(self.seconds, HURRIED_SECONDS)


class Silent(psycopg.OperationalError):
    """The server did not answer in time; the session is closed."""


class PatientConnection(psycopg.Connection[Any]):
    """A session whose statements end, one way or the other. Without `patience` it waits for ever."""

    patience: Patience | None = None

    def wait(self, gen: PQGen[T], *arguments: Any, **named: Any) -> T:
        """Called by psycopg for everything that waits for the server."""
        if self.patience is None:
            return super().wait(gen, *arguments, **named)
        try:
            return super().wait(_limited(gen, self.patience), *arguments, **named)
        except Silent:
            self.pgconn.finish()
            raise


class PatientAsyncConnection(psycopg.AsyncConnection[Any]):
    """The same for an event loop."""

    patience: Patience | None = None

    async def wait(self, gen: PQGen[T], *arguments: Any, **named: Any) -> T:
        """Called by psycopg for everything that waits for the server."""
        if self.patience is None:
            return await super().wait(gen, *arguments, **named)
        try:
            return await super().wait(_limited(gen, self.patience), *arguments, **named)
        except Silent:
            self.pgconn.finish()
            raise


def opens(patience: Patience) -> Callable[..., PatientConnection]:
    """Returns what SQLAlchemy calls to open a session (`do_connect`)."""

    def connect(_dialect: object, _record: object, given: Any, named: Any) -> PatientConnection:
        made = PatientConnection.connect(*given, **named)
        made.patience = patience
        return made

    return connect


def wait_for_ever(db: Connection) -> None:
    """Lets the rest of a transaction take its time, on both sides."""
    db.execute(text("set local statement_timeout = 0"))
    driver = db.connection.driver_connection
    assert isinstance(driver, PatientConnection)
    driver.patience, before = None, driver.patience

    def restore(*_event: object) -> None:
        driver.patience = before

    for end in ("commit", "rollback"):
        event.listen(db, end, restore, once=True)


def _limited(gen: PQGen[T], patience: Patience) -> Generator[Any, Any, T]:
    """Passes on what psycopg's own steps wait for; it comes back ten times a second with nothing."""
    began = monotonic()
    try:
        ready = yield next(gen)
        while True:
            if not ready and monotonic() - began > patience.seconds:
                raise Silent(f"no answer within {patience.seconds:g} s")
            ready = yield gen.send(ready)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # what the steps return

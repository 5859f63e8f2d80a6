"""Looks at the database for a page: nothing is written, and no statement takes long.

A look that a person waits for must not become a statement that Postgres works on for minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from refresher.errors import DatabaseUnavailable, RefresherError
from refresher.store.refusals import driver_error
from refresher.store.session import Database, Db

CANCELLED = "57014"
"""SQLSTATE query_canceled: our own time-out, or somebody's pg_cancel_backend."""


class TooSlow(RefresherError):
    """A look took longer than it may."""


@contextmanager
def looking(database: Database, seconds: float = 1.0) -> Iterator[Db]:
    """Opens a transaction that only reads; raises `TooSlow` for a statement that takes longer."""
    limit = f"set transaction read only; set local statement_timeout = {int(seconds * 1_000)}"
    try:
        with database.transaction() as db:
            db.exec_driver_sql(limit)
            yield db
    except DatabaseUnavailable as error:
        if _was_cancelled(error):
            raise TooSlow("Postgres took too long to answer") from error
        raise


def _was_cancelled(error: DatabaseUnavailable) -> bool:
    cause = error.__cause__
    return cause is not None and getattr(driver_error(cause), "sqlstate", None) == CANCELLED

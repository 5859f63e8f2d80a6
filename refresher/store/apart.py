"""A part of a transaction whose failure undoes that part alone, where the rest can go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from psycopg.pq import TransactionStatus

from refresher.store.refusals import is_passing, is_stale
from refresher.store.session import DatabaseError, Db


@contextmanager
def apart(db: Db, failed: Callable[[Exception], None]) -> Iterator[None]:
    """Has what the block does undone on an error, of which `failed` is told; the transaction goes on.

    Raises what ends the whole of it (the server is away, the session is of no use), and a deadlock,
    after which all is tried again.
    """
    try:
        with db.begin_nested():
            yield
    except Exception as error:
        again = isinstance(error, DatabaseError) and is_passing(error)
        if again or is_stale(error) or not _goes_on(db):
            raise
        failed(error)


def _goes_on(db: Db) -> bool:
    if db.closed or db.invalidated:
        return False
    driver: Any = db.connection.driver_connection
    return bool(driver.info.transaction_status == TransactionStatus.INTRANS)

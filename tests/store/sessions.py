"""Ends sessions from outside, as a restart of Postgres does."""

from sqlalchemy import text

from refresher.store.pool import Pool
from refresher.store.session import Database


def end_sessions(database: Database) -> int:
    """Has Postgres end every session of a database; returns how many."""
    ended = text(
        "select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
    )
    other = Pool(database.url)
    try:
        with other.transaction() as db:
            return int(db.execute(ended).scalar_one())
    finally:
        other.close()

"""Brings the schema up to date, and tells whether it is: Alembic on `migrations/`.

Two migrations at the same time (two services deployed at once) take turns on an advisory lock; the
second finds nothing to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection as Db
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from refresher.errors import DatabaseNotMigrated
from refresher.store.session import connect_arguments, unavailable

_LOCK = 0x7265667265736831  # "refresh1" in ASCII


def upgrade(url: str) -> tuple[str | None, str]:
    """Runs the pending migrations; returns the revision before and after."""
    with _connected(url) as db:
        db.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        before = MigrationContext.configure(db).get_current_revision()
        _refuse_newer(before)
        config = _config()
        config.attributes["connection"] = db
        command.upgrade(config, "head")
        return before, newest()


def check(db: Db) -> None:
    """Raises `DatabaseNotMigrated` unless the schema is exactly the one this program knows."""
    current = MigrationContext.configure(db).get_current_revision()
    _refuse_newer(current)
    if current != newest():
        was = f"is at migration {current}" if current else "has no refresher tables"
        raise DatabaseNotMigrated(
            f"the database {was}, {newest()} is needed: run `refresher migrate`"
        )


def newest() -> str:
    """Returns the revision that this program's tables are at."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def _refuse_newer(current: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if current is not None and current not in known:
        raise DatabaseNotMigrated(
            f"the database is at migration {current}, which this version does not know: "
            "a newer refresher has been here; deploy that version"
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_directory()).replace("%", "%%"))
    return config


def _directory() -> Path:
    """Returns the migrations: beside the package in a checkout, inside it when installed."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "_migrations"
    return inside if inside.is_dir() else package.parent / "migrations"


@contextmanager
def _connected(url: str) -> Iterator[Db]:
    # A migration may take longer than a statement of the service ever should: ten minutes.
    engine = create_engine(url, poolclass=NullPool, connect_args=connect_arguments(600))
    try:
        with engine.begin() as db:
            yield db
    except DBAPIError as error:
        raise unavailable(error, url) or error from error
    finally:
        engine.dispose()

"""Brings the schema up to date, and tells whether it is: Alembic on `migrations/`.

Two migrations at the same time (two services deployed at once) take turns on an advisory lock; the
second finds nothing to do. Alembic is loaded only to migrate: every process asks at its start which
revision the database is at, and that is one query and a look at the files. Whose tables are there
already is `ownership.py`'s question.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection as Db
from sqlalchemy import create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from refresher.errors import DatabaseNewer, DatabaseNotMigrated
from refresher.store import ownership
from refresher.store.connecting import driver_arguments, server_settings, telling
from refresher.store.session import as_told

if TYPE_CHECKING:
    from alembic.config import Config

MOST_SECONDS = 600
"""A migration may take longer than a statement of the service ever should."""
_LOCK = 0x7265667265736831  # "refresh1" in ASCII
_NAMES = re.compile(r"""^(down_)?revision\b[^=\n]*=\s*["']([^"']+)["']""", re.MULTILINE)


def upgrade(url: str, schema: str | None = None) -> tuple[str | None, str]:
    """Runs the pending migrations; returns the revision before and after.

    `schema` is made where it is missing. Raises `DatabaseNotMigrated` where tables of others are in the
    way, or newer ones of ours.
    """
    from alembic import command  # noqa: PLC0415  a fifth of a process's start, see above

    with _connected(url, schema) as db:
        db.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        if schema is not None:
            ownership.make_schema(db, schema)
        before = _current(db)
        _refuse_newer(before)
        if before is None:
            ownership.refuse_unfit(db, schema)
        else:
            ownership.take_version_table(db)
        config = _config()
        config.attributes["connection"] = db
        command.upgrade(config, "head")
        return before, newest()


def check(db: Db) -> None:
    """Raises `DatabaseNotMigrated` unless the schema is exactly the one this program knows."""
    current = _current(db)
    _refuse_newer(current)
    if current != newest():
        was = f"is at migration {current}" if current else "has no refresher tables"
        raise DatabaseNotMigrated(
            f"the database {was}, {newest()} is needed: run `refresher migrate`"
        )


def newest() -> str:
    """Returns the revision that this program's tables are at."""
    known, followed = _revisions()
    (head,) = known - followed
    return head


def _current(db: Db) -> str | None:
    return ownership.revision(db)


@cache
def _revisions() -> tuple[frozenset[str], frozenset[str]]:
    """Returns every revision there is, and those that another one follows."""
    files = sorted((_directory() / "versions").glob("*.py"))
    named = [pair for file in files for pair in _NAMES.findall(file.read_text(encoding="utf-8"))]
    known = frozenset(name for down, name in named if not down)
    return known, frozenset(name for down, name in named if down)


def _refuse_newer(current: str | None) -> None:
    known, _ = _revisions()
    if current is not None and current not in known:
        raise DatabaseNewer(
            f"the database is at migration {current}, which this version does not know: "
            "a newer refresher has been here; deploy that version"
        )


def _config() -> Config:
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_directory()).replace("%", "%%"))
    return config


def _directory() -> Path:
    """Returns the migrations: beside the package in a checkout, inside it when installed."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "_migrations"
    return inside if inside.is_dir() else package.parent / "migrations"


@contextmanager
def _connected(url: str, schema: str | None = None) -> Iterator[Db]:
    # All in one transaction, which any pooler keeps together.
    parsed = make_url(url)
    arguments = driver_arguments(parsed, "refresher migrate", once_a_session=False)
    told = telling(server_settings(parsed, MOST_SECONDS, schema), once_a_session=False)
    engine = create_engine(url, poolclass=NullPool, connect_args=arguments)
    event.listen(engine, "begin", lambda db: db.exec_driver_sql(told))
    try:
        with engine.begin() as db:
            yield db
    except DBAPIError as error:
        raise as_told(error, url) from error
    finally:
        engine.dispose()

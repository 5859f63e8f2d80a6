"""Checks the PostgreSQL server: reachable, migrated, and set up so that claims and leases hold."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from refresher.errors import DatabaseNotMigrated, DatabaseRefusesWrites, DatabaseUnavailable
from refresher.insight.doctor import Finding, fail, ok, warn
from refresher.rules.words import span
from refresher.settings import Settings
from refresher.store import gauges, inspection, migrate, table_forms
from refresher.store.inspection import DatabaseServer
from refresher.store.session import Database

OLDEST_VERSION = 140_000
MOST_SKEW_SECONDS = 2.0
TEMPLATE0 = "(create database … template template0)"


def no_url() -> Finding:
    """Returns the finding for a database that nobody named."""
    return fail(
        "database",
        "DATABASE_URL is not set",
        "give a PostgreSQL URL, or run `refresher up`, which brings its own database",
    )


def check(settings: Settings, database: Database) -> Iterator[Finding]:
    """Yields findings on the server; a failed "database" means that nothing else can be looked at."""
    try:
        with database.transaction() as db:
            server = inspection.server(db)
            skew = (server.now - datetime.now(UTC)).total_seconds()
    except DatabaseUnavailable as error:
        yield fail("database", str(error), reach(str(error)))
        return
    yield ok("database", f"PostgreSQL {server.version} answers as database {server.database}")
    yield from _server(server)
    if not server.read_only:
        yield from _writes(database)
    yield _clock(skew)
    yield _sessions(settings, database)
    yield _tables(database)


def reach(message: str) -> str:
    """Returns what to do about a server that does not let us in."""
    if "startup parameter" in message:
        return (
            "a pooler refuses the `options` of DATABASE_URL (or PGOPTIONS): take them out, or tell it "
            "to ignore them (ignore_startup_parameters)"
        )
    if "does not exist" in message:
        return "create it, or put DATABASE_URL right"
    if "password" in message or "authentication" in message:
        return "put user and password in DATABASE_URL right"
    return "start PostgreSQL, or put host and port in DATABASE_URL right"


def _server(server: DatabaseServer) -> Iterator[Finding]:
    if server.version_number < OLDEST_VERSION:
        message = f"PostgreSQL {server.version} is too old"
        yield fail("version", message, "run PostgreSQL 14 or newer")
    if server.read_only:
        yield fail(
            "writable",
            "the server is read-only (a standby, or default_transaction_read_only is on)",
            "point DATABASE_URL at the primary",
        )
    if server.isolation == "read committed":
        yield ok("isolation", "transactions are read committed")
    else:
        yield fail(
            "isolation",
            f"transactions are {server.isolation}, under which claims abort each other",
            f'alter database "{server.database}" set default_transaction_isolation = '
            "'read committed'",
        )
    if server.encoding != "UTF8":
        yield warn(
            "encoding",
            f"the database's encoding is {server.encoding}: names it cannot hold are refused",
            f"move to a database made with encoding 'UTF8' {TEMPLATE0}",
        )
    if server.autovacuum:
        yield ok("autovacuum", "autovacuum is on")
    else:
        yield fail(
            "autovacuum",
            "autovacuum (or track_counts) is off: each refresh leaves dead rows, and claims slow down",
            "turn both on in the server's configuration",
        )


def _writes(database: Database) -> Iterator[Finding]:
    """Yields nothing when a refresh may write: then there is nothing to say."""
    try:
        with database.transaction() as db:
            gauges.try_writes(db)
    except DatabaseRefusesWrites as error:
        yield fail("writable", str(error), "give the role of DATABASE_URL its permissions back")
    except (DatabaseNotMigrated, DatabaseUnavailable):
        return  # told by the checks of the tables and of the server


def _clock(skew: float) -> Finding:
    if abs(skew) <= MOST_SKEW_SECONDS:
        return ok("clock", "the database's clock agrees with this machine's")
    side = "ahead of" if skew > 0 else "behind"
    return warn(
        "clock",
        f"the database's clock is {span(abs(skew))} {side} this machine's; the database's counts",
        "let both follow the same time server",
    )


def _sessions(settings: Settings, database: Database) -> Finding:
    if not settings.liveness_lock:
        return ok(
            "liveness lock", "it is turned off: what a killed process held waits for its lease"
        )
    try:
        ours = inspection.sessions_are_ours(database)
    except DatabaseUnavailable as error:
        return warn("liveness lock", f"it cannot be tried: {error}", "run `refresher doctor` again")
    if ours:
        return ok("liveness lock", "sessions keep their locks")
    return fail(
        "liveness lock",
        "a session loses its locks: DATABASE_URL leads to a pooler in transaction mode",
        "connect to Postgres itself or to a pooler in session mode, or set "
        "REFRESHER_LIVENESS_LOCK to false",
    )


def _tables(database: Database) -> Finding:
    try:
        with database.transaction() as db:
            migrate.check(db)
            number = table_forms.partitions(db)
    except DatabaseNotMigrated as error:
        message = str(error)
        if "newer refresher" in message:
            return fail("database", message, "deploy that version, here too")
        return fail(
            "database", message.removesuffix(": run `refresher migrate`"), "`refresher migrate`"
        )
    form = f"; connections are in {number} partitions" if number > 1 else ""
    return ok("tables", f"the schema is at migration {migrate.newest()}, as it should be{form}")

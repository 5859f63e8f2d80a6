"""What a benchmark asks of a database that is its own: is it empty, make all rows due, how far is it.

What the events add up to is in `refresher/store/statistics.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import TextClause, text

from bench.refreshes.plan import Order
from refresher.store.migrate import VERSION_TABLE
from refresher.store.session import Db
from refresher.store.tables import metadata

OURS = [*metadata.tables, VERSION_TABLE]
TELLING = ("server_version", "synchronous_commit", "fsync", "full_page_writes", "shared_buffers",
           "max_wal_size", "max_connections", "autovacuum")  # fmt: skip


_AT_ONCE: dict[Order, TextClause] = {
    "heap": text("update refresh_schedule set due_at = :due_at"),
    # A claim takes them by due time: within this millisecond from anywhere in the table.
    "shuffled": text(
        "update refresh_schedule set "
        "due_at = cast(:due_at as timestamptz) + random() * interval '1 millisecond'"
    ),
}
_IN_TURN = text(
    """
    with chosen as materialized (
        select connection_id from refresh_schedule order by due_at limit :count
    ), turn as (
        select connection_id, row_number() over () - 1 as n from chosen
    )
    update refresh_schedule s
    set due_at = cast(:due_at as timestamptz)
        + turn.n / cast(:per_second as float8) * interval '1 second'
    from turn where turn.connection_id = s.connection_id
    """
)
"""By due time, which `schedule_for_tomorrow` drew: rows of all ages and places, as in production."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: `written` events since the start, at this instant of the database's clock."""

    written: int
    at: datetime
    is_over: bool


def strangers(db: Db) -> list[str]:
    """Returns the tables that make this database somebody's: foreign ones, and ours with rows."""
    found = db.execute(
        text(
            "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace "
            "where c.relkind in ('r', 'p') and not c.relispartition and n.nspname not like 'pg\\_%' "
            "and n.nspname <> 'information_schema' order by 1"
        )
    ).scalars()
    named = list(found)
    return [
        name for name in named if name not in OURS or (name in metadata and _has_rows(db, name))
    ]


def _has_rows(db: Db, table: str) -> bool:
    # A name out of our own metadata.
    statement = text(f"select exists (select from {table})")
    return bool(db.execute(statement).scalar_one())


def empty(db: Db) -> None:
    """Deletes every row of ours: what a benchmark made, in a database that was empty before."""
    db.execute(text("truncate " + ", ".join(metadata.tables)))


def count_statements(db: Db) -> None:
    """Has the server log the statements of sessions that begin from now on, without their values."""
    name = db.execute(text("select quote_ident(current_database())")).scalar_one()
    for setting in ("log_statement = 'all'", "log_parameter_max_length = 0"):
        db.execute(text(f"alter database {name} set {setting}"))


def leave_uncounted(db: Db) -> None:
    """Keeps this session's statements out of that log."""
    db.execute(text("set log_statement = 'none'"))


def make_some_due(db: Db, most: int) -> int:
    """Makes some rows due now, for a warm-up; returns how many."""
    statement = text(
        "update refresh_schedule set due_at = refresher_now() where connection_id in "
        "(select connection_id from refresh_schedule limit :most)"
    )
    made: int = db.execute(statement, {"most": most}).rowcount
    return made


def schedule_for_tomorrow(db: Db) -> None:
    """Has nothing be due today, and tidies up; `db` is a session outside transactions.

    As autovacuum would in time, so that a run meets neither dead rows nor tables without statistics.
    """
    db.execute(text("set statement_timeout = 0"))
    db.execute(
        text(
            "update refresh_schedule set "
            "due_at = refresher_now() + interval '1 day' + random() * interval '1 hour'"
        )
    )
    _tidy(db)


def make_due(
    db: Db,
    in_seconds: float,
    *,
    count: int,
    per_second: float | None = None,
    order: Order = "heap",
) -> datetime:
    """Makes rows due from an instant on, which it returns; `db` is a session outside transactions.

    All at that instant; or, `per_second`, `count` of them one after the other. Then tidies up.
    """
    due_at: datetime = db.execute(
        text("select clock_timestamp() + :seconds * interval '1 second'"), {"seconds": in_seconds}
    ).scalar_one()
    if per_second is None:
        db.execute(_AT_ONCE[order], {"due_at": due_at})
    else:
        values = {"due_at": due_at, "per_second": per_second, "count": count}
        db.execute(_IN_TURN, values)
    _tidy(db)
    return due_at


def _tidy(db: Db) -> None:
    db.execute(text("vacuum analyze refresh_schedule, connection, refresh_event, app"))


def is_past(db: Db, instant: datetime) -> bool:
    """Whether an instant has passed on the database's clock."""
    return bool(db.execute(text("select clock_timestamp() > :it"), {"it": instant}).scalar_one())


def checkpoint(db: Db) -> None:
    """Writes out what the preparation left in memory; only for a server that is ours."""
    db.execute(text("checkpoint"))


def newest_event(db: Db) -> int:
    """Returns the number of the newest event."""
    return int(db.execute(text("select coalesce(max(id), 0) from refresh_event")).scalar_one())


def progress(db: Db, *, after: int, connections: int) -> Progress:
    """Returns how far it is; costs one look at an index until as many events are written as wanted."""
    written = newest_event(db) - after
    unfinished = text(
        "select exists (select from refresh_schedule where state = 1) or "
        "exists (select from refresh_schedule where state = 0 and due_at <= refresher_now())"
    )
    is_over = written >= connections and not db.execute(unfinished).scalar_one()
    at: datetime = db.execute(text("select clock_timestamp()")).scalar_one()
    return Progress(written, at, is_over)


def longest_lateness_seconds(db: Db, since: datetime) -> float | None:
    """Returns how late the latest refresh was."""
    statement = text(
        "select max(lateness_seconds) from refresh_event "
        "where occurred_at >= :since and kind = 'refreshed'"
    )
    longest: float | None = db.execute(statement, {"since": since}).scalar_one()
    return longest


def server_settings(db: Db) -> dict[str, str]:
    """Returns the settings of the server that a figure depends on."""
    statement = text("select name, current_setting(name) from unnest(cast(:names as text[])) name")
    return {row[0]: row[1] for row in db.execute(statement, {"names": list(TELLING)})}


def server_process_id(db: Db) -> int:
    """Returns the number of the process that serves this session, on its own machine."""
    return int(db.execute(text("select pg_backend_pid()")).scalar_one())


def serves_here(db: Db) -> bool:
    """Whether this session came over a socket file or loopback: the server is on this machine."""
    statement = text(
        "select inet_server_addr() is null or inet_server_addr() << inet '127.0.0.0/8' "
        "or inet_server_addr() = inet '::1'"
    )
    return bool(db.execute(statement).scalar_one())

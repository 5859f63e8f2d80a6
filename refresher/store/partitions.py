"""The days of `refresh_event`: makes them ahead, drops those that are older than they are kept.

Nothing here may hold a refresh up. A day is attached under a lock that lets inserts pass, a drop asks
for its lock for a moment only and tries again the next time, and what no day takes goes to the default
partition, where it stays until it is old.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from refresher.store.session import Db, many, one, run

DAYS_AHEAD = 3
LOCK_MILLISECONDS = 250
MOST_DELETED = 20_000
DEFAULT = "refresh_event_default"
_TURN = 0x7265667265736865
"""The number of the advisory lock that makes two schedulers take turns: "refreshe" in ASCII."""


@dataclass(frozen=True, slots=True)
class Partition:
    """One part of the events' table: what it holds ends before `upper`; None: it takes the rest."""

    name: str
    upper: datetime | None


def take_turn(db: Db) -> bool:
    """Whether nobody else is at it; until the transaction's end."""
    run(db, "select set_config('lock_timeout', :most, true)", most=f"{LOCK_MILLISECONDS}ms")
    return one(db, bool, "select pg_try_advisory_xact_lock(:turn)", turn=_TURN)


def now(db: Db) -> datetime:
    """Returns the database's clock."""
    return one(db, datetime, "select refresher_now()")


def every(db: Db) -> list[Partition]:
    """Returns the partitions that are attached."""
    sql = """
        select c.relname as name, cast(substring(pg_get_expr(c.relpartbound, c.oid)
            from 'TO \\(''([^'']+)''\\)') as timestamptz) as upper
        from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'refresh_event'::regclass order by 2 nulls last
        """
    return many(db, Partition, sql)


def missing(db: Db, today: datetime) -> list[datetime]:
    """Returns the days, from today on, that are to be made: those of which no partition has a part.

    A day of which the default partition holds rows stays there: moving them would hold refreshes up.
    """
    first = midnight(today)
    have = max((p.upper for p in every(db) if p.upper is not None), default=first)
    days = [first + timedelta(days=n) for n in range(DAYS_AHEAD + 1)]
    return [day for day in days if day >= have and not _in_default(db, day)]


def make(db: Db, day: datetime) -> str:
    """Makes the partition of one day; returns its name, or nothing if another made it before."""
    name = f"refresh_event_{day:%Y%m%d}"
    if run(db, "select to_regclass(:name) is not null", name=name).scalar_one():
        return ""
    run(db, f"create table {name} (like refresh_event including defaults including constraints)")
    run(
        db,
        f"alter table refresh_event attach partition {name} for values "
        f"from ('{day.isoformat()}') to ('{(day + timedelta(days=1)).isoformat()}')",
    )
    return name


def detach(db: Db, name: str) -> None:
    """Takes a partition out of the table; `drop_detached` does the rest, without the table's lock."""
    run(db, f"alter table refresh_event detach partition {name}")


def drop_detached(db: Db) -> list[str]:
    """Drops the days that were taken out; returns their names."""
    sql = (
        "select relname from pg_class where relkind = 'r' and not relispartition "
        "and relname ~ '^refresh_event_([0-9]{8}|before)$' "
        "and relnamespace = (select relnamespace from pg_class where oid = 'refresh_event'::regclass)"
    )
    names = many(db, str, sql)
    for name in names:
        run(db, f"drop table if exists {name}")
    return names


def delete_old(db: Db, before: datetime) -> int:
    """Deletes what is older from the default partition, a bounded number; returns how many."""
    sql = (
        f"delete from {DEFAULT} where ctid = any(array(select ctid from {DEFAULT} "  # noqa: S608
        "where occurred_at < :before limit :most))"
    )
    return run(db, sql, before=before, most=MOST_DELETED).rowcount


def midnight(at: datetime) -> datetime:
    """Returns the beginning of the day, in UTC."""
    return datetime.combine(at.astimezone(UTC).date(), time(), UTC)


def _in_default(db: Db, day: datetime) -> bool:
    sql = f"select exists (select from {DEFAULT} where occurred_at >= :day and occurred_at < :end)"  # noqa: S608
    return one(db, bool, sql, day=day, end=day + timedelta(days=1))

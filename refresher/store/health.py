"""Counts for people and probes: bounded, so that looking never costs more than the work."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection as Db
from sqlalchemy import TextClause, text

MOST_COUNTED = 10_001


@dataclass(frozen=True, slots=True)
class ScheduleHealth:
    """The schedule at a glance. A count of 10,001 means "more than 10,000"."""

    oldest_overdue_seconds: float
    overdue: int
    idle: int
    leased: int
    parked: dict[str, int]


@dataclass(frozen=True, slots=True)
class Overdue:
    """How many rows are past their due time, and by how long the first one is."""

    rows: int
    oldest_seconds: float


# A row that was claimed is as late as before: without a worker, all that is due is leased again and
# again. In the order of due_at the idle ones cost what is counted; leased ones are few by setting.
_OVERDUE = text(
    """
    select count(*) as rows,
        coalesce(extract(epoch from refresher_now() - min(due_at)), 0)::float8 as oldest_seconds
    from (
        (select due_at from refresh_schedule
         where state = 0 and due_at <= refresher_now() order by due_at limit :most)
        union all
        (select due_at from refresh_schedule
         where state = 1 and due_at <= refresher_now() limit :most)
    ) late
    """
)


def overdue(db: Db) -> Overdue:
    """Returns what is late, whether it waits to be claimed or is in somebody's hands."""
    row = db.execute(_OVERDUE, {"most": MOST_COUNTED}).one()
    return Overdue(min(row.rows, MOST_COUNTED), row.oldest_seconds)


_WRITES = tuple(
    text(statement)
    for statement in (
        "update connection set updated_at = updated_at where false",
        "update refresh_schedule set attempt = attempt where false",
        "insert into refresh_event (kind) select null::text where false",
    )
)


def try_writes(db: Db) -> None:
    """Tries the writes of a refresh on no row; raises `DatabaseRefusesWrites` in the end.

    A server that is read-only and a permission that is gone show. A full disk shows only by what it
    refuses: the spool tells.
    """
    for statement in _WRITES:
        db.execute(statement)


def look(db: Db) -> ScheduleHealth:
    """Returns the state of the schedule."""
    late = overdue(db)
    parked = db.execute(
        text(
            "select parked_reason, count(*) from (select parked_reason from refresh_schedule "
            "where state = 2 limit :most) p group by parked_reason"
        ),
        {"most": MOST_COUNTED},
    )
    return ScheduleHealth(
        oldest_overdue_seconds=late.oldest_seconds,
        overdue=late.rows,
        idle=_count(db, 0),
        leased=_count(db, 1),
        parked={row[0]: row[1] for row in parked},
    )


@dataclass(frozen=True, slots=True)
class Told:
    """What one flow of notifications has to do. A count of 10,001 means "more than 10,000".

    `unread` entries of the outbox are new to it, `waiting` messages are to be sent or under way.
    """

    unread: int
    waiting: int
    failed: int


_UNREAD = """
    (select count(*) from (select 1 from outbox_pending where consumer = :consumer limit :most) u)
        as unread
"""
_MAILS = text(
    f"""
    select {_UNREAD},
        (select count(*) from (select 1 from mail where state = 0 limit :most) w)
        + (select count(*) from (select 1 from mail where state = 1 limit :most) l) as waiting,
        (select count(*) from (select 1 from mail where state = 3 limit :most) f) as failed
    """  # noqa: S608  our own text
)
# Those that failed have no index of their own: they are looked for among the newest that ended.
_WEBHOOKS = text(
    f"""
    select {_UNREAD},
        (select count(*) from (select 1 from webhook_delivery where state = 0 limit :most) w)
        + (select count(*) from (select 1 from webhook_delivery where state = 1 limit :most) l)
            as waiting,
        (select count(*) filter (where state = 4) from (select state from webhook_delivery
            where state > 2 order by ended_at desc limit :most) e) as failed
    """  # noqa: S608  our own text
)


def mails(db: Db) -> Told:
    """Returns how the flow of mails stands."""
    return _told(db, _MAILS, "mail")


def webhooks(db: Db) -> Told:
    """Returns how the flow of webhooks stands; `failed` are of the newest 10,001 that ended."""
    return _told(db, _WEBHOOKS, "webhook")


def _told(db: Db, statement: TextClause, consumer: str) -> Told:
    row = db.execute(statement, {"consumer": consumer, "most": MOST_COUNTED}).one()
    return Told(row.unread, min(row.waiting, MOST_COUNTED), row.failed)


def _count(db: Db, state: int) -> int:
    statement = text(
        f"select count(*) from (select 1 from refresh_schedule where state = {state} "  # noqa: S608
        "limit :most) s"
    )
    return int(db.execute(statement, {"most": MOST_COUNTED}).scalar_one())

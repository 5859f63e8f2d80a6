"""Counts for people and probes: bounded, so that looking never costs more than the work."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection as Db
from sqlalchemy import text

MOST_COUNTED = 10_001


@dataclass(frozen=True, slots=True)
class ScheduleHealth:
    """The schedule at a glance. A count of 10,001 means "more than 10,000"."""

    oldest_overdue_seconds: float
    overdue: int
    idle: int
    leased: int
    parked: dict[str, int]


def look(db: Db) -> ScheduleHealth:
    """Returns the state of the schedule."""
    overdue_statement = text(
        """
        select coalesce(extract(epoch from refresher_now() - min(due_at)), 0)::float8 as oldest,
            (select count(*) from (select 1 from refresh_schedule
                where state = 0 and due_at <= refresher_now() limit :most) o) as overdue
        from refresh_schedule where state = 0 and due_at <= refresher_now()
        """
    )
    overdue = db.execute(overdue_statement, {"most": MOST_COUNTED}).one()
    parked = db.execute(
        text(
            "select parked_reason, count(*) from (select parked_reason from refresh_schedule "
            "where state = 2 limit :most) p group by parked_reason"
        ),
        {"most": MOST_COUNTED},
    )
    return ScheduleHealth(
        oldest_overdue_seconds=overdue.oldest,
        overdue=overdue.overdue,
        idle=_count(db, 0),
        leased=_count(db, 1),
        parked={row[0]: row[1] for row in parked},
    )


def _count(db: Db, state: int) -> int:
    statement = text(
        f"select count(*) from (select 1 from refresh_schedule where state = {state} "  # noqa: S608
        "limit :most) s"
    )
    return int(db.execute(statement, {"most": MOST_COUNTED}).scalar_one())

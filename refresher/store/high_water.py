"""How far this installation's history goes: the highest number that an event was given.

It only grows, and costs a look at one row. A database in which it is lower than it was is an older one.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection as Db
from sqlalchemy import text

from refresher.store import installation

ROOM = 1_000_000
"""How far a confirmed history begins above the mark that was seen: marks elsewhere may be later."""


@dataclass(frozen=True, slots=True)
class History:
    """Whose history it is, and the number of its newest event."""

    installation: UUID
    newest_event: int


def read(db: Db) -> History:
    """Returns how far the history goes now."""
    newest = db.execute(text("select last_value from refresh_event_id_seq")).scalar_one()
    return History(installation.name(db), int(newest))


def lift(db: Db, above: int) -> int:
    """Has events begin well above a mark, so that no mark is ahead of them; returns where."""
    statement = text(
        "select setval('refresh_event_id_seq', "
        "greatest((select last_value from refresh_event_id_seq), :above))"
    )
    return int(db.execute(statement, {"above": above + ROOM}).scalar_one())

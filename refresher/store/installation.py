"""The name of this installation, and how far its history goes.

The name is one row, drawn when the tables were made: two installations may share a Redis, or a
database, and never take what is the other's. The history is the highest number that an event was
given: it only grows, so a database in which it is lower than it was is an older one.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from refresher.store.session import Db, one, run


def name(db: Db) -> UUID:
    """Returns the name; draws one where somebody emptied the table."""
    found = run(db, "select id from installation").scalar()
    if found is None:
        run(db, "insert into installation default values on conflict do nothing")
        found = run(db, "select id from installation").scalar_one()
    assert isinstance(found, UUID)
    return found


def place(db: Db) -> str:
    """Returns what tells a copy of this database from the original: 12 characters that reveal nothing.

    A copy, such as a restored backup, has the same name, and would take the original's messages.
    """
    asked = (
        "select current_database(), current_schema(), "
        "(select oid from pg_database where datname = current_database())"
    )
    may = "select has_function_privilege('pg_control_system()', 'execute')"
    if run(db, may).scalar_one():  # by default everybody may
        asked += ", (select system_identifier from pg_control_system())"
    where = run(db, asked).one()
    return sha256("\n".join(str(part) for part in where).encode()).hexdigest()[:12]


ROOM = 1_000_000
"""How far a confirmed history begins above the mark that was seen: marks elsewhere may be later."""


@dataclass(frozen=True, slots=True)
class History:
    """Whose history it is, and the number of its newest event."""

    installation: UUID
    newest_event: int


def history(db: Db) -> History:
    """Returns how far the history goes now."""
    newest = run(db, "select last_value from refresh_event_id_seq").scalar_one()
    return History(name(db), int(newest))


def begin_above(db: Db, above: int) -> int:
    """Has events begin well above a mark, so that no mark is ahead of them; returns where."""
    sql = (
        "select setval('refresh_event_id_seq', "
        "greatest((select last_value from refresh_event_id_seq), :above))"
    )
    return one(db, int, sql, above=above + ROOM)

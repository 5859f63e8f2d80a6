"""The name of this installation: one row, drawn when the tables were made.

Two installations may share a Redis, or a database, and never take what is the other's.
"""

from __future__ import annotations

from hashlib import sha256
from uuid import UUID

from sqlalchemy import Connection as Db
from sqlalchemy import text


def name(db: Db) -> UUID:
    """Returns the name; draws one where somebody emptied the table."""
    found = db.execute(text("select id from installation")).scalar()
    if found is None:
        db.execute(text("insert into installation default values on conflict do nothing"))
        found = db.execute(text("select id from installation")).scalar_one()
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
    if db.execute(text(may)).scalar_one():  # by default everybody may
        asked += ", (select system_identifier from pg_control_system())"
    where = db.execute(text(asked)).one()
    return sha256("\n".join(str(part) for part in where).encode()).hexdigest()[:12]

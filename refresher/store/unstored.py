"""Rows whose new token pair Postgres refuses: parked as `unstored` while the pair lies in the spool.

Presenting the stored refresh token again would spend a token twice. The row goes on when the pair is
stored (`settlement.py`), or when a person has given it up.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from refresher.rules.connection import ParkReason
from refresher.store.events import Event, append
from refresher.store.session import Db, one, run

REASON = ParkReason.UNSTORED


def park(db: Db, connection_id: UUID, lease_token: int, why: str) -> None:
    """Parks the row of this lease, with an event that tells `why`; one that moved on is left alone."""
    sql = """
        update refresh_schedule set state = 2, parked_reason = :reason, lease_until = null,
            holder_id = null, begun_token = 0, begun_at = null
        where connection_id = :id and lease_token = :lease_token and state + 0 = 1
        returning connection_id
        """
    if (
        run(db, sql, id=connection_id, lease_token=lease_token, reason=REASON.value).first()
        is not None
    ):
        told = why.encode("ascii", "replace").decode()
        append(db, [Event(connection_id, "parked", lease_token, reason=f"{REASON}: {told}")])


def give_up(db: Db, connection_ids: Sequence[UUID]) -> int:
    """Makes rows due again whose pairs a person has dropped; returns how many were parked for them."""
    sql = """
        update refresh_schedule set state = 0, parked_reason = null, due_at = refresher_now()
        where connection_id = any(:ids) and state + 0 = 2 and parked_reason = :reason
        returning connection_id
        """
    freed = run(db, sql, ids=list(connection_ids), reason=REASON.value).scalars()
    done = list(freed)
    append(db, [Event(id_, "resumed", reason="its spooled pair was dropped") for id_ in done])
    return len(done)


def is_known(db: Db, connection_id: UUID) -> bool:
    """Whether this is a connection of this database, deleted ones included."""
    sql = "select exists (select from connection where id = :id)"
    return one(db, bool, sql, id=connection_id)

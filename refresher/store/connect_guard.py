"""Holds back refreshes of a connection while a code for it is under way, and lets them go on.

It is the connection's own `in_between_steps`, and the session notes whether it is ours: what an
application has set stays. Whoever sets or takes it has locked the session, then the connection.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from refresher.rules.connect import Session
from refresher.rules.connection import ParkReason
from refresher.store.session import Db, first, run

_WHOLE = "(c.id = :connection_id or c.slot_of = :connection_id)"


def hold_back(db: Db, session: Session) -> bool:
    """Begins nothing for the connection from now on; returns whether it is ours to take back.

    It is, too, where another session holds it back already: the last one lets go.
    """
    values = {"connection_id": session.connection_id, "id": session.id}
    sql = (
        "select in_between_steps from connection c where id = :connection_id "
        "and deleted_at is null for no key update"
    )
    already = first(db, bool, sql, **values)
    if already is None:
        return False
    if already:
        ours = f"select exists (select 1 from connect_session where {_OTHERS})"  # noqa: S608
        return bool(first(db, bool, ours, **values))
    sql = (
        "update connection c set in_between_steps = true, updated_at = refresher_now() "  # noqa: S608
        f"where {_WHOLE} and deleted_at is null"
    )
    run(db, sql, **values)
    return True


def let_go(db: Db, connection_id: UUID, session_id: UUID) -> None:
    """Takes back what `hold_back` set, unless another session still holds the connection back."""
    values = {"connection_id": connection_id, "id": session_id, "reason": ParkReason.MID_OAUTH}
    run(db, "select 1 from connection where id = :connection_id for no key update", **values)
    sql = f"""
        update connection c set in_between_steps = false, updated_at = refresher_now()
        where {_WHOLE} and in_between_steps
          and not exists (select 1 from connect_session where {_OTHERS})
        """  # noqa: S608  our own words
    run(db, sql, **values)
    run(db, f"{_DUE} and {_WHOLE}", **values)


def disown(db: Db, ids: Sequence[UUID]) -> None:
    """Leaves these connections held back as their application says: it is theirs from now on."""
    sql = (
        "update connect_session set guard_set = false "
        "where connection_id = any(cast(:ids as uuid[])) and guard_set and ended_at is null"
    )
    if ids:
        run(db, sql, ids=list(ids))


def release_stranded(db: Db) -> int:
    """Has rows go on that were parked for steps which are over; returns how many.

    A refresh that saw the flag may park its row just after the flag was taken away.
    """
    return run(db, _DUE, reason=ParkReason.MID_OAUTH).rowcount


_OTHERS = "connection_id = :connection_id and id <> :id and guard_set and ended_at is null"
_DUE = """
    update refresh_schedule s set state = 0, due_at = refresher_now(), parked_reason = null,
        lease_token = s.lease_token + 1
    from connection c
    where c.id = s.connection_id and s.state = 2 and s.parked_reason = :reason
      and not c.in_between_steps
    """

"""The table `pause`: providers and apps that are left alone for a while, each in one row.

A claimed row that meets a pause moves to its end, spread, so each row is touched once a pause and
the claim's index stays on `due_at` alone. At the end of an app's pause one row probes, the rest wait
on; a refresh that succeeds lifts it.
"""

from __future__ import annotations

from sqlalchemy import Connection as Db
from sqlalchemy import text

from refresher.rules.notices import State
from refresher.store import notices
from refresher.store.events import Event, append
from refresher.store.notices import Change


def pause(db: Db, scope: str, key: str, *, seconds: float, refusals: int, reason: str) -> bool:
    """Leaves `key` alone for `seconds`, never shortening a pause; True when it is a new one."""
    statement = text(
        """
        insert into pause as p (scope, key, until, refusals, reason)
        values (:scope, :key, refresher_now() + :seconds * interval '1 second', :refusals, :reason)
        on conflict (scope, key) do update
        set until = greatest(p.until, excluded.until), reason = excluded.reason,
            refusals = greatest(p.refusals, excluded.refusals)
        returning xmax = 0
        """
    )
    values = {
        "scope": scope, "key": key, "seconds": seconds, "refusals": refusals, "reason": reason,
    }  # fmt: skip
    is_new = bool(db.execute(statement, values).scalar_one())
    if is_new and scope == "app":
        notices.record(db, [Change(("app", key), State.MISCONFIGURED, {"cause": reason})])
    return is_new


def take_probe(db: Db, scope: str, key: str, *, hold_seconds: float) -> bool:
    """Whether the caller is the one that may probe: moves the pause's end on in the same moment."""
    statement = text(
        """
        update pause set until = refresher_now() + :seconds * interval '1 second'
        where scope = :scope and key = :key and until <= refresher_now()
        """
    )
    values = {"scope": scope, "key": key, "seconds": hold_seconds}
    return db.execute(statement, values).rowcount == 1


def lift(db: Db, scope: str, key: str, *, spread_seconds: float = 5.0, proven: bool = True) -> bool:
    """Ends a pause, and brings the rows that waited for its end forward, spread a little.

    Operators hear at once that an app works again, or, unless a refresh has `proven` it, a while later.

    Those rows are due before the end and its spread of a minute, so the index on `due_at` finds them.
    """
    ended = db.execute(
        text("delete from pause where scope = :scope and key = :key returning until"),
        {"scope": scope, "key": key},
    ).scalar()
    if ended is None:
        return False
    # Each row that it moves is an event: when it was due is no secret of the pause's. Where in the
    # spread a row falls its id and lease say, so that the same history happens again the same way.
    statement = text(
        """
        update refresh_schedule
        set due_at = least(due_at, refresher_now() + :spread * interval '1 second'
                * (hashtextextended(connection_id::text, lease_token) & 65535) / 65536.0),
            postponed_by = null
        where state = 0 and postponed_by = :by
          and due_at <= greatest(cast(:ended as timestamptz), refresher_now()) + interval '2 minutes'
        returning connection_id
        """
    )
    by = f"{scope}:{key}"
    moved = (
        db.execute(statement, {"ended": ended, "spread": spread_seconds, "by": by}).scalars().all()
    )
    if scope == "app":
        notices.record(db, [Change(("app", key), State.WELL, proven=proven)])
    append(db, [Event(id_, "resumed", reason=f"the pause of {by} is over") for id_ in moved])
    return True

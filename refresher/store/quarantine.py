"""Token pairs that cannot be stored where they belong.

The table `quarantine` holds sealed pairs that came too late, and may be the only live ones: a pair gets
here when the version had moved on, and is adopted when the stored pair proves dead. Both happen inside
`settlement.settle`.

A row whose new pair Postgres refuses is parked as `unstored` while the pair lies in the spool:
presenting the stored refresh token again would spend a token twice. It goes on when the pair is stored
(`settlement.py`), or when a person has given it up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from uuid_utils.compat import uuid7

from refresher.rules.connection import ParkReason, Sealed
from refresher.store.events import Event, append
from refresher.store.session import Db, many, one, run

if TYPE_CHECKING:
    from refresher.store.settlement import Settlement


@dataclass(frozen=True, slots=True)
class Orphan:
    """A pair without a place, and the version and grant of the pair that it was got with."""

    connection_id: UUID
    grant_number: int
    credential_version: int
    access_token: Sealed
    refresh_token: Sealed | None
    left_seconds: float | None
    lifetime_seconds: float | None


def orphan(s: Settlement) -> Orphan | None:
    """Returns the pair of a settlement; a refresh token rescued alone has no place here."""
    connection, new = s.row.connection, s.new
    if new is None or new.access_token is None:
        return None
    return Orphan(
        connection.id,
        connection.grant_number,
        connection.credential_version,
        new.access_token,
        new.refresh_token,
        new.left_seconds,
        new.lifetime_seconds,
    )


def put(db: Db, orphans: Sequence[Orphan]) -> None:
    """Keeps pairs that a newer version fenced off."""
    sql = """
        insert into quarantine (id, connection_id, grant_number, credential_version, access_token,
                                refresh_token, expires_at, lifetime_seconds)
        values (:id, :connection_id, :grant_number, :version, :access_token, :refresh_token,
                refresher_now() + :left * interval '1 second', :lifetime)
        """
    for orphan in orphans:
        run(
            db,
            sql,
            id=uuid7(),
            connection_id=orphan.connection_id,
            grant_number=orphan.grant_number,
            version=orphan.credential_version,
            access_token=orphan.access_token,
            refresh_token=orphan.refresh_token,
            left=orphan.left_seconds,
            lifetime=orphan.lifetime_seconds,
        )


def adopt(db: Db, ids: Sequence[UUID], versions: Sequence[int]) -> set[UUID]:
    """Replaces pairs that proved dead by the newest quarantined pair of the same grant.

    Only one that came after the dead pair was stored can be newer; an older one is spent.
    """
    if not ids:
        return set()
    sql = """
        with newest as (
            select distinct on (q.connection_id) q.*
            from unnest(cast(:ids as uuid[]), cast(:versions as bigint[])) u(id, version)
            join connection c on c.id = u.id and c.credential_version = u.version
            join quarantine q on q.connection_id = c.id and q.grant_number = c.grant_number
            where q.adopted_at is null and q.created_at >= coalesce(c.issued_at, '-infinity')
            order by q.connection_id, q.created_at desc
        ), marked as (
            update quarantine q set adopted_at = refresher_now() from newest where q.id = newest.id
        )
        update connection c set
            access_token = n.access_token, refresh_token = coalesce(n.refresh_token, c.refresh_token),
            expires_at = n.expires_at, lifetime_seconds = n.lifetime_seconds,
            credential_version = c.credential_version + 1, updated_at = refresher_now()
        from newest n where c.id = n.connection_id returning c.id
        """
    return set(many(db, UUID, sql, ids=list(ids), versions=list(versions)))


UNSTORED = ParkReason.UNSTORED


def park_unstored(db: Db, connection_id: UUID, lease_token: int, why: str) -> None:
    """Parks the row of this lease, with an event that tells `why`; one that moved on is left alone."""
    sql = """
        update refresh_schedule set state = 2, parked_reason = :reason, lease_until = null,
            holder_id = null, begun_token = 0, begun_at = null
        where connection_id = :id and lease_token = :lease_token and state + 0 = 1
        returning connection_id
        """
    if (
        run(db, sql, id=connection_id, lease_token=lease_token, reason=UNSTORED.value).first()
        is not None
    ):
        told = why.encode("ascii", "replace").decode()
        append(db, [Event(connection_id, "parked", lease_token, reason=f"{UNSTORED}: {told}")])


def give_up_unstored(db: Db, connection_ids: Sequence[UUID]) -> int:
    """Makes rows due again whose pairs a person has dropped; returns how many were parked for them."""
    sql = """
        update refresh_schedule set state = 0, parked_reason = null, due_at = refresher_now()
        where connection_id = any(:ids) and state + 0 = 2 and parked_reason = :reason
        returning connection_id
        """
    freed = run(db, sql, ids=list(connection_ids), reason=UNSTORED.value).scalars()
    done = list(freed)
    append(db, [Event(id_, "resumed", reason="its spooled pair was dropped") for id_ in done])
    return len(done)


def is_known(db: Db, connection_id: UUID) -> bool:
    """Whether this is a connection of this database, deleted ones included."""
    sql = "select exists (select from connection where id = :id)"
    return one(db, bool, sql, id=connection_id)

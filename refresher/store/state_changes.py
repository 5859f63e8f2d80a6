"""The changes of state that people ask for: pause, disable, delete, resume, and what they may rewrite.

A change of state never touches a refresh in flight: `schedule.begin` and the fences see to that.
`organization_id` None is a key for all organizations. Changes begin with `connections.locked`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from refresher.rules.connection import ParkReason
from refresher.store.events import Event, append
from refresher.store.session import Db, many, run

NOTHING_TO_RESUME = "nothing to resume: it is active"


def stop(db: Db, connection_id: UUID, how: str, *, reason: str | None = None) -> None:
    """Pauses, disables or deletes (softly) a connection, and parks its idle row.

    A refresh in flight ends normally, and its tokens are stored; the next one is not begun.
    """
    column = {"paused": "paused_at", "disabled": "disabled_at", "deleted": "deleted_at"}[how]
    run(
        db,
        f"update connection set {column} = coalesce({column}, refresher_now()), "  # noqa: S608
        "updated_at = refresher_now() where id = :id",
        id=connection_id,
    )
    run(
        db,
        "update refresh_schedule set state = 2, parked_reason = :how "
        "where connection_id = :id and state <> 1",
        id=connection_id,
        how=how,
    )
    append(db, [Event(connection_id, how, reason=reason)])


def resume(db: Db, connection_id: UUID, *, reason: str | None = None) -> bool:
    """Lifts pause, disabling and reconnect-required, and makes a parked row due now.

    With the stored tokens: a grant that is really dead will be parked again by the next refresh. Not
    one whose new pair waits to be stored: its stored refresh token is spent. Returns False, and writes
    nothing, where it waits for none of these.
    """
    lifted = run(
        db,
        "update connection set paused_at = null, disabled_at = null, status = 'active', "
        "status_cause = null, updated_at = refresher_now() "
        "where id = :id and deleted_at is null "
        "and (paused_at is not null or disabled_at is not null or status <> 'active')",
        id=connection_id,
    )
    unparked = run(
        db,
        "update refresh_schedule set state = 0, due_at = refresher_now(), parked_reason = null, "
        "attempt = 0, starts = 0, lease_token = lease_token + 1 "
        "where connection_id = :id and state = 2 and parked_reason is distinct from :unstored",
        id=connection_id,
        unstored=ParkReason.UNSTORED.value,
    )
    if not lifted.rowcount and not unparked.rowcount:
        return False
    append(db, [Event(connection_id, "resumed", reason=reason)])
    return True


def resume_known(db: Db, providers: Collection[str]) -> int:
    """Has rows go on that wait for their provider's entry, where it is one of these; counts them."""
    sql = """
        update refresh_schedule s
        set state = 0, due_at = refresher_now(), parked_reason = null
        from connection c
        where c.id = s.connection_id and s.state = 2 and s.parked_reason = :reason
          and c.provider = any(:providers)
        returning s.connection_id
        """
    reason = ParkReason.UNKNOWN_PROVIDER.value
    resumed = many(db, UUID, sql, reason=reason, providers=list(providers))
    append(db, [Event(id_, "resumed", reason="its provider is known") for id_ in resumed])
    return len(resumed)


def enable(db: Db, connection_id: UUID, organization_id: str | None) -> None:
    """Ends `disabled` and nothing else: a row that was parked for it is due, unless it is paused."""
    sql = """
        with enabled as (
            update connection set disabled_at = null, updated_at = refresher_now()
            where id = :id and disabled_at is not null and deleted_at is null
              and (cast(:organization as text) is null or organization_id = :organization)
            returning id, paused_at
        )
        update refresh_schedule s
        set state = case when e.paused_at is null then 0 else 2 end,
            due_at = case when e.paused_at is null then refresher_now() end,
            parked_reason = case when e.paused_at is null then null else 'paused' end,
            lease_token = s.lease_token + 1
        from enabled e where s.connection_id = e.id and s.state = 2 and s.parked_reason = 'disabled'
        """
    run(db, sql, id=connection_id, organization=organization_id)


def rewrite(
    db: Db,
    connection_id: UUID,
    organization_id: str | None,
    *,
    name: str | None,
    metadata: Mapping[str, object],
    scopes: Sequence[str] | None,
) -> None:
    """Stores what people may change of a connection; scopes that are None stay."""
    sql = """
        update connection set name = :name, metadata = cast(:metadata as jsonb),
            scopes = coalesce(cast(:scopes as text[]), scopes), updated_at = refresher_now()
        where id = :id and deleted_at is null
          and (cast(:organization as text) is null or organization_id = :organization)
        """
    run(
        db,
        sql,
        id=connection_id,
        organization=organization_id,
        name=name,
        metadata=json.dumps(metadata),
        scopes=None if scopes is None else list(scopes),
    )

"""The changes of state that people ask for: pause, disable, delete, resume, and what they may rewrite.

A change of state never touches a refresh in flight: `marking.begin` and the fences see to that.
`organization_id` None is a key for all organizations. Changes begin with `connections.locked`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from refresher.rules.connection import SPENT, ParkReason
from refresher.store.events import Event, append
from refresher.store.session import Db, many, run

NOTHING_TO_RESUME = "nothing to resume: it is active"
_WHEN = "unnest(cast(:ids as uuid[]), cast(:due_ins as float8[])) u(id, due_in)"
_DUE = "due_at = refresher_now() + u.due_in * interval '1 second'"


def stop(db: Db, connection_id: UUID, how: str, *, reason: str | None = None) -> None:
    """Pauses, disables or deletes (softly) a connection, and parks its idle row.

    A refresh in flight ends normally, and its tokens are stored; the next one is not begun. A row whose
    stored token may be spent goes on saying so: whoever resumes it later must not spend it again.
    """
    stop_all(db, [connection_id], how, reason=reason)


def stop_all(db: Db, ids: Sequence[UUID], how: str, *, reason: str | None = None) -> None:
    """Does that to several."""
    column = {"paused": "paused_at", "disabled": "disabled_at", "deleted": "deleted_at"}[how]
    run(
        db,
        f"update connection set {column} = coalesce({column}, refresher_now()), "  # noqa: S608
        "updated_at = refresher_now() where id = any(cast(:ids as uuid[]))",
        ids=list(ids),
    )
    run(
        db,
        "update refresh_schedule set state = 2, parked_reason = "
        "case when state = 2 and parked_reason = any(:spent) then parked_reason else :how end "
        "where connection_id = any(cast(:ids as uuid[])) and state <> 1",
        ids=list(ids),
        how=how,
        spent=[reason.value for reason in SPENT],
    )
    append(db, [Event(id_, how, reason=reason) for id_ in ids])


def resume(db: Db, connection_id: UUID, *, reason: str | None = None) -> bool:
    """Lifts pause, disabling and reconnect-required, and makes a parked row due now.

    With the stored tokens: a grant that is really dead will be parked again by the next refresh. Not
    one whose new pair waits to be stored: its stored refresh token is spent. Returns False, and writes
    nothing, where it waits for none of these.
    """
    return bool(resume_all(db, {connection_id: 0.0}, reason=reason))


def resume_all(
    db: Db, due_in_seconds: Mapping[UUID, float], *, reason: str | None = None
) -> set[UUID]:
    """Does that to several, each due in so many seconds; returns those that waited for something."""
    lifted = many(
        db,
        UUID,
        "update connection set paused_at = null, disabled_at = null, status = 'active', "
        "status_cause = null, updated_at = refresher_now() "
        "where id = any(cast(:ids as uuid[])) and deleted_at is null "
        "and (paused_at is not null or disabled_at is not null or status <> 'active') returning id",
        ids=list(due_in_seconds),
    )
    sql = f"""
        update refresh_schedule s set state = 0, {_DUE}, parked_reason = null, attempt = 0, starts = 0,
            lease_token = s.lease_token + 1
        from {_WHEN}
        where s.connection_id = u.id and s.state = 2
          and s.parked_reason is distinct from :unstored
        returning s.connection_id
        """  # noqa: S608  our own words
    values = {**_when(due_in_seconds), "unstored": ParkReason.UNSTORED.value}
    resumed = {*lifted, *many(db, UUID, sql, **values)}
    append(db, [Event(id_, "resumed", reason=reason) for id_ in sorted(resumed)])
    return resumed


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


def enable(db: Db, connection_id: UUID) -> None:
    """Ends `disabled` and nothing else: a row that was parked for it is due, unless it is paused."""
    enable_all(db, {connection_id: 0.0})


def enable_all(db: Db, due_in_seconds: Mapping[UUID, float]) -> None:
    """Does that to several, each due in so many seconds."""
    sql = f"""
        with enabled as (
            update connection set disabled_at = null, updated_at = refresher_now()
            where id = any(cast(:ids as uuid[])) and disabled_at is not null and deleted_at is null
            returning id, paused_at
        )
        update refresh_schedule s
        set state = case when e.paused_at is null then 0 else 2 end,
            due_at = case when e.paused_at is null
                then refresher_now() + u.due_in * interval '1 second' end,
            parked_reason = case when e.paused_at is null then null else 'paused' end,
            lease_token = s.lease_token + 1
        from enabled e, {_WHEN}
        where s.connection_id = e.id and u.id = e.id and s.state = 2
          and s.parked_reason = 'disabled'
        """  # noqa: S608  our own words
    run(db, sql, **_when(due_in_seconds))


def bring_forward(
    db: Db, due_in_seconds: Mapping[UUID, float], *, reason: str | None = None
) -> set[UUID]:
    """Makes idle rows due in so many seconds, unless they are sooner; returns those that were idle.

    Nothing else of them changes: a row that waits for a pause should not be among them.
    """
    sql = f"""
        update refresh_schedule s set due_at = least(s.due_at,
            refresher_now() + u.due_in * interval '1 second')
        from {_WHEN} where s.connection_id = u.id and s.state + 0 = 0 returning s.connection_id
        """  # noqa: S608  our own words
    moved = set(many(db, UUID, sql, **_when(due_in_seconds)))
    append(db, [Event(id_, "refresh_asked", reason=reason) for id_ in sorted(moved)])
    return moved


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


def _when(due_in_seconds: Mapping[UUID, float]) -> dict[str, object]:
    return {"ids": list(due_in_seconds), "due_ins": list(due_in_seconds.values())}

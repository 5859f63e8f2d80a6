"""Writes connections as they are handed over, thousands at a time: `COPY`, then two upserts.

The same connection again is a reconnect: it updates, wins over a refresh in flight (the version and
the lease token move) and resumes a parked row. A token that is absent keeps the stored one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection as Db
from sqlalchemy import text

from refresher.rules.connection import Sealed
from refresher.store import ends, notices
from refresher.store.events import AFTERWARDS, STORED


@dataclass(frozen=True, slots=True)
class Intake:
    """One connection ready to store. `due_in_seconds` None parks it with `park_reason`."""

    id: UUID
    organization_id: str
    provider: str
    external_id: str
    name: str | None
    app_name: str
    root_id: UUID | None
    host: str | None
    access_token: Sealed | None
    refresh_token: Sealed | None
    expires_in_seconds: float | None
    expires_at: datetime | None
    lifetime_seconds: float | None
    refresh_token_expires_in_seconds: float | None
    scopes: Sequence[str]
    in_between_steps: bool
    metadata: Mapping[str, object]
    due_in_seconds: float | None
    park_reason: str | None
    end_is_fixed: bool = False


_STAGE = text(
    """
    create temporary table intake (
        id uuid, organization_id text, provider text, external_id text, name text, app_name text,
        root_id uuid, host text, access_token bytea, refresh_token bytea,
        expires_in float8, expires_at timestamptz, lifetime_seconds float8,
        refresh_token_expires_in float8, scopes text[],
        in_between_steps boolean, metadata jsonb, due_in_seconds float8, park_reason text,
        lease_token bigint, claimed_at timestamptz, begun_at timestamptz, lease_until timestamptz
    ) on commit drop
    """
)
_COPY = """
    copy intake (id, organization_id, provider, external_id, name, app_name, root_id, host,
        access_token, refresh_token, expires_in, expires_at, lifetime_seconds,
        refresh_token_expires_in, scopes, in_between_steps, metadata, due_in_seconds, park_reason)
    from stdin
"""
_CONNECTIONS = text(
    """
    insert into connection as c (id, organization_id, provider, external_id, name, app_name, root_id,
        host, access_token, refresh_token, issued_at, expires_at, lifetime_seconds,
        refresh_token_expires_at, scopes, in_between_steps, metadata)
    select id, organization_id, provider, external_id, name, app_name, root_id, host, access_token,
        refresh_token, refresher_now(),
        coalesce(expires_at, refresher_now() + expires_in * interval '1 second'), lifetime_seconds,
        refresher_now() + refresh_token_expires_in * interval '1 second', scopes,
        in_between_steps, metadata
    from intake order by root_id is not null, id
    on conflict (id) do update set
        name = coalesce(excluded.name, c.name), app_name = excluded.app_name,
        root_id = excluded.root_id, host = coalesce(excluded.host, c.host),
        access_token = case when excluded.root_id is null
                            then coalesce(excluded.access_token, c.access_token) end,
        refresh_token = case when excluded.root_id is null
                             then coalesce(excluded.refresh_token, c.refresh_token) end,
        credential_version = c.credential_version + 1, grant_number = c.grant_number + 1,
        issued_at = excluded.issued_at, expires_at = excluded.expires_at,
        lifetime_seconds = coalesce(excluded.lifetime_seconds, c.lifetime_seconds),
        refresh_token_expires_at = excluded.refresh_token_expires_at,
        scopes = excluded.scopes, in_between_steps = excluded.in_between_steps,
        metadata = excluded.metadata, status = 'active', status_cause = null, deleted_at = null,
        updated_at = refresher_now()
    returning c.id, c.credential_version > 1 as reconnected,
        c.trouble is not null and not c.in_between_steps as healed
    """
)
_SCHEDULE = text(
    """
    insert into refresh_schedule as s (connection_id, provider, state, due_at, parked_reason)
    select i.id, c.provider,
        case when i.park_reason is not null or c.disabled_at is not null or c.paused_at is not null
             then 2 else 0 end,
        refresher_now() + i.due_in_seconds * interval '1 second',
        case when c.disabled_at is not null then 'disabled'
             when c.paused_at is not null then 'paused' else i.park_reason end
    from intake i join connection c on c.id = i.id
    where i.root_id is null order by i.id
    on conflict (connection_id) do update set
        state = excluded.state, due_at = excluded.due_at, parked_reason = excluded.parked_reason,
        lease_token = s.lease_token + 1, lease_until = null, holder_id = null, begun_token = 0,
        begun_at = null, starts = 0, attempt = 0, unknown_outcomes = 0, postponed_by = null
    """
)
# A reconnect ends the lease of a refresh in flight; its event tells which.
_LEASES = text(
    """
    with held as (
        select s.connection_id, s.lease_token, s.claimed_at, s.lease_until,
            case when s.begun_token = s.lease_token then s.begun_at end as begun_at
        from refresh_schedule s join intake i on i.id = s.connection_id
        where s.state + 0 = 1 order by s.connection_id for update of s
    )
    update intake i set lease_token = held.lease_token, claimed_at = held.claimed_at,
        begun_at = held.begun_at, lease_until = held.lease_until
    from held where held.connection_id = i.id
    """
)
_EVENTS = text(
    f"""
    insert into refresh_event (connection_id, kind, credential_version, reason, lease_token,
        claimed_at, begun_at, lease_until, {AFTERWARDS})
    select c.id, case when c.credential_version > 1 then 'reconnected' else 'imported' end,
        c.credential_version, i.park_reason, i.lease_token, i.claimed_at, i.begun_at, i.lease_until,
        {STORED}
    from intake i join connection c on c.id = i.id
    left join refresh_schedule s on s.connection_id = c.id
    """  # noqa: S608  our own column names
)


def database_now(db: Db) -> datetime:
    """Returns the database's clock, against which lives are counted."""
    now: datetime = db.execute(text("select refresher_now()")).scalar_one()
    return now


def roots_known(db: Db, ids: Sequence[UUID]) -> set[UUID]:
    """Returns which of these ids are stored connections that may be a root."""
    statement = text(
        "select id from connection where id = any(cast(:ids as uuid[])) "
        "and root_id is null and deleted_at is null"
    )
    return set(db.execute(statement, {"ids": list(ids)}).scalars())


def tokens_stored(db: Db, ids: Sequence[UUID]) -> dict[UUID, tuple[bool, bool]]:
    """Returns, for the ids that exist, whether an access and a refresh token are stored."""
    statement = text(
        "select id, access_token is not null, refresh_token is not null "
        "from connection where id = any(cast(:ids as uuid[]))"
    )
    return {row[0]: (row[1], row[2]) for row in db.execute(statement, {"ids": list(ids)})}


def upsert(db: Db, rows: Sequence[Intake]) -> tuple[int, int]:
    """Stores connections and their schedule; returns how many are new, how many reconnected.

    No two rows may have the same id. Roots come before their siblings by themselves.
    """
    db.execute(_STAGE)
    _copy(db, rows)
    written = db.execute(_CONNECTIONS).all()
    # A connection that became a sibling has no schedule of its own any more.
    db.execute(
        text(
            "delete from refresh_schedule s using intake i "
            "where s.connection_id = i.id and i.root_id is not null"
        )
    )
    db.execute(_LEASES)
    db.execute(_SCHEDULE)
    db.execute(_EVENTS)
    notices.mark_well(db, [row.id for row in written if row.healed])
    ends.watch(db, [r.id for r in rows if r.end_is_fixed])
    reconnected = sum(row.reconnected for row in written)
    return len(written) - reconnected, reconnected


def _copy(db: Db, rows: Sequence[Intake]) -> None:
    driver = db.connection.driver_connection
    assert driver is not None
    with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
        for r in rows:
            copy.write_row(
                (
                    r.id, r.organization_id, r.provider, r.external_id, r.name, r.app_name,
                    r.root_id, r.host, r.access_token, r.refresh_token, r.expires_in_seconds,
                    r.expires_at, r.lifetime_seconds, r.refresh_token_expires_in_seconds,
                    list(r.scopes),
                    r.in_between_steps, json.dumps(r.metadata), r.due_in_seconds, r.park_reason,
                )
            )  # fmt: skip

"""Writes connections as they are handed over, thousands at a time: `COPY`, then two upserts.

The same connection again with tokens is a reconnect: it updates, wins over a refresh in flight (the
version and the lease token move) and resumes a parked row. What is absent keeps what is stored. Without
tokens it is an update (`updates.py`): `rules/registering.py` decides. What moves in from another
installation stands as it stood there (`restoring.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from refresher.rules.connection import Sealed, value
from refresher.rules.registering import Existing
from refresher.rules.restoring import Restored
from refresher.store import connect_guard, copying, grant_ends, notices, restoring
from refresher.store.events import AFTERWARDS, STORED
from refresher.store.session import Db, many, one, run


@value
class Prepared:
    """One connection ready to store. `due_in_seconds` None parks it with `park_reason`.

    None is what was not told: of a known connection it stays as it is. `access_is_old` says that the
    access token which stays stored is not of the grant that came.
    """

    id: UUID
    organization_id: str
    provider: str
    external_id: str
    name: str | None
    app_name: str | None
    root_id: UUID | None
    host: str | None
    placeholders: Mapping[str, str] | None
    access_token: Sealed | None
    refresh_token: Sealed | None
    expires_at: datetime | None
    refresh_token_expires_in_seconds: float | None
    grant_ends_in_seconds: float | None
    scopes: Sequence[str] | None
    granted_scopes: Sequence[str] | None
    kept_fields: str | None
    kept_secrets: Sealed | None
    in_between_steps: bool | None
    metadata: Mapping[str, object] | None
    expires_in_seconds: float | None = None
    lifetime_seconds: float | None = None
    due_in_seconds: float | None = None
    park_reason: str | None = None
    access_is_old: bool = False
    end_is_fixed: bool = False
    slot: str = ""
    slot_of: UUID | None = None
    because: str | None = None
    restored: Restored | None = None


_COLUMNS = {
    "id": "uuid primary key", "organization_id": "text", "provider": "text", "external_id": "text",
    "name": "text", "app_name": "text", "root_id": "uuid", "host": "text", "placeholders": "jsonb",
    "access_token": "bytea", "refresh_token": "bytea", "expires_in": "float8",
    "expires_at": "timestamptz", "lifetime_seconds": "float8", "refresh_token_expires_in": "float8",
    "grant_ends_in": "float8", "because": "text",
    "scopes": "text[]", "granted_scopes": "text[]", "kept_fields": "jsonb", "kept_secrets": "bytea",
    "in_between_steps": "boolean", "metadata": "jsonb", "due_in_seconds": "float8",
    "park_reason": "text", "access_is_old": "boolean", "slot": "text", "slot_of": "uuid",
}  # fmt: skip
_STAGE = f"""
    create temporary table intake (
        {", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())},
        lease_token bigint, claimed_at timestamptz, begun_at timestamptz, lease_until timestamptz
    ) on commit drop
    """
# What is not told of a known connection stays; `excluded` cannot say so where no null may stand.
_CONNECTIONS = """
    insert into connection as c (id, organization_id, provider, external_id, name, app_name, root_id,
        host, placeholders, access_token, refresh_token, issued_at, expires_at, lifetime_seconds,
        refresh_token_expires_at, grant_ends_at, scopes, granted_scopes, kept_fields, kept_secrets,
        in_between_steps, metadata, slot, slot_of)
    select id, organization_id, provider, external_id, name, coalesce(app_name, 'default'), root_id,
        host, placeholders, access_token, refresh_token, refresher_now(),
        coalesce(expires_at, refresher_now() + expires_in * interval '1 second'), lifetime_seconds,
        refresher_now() + refresh_token_expires_in * interval '1 second',
        refresher_now() + grant_ends_in * interval '1 second', coalesce(scopes, '{}'),
        granted_scopes, kept_fields, kept_secrets, coalesce(in_between_steps, false),
        coalesce(metadata, '{}'), slot, slot_of
    from intake order by root_id is not null, id
    on conflict (id) do update set
        name = coalesce(excluded.name, c.name),
        app_name = coalesce((select i.app_name from intake i where i.id = c.id), c.app_name),
        root_id = excluded.root_id, host = coalesce(excluded.host, c.host),
        placeholders = case when excluded.placeholders is null then c.placeholders
                            else coalesce(c.placeholders, '{}') || excluded.placeholders end,
        access_token = case when excluded.root_id is null
                            then coalesce(excluded.access_token, c.access_token) end,
        refresh_token = case when excluded.root_id is null
                             then coalesce(excluded.refresh_token, c.refresh_token) end,
        credential_version = c.credential_version + 1, grant_number = c.grant_number + 1,
        issued_at = case when excluded.access_token is null then c.issued_at
                         else excluded.issued_at end,
        expires_at = case
            when excluded.root_id is not null then null
            when excluded.access_token is not null then excluded.expires_at
            when c.access_token is null then null
            -- Of a grant that has ended, or of another place: never served, and refreshed at once.
            when c.status = 'reconnect_required'
              or (select i.access_is_old from intake i where i.id = c.id)
            then least(coalesce(c.expires_at, refresher_now()), refresher_now())
            else coalesce(c.expires_at, refresher_now()) end,
        lifetime_seconds = coalesce(excluded.lifetime_seconds, c.lifetime_seconds),
        refresh_token_expires_at = coalesce(
            excluded.refresh_token_expires_at,
            case when excluded.refresh_token is null then c.refresh_token_expires_at end),
        grant_ends_at = coalesce(excluded.grant_ends_at,
            case when excluded.refresh_token is null then c.grant_ends_at end),
        scopes = coalesce((select i.scopes from intake i where i.id = c.id), c.scopes),
        granted_scopes = case
            when excluded.granted_scopes is not null then excluded.granted_scopes
            when (select i.scopes from intake i where i.id = c.id) is null then c.granted_scopes end,
        kept_fields = case when excluded.kept_fields is null then c.kept_fields
                           else coalesce(c.kept_fields, '{}') || excluded.kept_fields end,
        kept_secrets = coalesce(excluded.kept_secrets, c.kept_secrets),
        in_between_steps = excluded.in_between_steps,
        metadata = coalesce((select i.metadata from intake i where i.id = c.id), c.metadata),
        status = 'active', status_cause = null, deleted_at = null, updated_at = refresher_now()
    returning c.id, c.credential_version > 1 as reconnected, c.slot_of is null as is_main,
        c.trouble is not null and not c.in_between_steps as healed
    """
# A slot that comes while its connection is switched off is switched off with it.
_SLOTS = """
    update connection s set disabled_at = coalesce(s.disabled_at, m.disabled_at),
        paused_at = coalesce(s.paused_at, m.paused_at)
    from intake i, connection m where s.id = i.id and m.id = i.slot_of
    """
_SCHEDULE = """
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
        begun_at = null, starts = 0, attempt = 0, unknown_outcomes = 0, postponed_by = null,
        waits_for = null
    """
# A reconnect ends the lease of a refresh in flight; its event tells which.
_LEASES = """
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
_EVENTS = f"""
    insert into refresh_event (connection_id, kind, credential_version, reason, lease_token,
        claimed_at, begun_at, lease_until, {AFTERWARDS})
    select c.id, case when c.credential_version > 1 then 'reconnected'
                      when i.because is null then 'imported' else 'connected' end,
        c.credential_version, coalesce(i.park_reason, i.because), i.lease_token, i.claimed_at,
        i.begun_at, i.lease_until, {STORED}
    from intake i join connection c on c.id = i.id
    left join refresh_schedule s on s.connection_id = c.id
    """  # noqa: S608  our own column names


def database_now(db: Db) -> datetime:
    """Returns the database's clock, against which lives are counted."""
    return one(db, datetime, "select refresher_now()")


def roots_known(db: Db, ids: Sequence[UUID], *, held: bool = True) -> set[UUID]:
    """Returns which of these are connections that may be a root; none is deleted while `held`."""
    sql = f"""
        select id from connection where id = any(cast(:ids as uuid[]))
          and root_id is null and deleted_at is null order by id {"for key share" * held}
        """  # noqa: S608  no value of anybody's
    return set(many(db, UUID, sql, ids=list(ids)))


def stored(db: Db, ids: Sequence[UUID], *, held: bool = True) -> dict[UUID, Existing]:
    """Returns those of these connections that are stored; while `held` they stay ours to the end.

    So what is judged is what is changed: a token never meets a host that it was not judged with.
    """
    sql = f"""
        select id, access_token is not null as has_access_token,
            refresh_token is not null as has_refresh_token, app_name, host,
            coalesce(placeholders, '{{}}') as placeholders, root_id, in_between_steps,
            deleted_at is not null as deleted
        from connection where id = any(cast(:ids as uuid[])) order by id {"for no key update" * held}
        """  # noqa: S608  no value of anybody's
    rows = [dict(row) for row in run(db, sql, ids=list(ids)).mappings()]
    return {row.pop("id"): Existing(**row) for row in rows}


def upsert(db: Db, rows: Sequence[Prepared]) -> tuple[int, int, int]:
    """Stores connections and their schedule; returns how many are new, reconnected, and slots.

    No two rows may have the same id. Roots come before their siblings by themselves.
    """
    stage(db, rows)
    written = run(db, _CONNECTIONS).all()
    slots = sum(not row.is_main for row in written)
    if slots:
        run(db, _SLOTS)
    dead = restoring.restore(db, rows)
    if any(row.reconnected for row in written):  # else none of them has a schedule
        # A connection that became a sibling has no schedule of its own any more.
        run(
            db,
            "delete from refresh_schedule s using intake i "
            "where s.connection_id = i.id and i.root_id is not null",
        )
        run(db, _LEASES)
    run(db, _SCHEDULE)
    run(db, _EVENTS)
    notices.mark_well(db, [row.id for row in written if row.healed and row.id not in dead])
    grant_ends.watch(db, [r.id for r in rows if r.end_is_fixed])
    reconnected = sum(row.reconnected and row.is_main for row in written)
    return len(written) - slots - reconnected, reconnected, slots


def stage(db: Db, rows: Sequence[Prepared]) -> None:
    """Puts rows into the table from which they are stored, which lasts for the transaction."""
    run(db, _STAGE)
    copying.copy(db, "intake", _COLUMNS, map(_cells, rows))
    connect_guard.disown(db, [row.id for row in rows if row.in_between_steps])


def _cells(r: Prepared) -> tuple[object, ...]:
    """Returns a row in the order of `_COLUMNS`."""
    return (
        r.id, r.organization_id, r.provider, r.external_id, r.name, r.app_name, r.root_id, r.host,
        _json(r.placeholders), r.access_token, r.refresh_token, r.expires_in_seconds, r.expires_at,
        r.lifetime_seconds, r.refresh_token_expires_in_seconds, r.grant_ends_in_seconds, r.because,
        r.scopes, r.granted_scopes, r.kept_fields, r.kept_secrets, r.in_between_steps,
        _json(r.metadata), r.due_in_seconds, r.park_reason, r.access_is_old, r.slot, r.slot_of,
    )  # fmt: skip


def _json(value: Mapping[str, object] | None) -> str | None:
    return None if value is None else json.dumps(value)

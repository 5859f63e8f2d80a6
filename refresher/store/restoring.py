"""Writes how connections stood elsewhere, into rows that were stored a moment ago.

A part of `registration.upsert`, between the connections and their schedule: so a connection that moves
in paused is never due, and one that needs a reconnect is nobody's news.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from refresher.rules.notices import NewsState
from refresher.store import copying
from refresher.store.session import Db, many, run

if TYPE_CHECKING:
    from refresher.store.registration import Prepared

_COLUMNS = {
    "id": "uuid primary key", "exported_at": "timestamptz", "issued_at": "timestamptz",
    "expires_at": "timestamptz", "lifetime_seconds": "float8",
    "refresh_token_expires_at": "timestamptz", "grant_ends_at": "timestamptz", "status": "text",
    "status_cause": "text", "parked": "text", "paused_at": "timestamptz",
    "disabled_at": "timestamptz", "created_at": "timestamptz", "account": "text",
    "account_label": "text",
}  # fmt: skip
_STAGE = f"""
    create temporary table stood (
        {", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())}
    ) on commit drop
    """
_RESTORE = f"""
    update connection c set name = i.name, host = i.host, placeholders = nullif(i.placeholders, '{{}}'),
        access_token = i.access_token, refresh_token = i.refresh_token,
        granted_scopes = i.granted_scopes, kept_fields = i.kept_fields,
        kept_secrets = i.kept_secrets, issued_at = coalesce(o.issued_at, c.issued_at),
        expires_at = coalesce(o.expires_at, case when i.access_token is not null then c.expires_at end),
        lifetime_seconds = coalesce(o.lifetime_seconds, c.lifetime_seconds),
        refresh_token_expires_at = o.refresh_token_expires_at, grant_ends_at = o.grant_ends_at,
        status = o.status, status_cause = o.status_cause,
        trouble = case when o.status = 'reconnect_required' then '{NewsState.RECONNECT_REQUIRED}' end,
        paused_at = o.paused_at, disabled_at = o.disabled_at, account = o.account,
        account_label = o.account_label, created_at = coalesce(o.created_at, c.created_at),
        updated_at = least(o.exported_at, refresher_now())
    from stood o join intake i on i.id = o.id where c.id = o.id returning c.id
    """  # noqa: S608  our own words
# Where it was, people were told; what they are told here is that it works again.
_TOLD = f"""
    insert into notice as n (scope, key, state, told)
    select 'connection', id::text, '{NewsState.RECONNECT_REQUIRED}', '{NewsState.RECONNECT_REQUIRED}'
    from stood where status = 'reconnect_required' order by id::text
    on conflict (scope, key) do update set state = excluded.state, told = excluded.told, look_at = null
    """  # noqa: S608  our own words
_IN_TROUBLE = "select id from stood where status = 'reconnect_required'"


def restore(db: Db, rows: Sequence[Prepared]) -> set[UUID]:
    """Has those of these stand as they stood; returns which of them need a reconnect."""
    stood = [(row.id, row.restored) for row in rows if row.restored is not None]
    if not stood:
        return set()
    run(db, _STAGE)
    values = (
        (
            id_, o.exported_at, o.issued_at, o.expires_at, o.lifetime_seconds,
            o.refresh_token_expires_at, o.grant_ends_at, o.status, o.status_cause, o.parked,
            o.paused_at, o.disabled_at, o.created_at, o.account, o.account_label,
        )
        for id_, o in stood
    )  # fmt: skip
    copying.copy(db, "stood", _COLUMNS, values)
    run(db, _RESTORE)
    run(db, _TOLD)
    return set(many(db, UUID, _IN_TROUBLE))

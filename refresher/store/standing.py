"""One connection whole: for `inspect` and `explain`, step by step for tests, and to revoke its grant.

Reads only. `Moment` and what follows from events are `rules/history.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from refresher.rules.connection import Connection
from refresher.rules.history import Moment
from refresher.store import answers
from refresher.store.answers import AnswerView
from refresher.store.reload import connection_from
from refresher.store.session import Db, first, many, run
from refresher.store.words import BEGUN, SLOTS, STATE


@dataclass(frozen=True, slots=True)
class ConnectionStanding:
    """How a connection with a grant of its own stands at this instant of the database's clock.

    `unread` is the answer to its present pair that is kept because we could not read it, if any.
    """

    now: datetime
    created_at: datetime
    moment: Moment
    connection: Connection
    granted_scopes: tuple[str, ...] | None = None
    kept_fields: Mapping[str, str | int | float | bool] | None = None
    grant_ends_at: datetime | None = None
    unread: AnswerView | None = None
    slot: str = ""
    slot_of: UUID | None = None
    slots: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A connection and its schedule row, without its tokens.

    `state` is idle, leased or parked; `begun` tells that a request may be under way; instants are aware
    UTC in the database's clock.
    """

    state: str
    due_at: datetime | None
    lease_token: int
    begun: bool
    attempt: int
    parked_reason: str | None
    status: str
    status_cause: str | None
    credential_version: int
    expires_at: datetime | None


_MOMENT = f"""
    {STATE} as state,
    case when s.state <> 2 then s.due_at end as due_at, s.parked_reason, s.postponed_by,
    coalesce(s.attempt, 0) as attempt, coalesce(s.unknown_outcomes, 0) as unknown_outcomes,
    coalesce(s.starts, 0) as starts,
    case when s.state = 1 then s.lease_token end as lease_token,
    case when s.state = 1 then s.claimed_at end as claimed_at,
    case when s.state = 1 then s.lease_until end as lease_until,
    case when {BEGUN} then s.begun_at end as begun_at,
    c.credential_version, c.grant_number, c.status, c.status_cause, c.expires_at,
    c.lifetime_seconds, c.refresh_token_expires_at, c.paused_at, c.disabled_at, c.deleted_at,
    c.in_between_steps
"""
_STANDING = f"""
    select {_MOMENT}, refresher_now() as now, c.created_at,
        c.id as connection_id, c.organization_id, c.provider, c.external_id, c.access_token,
        c.refresh_token, c.issued_at, c.host, c.placeholders, c.app_name, c.scopes,
        c.granted_scopes, c.grant_ends_at, c.kept_fields, c.slot, c.slot_of, {SLOTS} as slots,
        c.disabled_at is not null as disabled, c.paused_at is not null as paused,
        c.deleted_at is not null as deleted, a.id as app_id, a.client_id, a.client_secret,
        a.material
    from connection c join connection r on r.id = c.id
    left join refresh_schedule s on s.connection_id = c.id
    left join app a on a.provider = c.provider and a.name = c.app_name
    where c.id = :id
    """  # noqa: S608  our own column names
_MOMENT_NAMES = Moment.__dataclass_fields__


def standing_of(db: Db, connection_id: UUID) -> ConnectionStanding | None:
    """Returns how a root connection stands, or None when it is unknown."""
    row = run(db, _STANDING, id=connection_id).mappings().first()
    if row is None:
        return None
    connection = connection_from(dict(row))
    kept = answers.unread(db, [connection_id]).get(connection_id)
    return ConnectionStanding(
        now=row["now"],
        created_at=row["created_at"],
        moment=Moment(**{name: row[name] for name in _MOMENT_NAMES}),
        connection=connection,
        granted_scopes=None if row["granted_scopes"] is None else tuple(row["granted_scopes"]),
        kept_fields=row["kept_fields"],
        grant_ends_at=row["grant_ends_at"],
        unread=answers.show(db, kept) if kept else None,
        slot=row["slot"],
        slot_of=row["slot_of"],
        slots=row["slots"],
    )


def snapshot(db: Db, connection_id: UUID) -> Snapshot | None:
    """Returns a connection as it is stored now; None when there is none, or it is a sibling."""
    sql = f"""
        select {STATE} as state,
            s.due_at, s.lease_token, {BEGUN} as begun, s.attempt,
            s.parked_reason, c.status, c.status_cause, c.credential_version, c.expires_at
        from refresh_schedule s join connection c on c.id = s.connection_id
        where s.connection_id = :id
        """  # noqa: S608  our own column names
    return first(db, Snapshot, sql, id=connection_id)


_VERSIONS = """
    select c.id, c.organization_id, c.provider,
        c.xmin || ' ' || r.xmin || ' ' || coalesce(s.xmin::text, '') || ' ' || coalesce((
            select id from refresh_event where connection_id = r.id order by id desc limit 1), 0)
            || ' ' || coalesce(o.id::text, '') as text,
        array[s.due_at, r.expires_at, r.refresh_token_expires_at, r.grant_ends_at,
            o.occurred_at] as instants
    from unnest(cast(:ids as uuid[])) u(id)
    join connection c on c.id = u.id
    join connection r on r.id = coalesce(c.root_id, c.id)
    left join refresh_schedule s on s.connection_id = r.id
    left join lateral (
        select n.* from unnest(array[c.id, r.id]) about(id) cross join lateral (
            select id, occurred_at from outbox where connection_id = about.id
            order by sequence desc limit 1) n
        order by n.id desc limit 1) o on true
    """


@dataclass(frozen=True, slots=True)
class Version:
    """`text` is another after each event, notice and change of a connection, or of its root.

    `instants` are those that words of time about it are made from; None where there is none.
    """

    id: UUID
    organization_id: str
    provider: str
    text: str
    instants: Sequence[datetime | None]


def versions(db: Db, connection_ids: Sequence[UUID]) -> list[Version]:
    """Returns the versions of those connections that there are.

    A few look-ups by key for each, and two of the newest: for who asks again and again.
    """
    return many(db, Version, _VERSIONS, ids=list(connection_ids))

"""Connections as the holder of an API key sees them: every statement is limited to an organization.

`organization_id` None is a key for all organizations. Somebody else's connection and a deleted one are
both none at all. Changes begin with `locked`: the row stays the caller's until the transaction ends.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from refresher.store.connections import STATES, WITH_ROOT, WITHOUT_TOKENS, WithoutTokens
from refresher.store.events import PastEvent
from refresher.store.gauges import MOST_COUNTED
from refresher.store.session import Db, many, run


@dataclass(frozen=True, slots=True)
class ConnectionSeen(WithoutTokens):
    """A living connection as its organization sees it."""

    app: str
    host: str | None
    placeholders: dict[str, str] | None
    metadata: dict[str, object]
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Versioned:
    """A connection, and the entity tag of its row: it changes with every write to it."""

    seen: ConnectionSeen
    etag: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which connections to list; None leaves a condition away."""

    organization_id: str | None = None
    provider: str | None = None
    state: str | None = None
    reason: str | None = None
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class Numbers:
    """How many connections there are in which state. 10,001 means "more than 10,000"."""

    connections: int
    states: dict[str, int]
    parked: dict[str, int]
    overdue: int
    expired: int
    reconnect_required: int


# xmin names the transaction that wrote the row last, so it tells two writes within one instant apart.
_SEEN = f"""
    select {WITHOUT_TOKENS}, c.app_name as app, c.host, c.placeholders, c.metadata,
        c.credential_version || '-' || c.xmin::text as etag
    from {WITH_ROOT}
    where c.deleted_at is null
      and (cast(:organization as text) is null or c.organization_id = :organization)
"""  # noqa: S608  our own names
_ONE = _SEEN + " and c.id = :id"
_LOCKED = _SEEN + " and c.id = :id for update of c"


def find(db: Db, connection_id: UUID, organization_id: str | None) -> Versioned | None:
    """Returns one connection, or None where this organization has no living one of that id."""
    row = run(db, _ONE, id=connection_id, organization=organization_id).mappings().first()
    return _versioned(row) if row else None


def locked(db: Db, connection_id: UUID, organization_id: str | None) -> Versioned | None:
    """Returns the same, and keeps every other writer off the row until the transaction ends."""
    row = run(db, _LOCKED, id=connection_id, organization=organization_id).mappings().first()
    return _versioned(row) if row else None


def page(
    db: Db,
    chosen: Chosen,
    organization_id: str | None,
    *,
    after: tuple[str, str, str] | None,
    limit: int,
) -> list[ConnectionSeen]:
    """Returns connections ordered by organization, provider and external id, those behind `after`.

    That is the order of an index, and the one that the filters narrow from the left.
    """
    conditions = {
        "c.organization_id = :organization_id": chosen.organization_id,
        "c.provider = :provider": chosen.provider,
        "c.external_id = :external_id": chosen.external_id,
        "s.state = :state": chosen.state,
        "s.state = 2 and s.parked_reason = :reason": chosen.reason,
        "(c.organization_id, c.provider, c.external_id) > (:after_0, :after_1, :after_2)": after,
    }
    where = "".join(f" and {sql}" for sql, value in conditions.items() if value is not None)
    order = " order by c.organization_id, c.provider, c.external_id limit :limit"
    sql = _SEEN + where + order
    given: dict[str, object] = {
        "organization_id": chosen.organization_id,
        "provider": chosen.provider,
        "external_id": chosen.external_id,
        "state": STATES[chosen.state] if chosen.state else None,
        "reason": chosen.reason,
        **{f"after_{n}": part for n, part in enumerate(after or ())},
    }
    values = {name: value for name, value in given.items() if value is not None}
    values |= {"organization": organization_id, "limit": limit}
    return [_versioned(row).seen for row in run(db, sql, **values).mappings()]


def events(
    db: Db, connection_id: UUID, organization_id: str | None, *, before: int | None, limit: int
) -> list[PastEvent]:
    """Returns the events of a connection (its root's, for a sibling), the newest first."""
    columns = ", ".join(f"e.{f.name}" for f in fields(PastEvent))
    sql = f"""
        select {columns} from connection c
        join refresh_event e on e.connection_id = coalesce(c.root_id, c.id)
        where c.id = :id and c.deleted_at is null
          and (cast(:organization as text) is null or c.organization_id = :organization)
          and (cast(:before as bigint) is null or e.id < :before)
        order by e.id desc limit :limit
        """  # noqa: S608  our own column names
    return many(
        db,
        PastEvent,
        sql,
        id=connection_id,
        organization=organization_id,
        before=before,
        limit=limit,
    )


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


def numbers(db: Db, organization_id: str | None) -> Numbers:
    """Returns the counts of one organization, or of all; never reads more than 10,001 connections.

    Expired are, dead tokens that are to be refreshed: none of what is parked.
    """
    sql = """
        select c.status, coalesce(s.state, -1) as state,
            case when s.state = 2 then s.parked_reason end as parked_reason,
            count(*) as n,
            count(*) filter (where s.state = 0 and s.due_at <= refresher_now()) as overdue,
            count(*) filter (where c.expires_at <= refresher_now() and s.state <> 2) as expired
        from (
            select id, status, expires_at from connection
            where deleted_at is null
              and (cast(:organization as text) is null or organization_id = :organization)
            limit :most
        ) c left join refresh_schedule s on s.connection_id = c.id
        group by 1, 2, 3
        """
    rows = run(db, sql, organization=organization_id, most=MOST_COUNTED).all()
    states, parked = dict.fromkeys((*STATES, "none"), 0), dict[str, int]()
    words = {number: word for word, number in STATES.items()} | {-1: "none"}
    for row in rows:
        states[words[row.state]] += row.n
        if row.parked_reason is not None:
            parked[row.parked_reason] = parked.get(row.parked_reason, 0) + row.n
    return Numbers(
        connections=sum(row.n for row in rows),
        states=states,
        parked=parked,
        overdue=sum(row.overdue for row in rows),
        expired=sum(row.expired for row in rows),
        reconnect_required=sum(row.n for row in rows if row.status == "reconnect_required"),
    )


def _versioned(row: RowMapping) -> Versioned:
    values: dict[str, Any] = {**row}
    etag = str(values.pop("etag"))
    return Versioned(ConnectionSeen(**values), etag)

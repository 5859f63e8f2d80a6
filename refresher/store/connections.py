"""The table `connection`, read: one, a page, how many in which state.

Operators see deleted ones too. The holder of an API key sees its organization's living ones:
somebody else's connection and a deleted one are both none at all; `organization_id` None is a key for
all of them. Found by what people type: `lookup.py`; changed by them: `state_changes.py`. What a refresh
writes is in `settlement.py`, new and returning connections are in `registration.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from refresher.rules.connection import ParkReason, Status
from refresher.rules.standing_word import Health
from refresher.store.db import RowMapping
from refresher.store.gauges import MOST_COUNTED
from refresher.store.session import Db, conditions, first, many, one, run
from refresher.store.walks import by_index
from refresher.store.words import HEALTH, SLOTS, STATE, STATES


@dataclass(frozen=True, slots=True)
class ConnectionView:
    """A connection and its schedule, without tokens, as its organization sees it.

    For a sibling, state and lives are those of its root. `scopes` were asked for, or granted where
    nobody told; `granted_scopes` is None until an answer has told. `kept_fields` are those that are no
    secrets. `note` tells what a call did not do. `slots` are its tokens beside the main one, by name;
    each is a connection of its own, with a `slot`, and stands only in lists that ask for them.
    `account_known`: a consent can tell whether it is of the same account. `health` is how it stands, in
    one word.
    """

    id: UUID
    organization_id: str
    provider: str
    external_id: str
    name: str | None
    root_id: UUID | None
    status: Status
    status_cause: str | None
    state: Literal["idle", "leased", "parked", "none"]
    due_at: datetime | None
    parked_reason: ParkReason | None
    attempt: int
    expires_at: datetime | None
    lifetime_seconds: float | None
    refresh_token_expires_at: datetime | None
    grant_ends_at: datetime | None
    credential_version: int
    scopes: list[str]
    granted_scopes: list[str] | None
    missing_scopes: list[str]
    kept_fields: dict[str, str | int | float | bool] | None
    in_between_steps: bool
    paused_at: datetime | None
    disabled_at: datetime | None
    created_at: datetime
    updated_at: datetime
    app: str
    host: str | None
    placeholders: dict[str, str] | None
    metadata: dict[str, object]
    note: str | None
    slot: str
    slot_of: UUID | None
    slots: dict[str, dict[str, Any]]
    account_known: bool
    account_label: str | None
    health: Health

    def __post_init__(self) -> None:
        """Takes the word as Postgres tells it."""
        object.__setattr__(self, "health", Health(self.health))


@dataclass(frozen=True, slots=True)
class OperatorView(ConnectionView):
    """The same as operators see it: deleted ones, too.

    `postponed_by` is what an idle row waits for the end of, such as `app:google/default`; `app_name` is
    the app that its grant is refreshed with.
    """

    app_name: str
    postponed_by: str | None
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True)
class Versioned:
    """A connection, and the entity tag of its row: it changes with every write to it."""

    seen: ConnectionView
    etag: str


@dataclass(frozen=True, slots=True)
class Filter:
    """Which connections to list; None leaves a condition away."""

    organization_id: str | None = None
    provider: str | None = None
    state: str | None = None
    parked_reason: str | None = None
    external_id: str | None = None
    deleted: bool = False
    slots: bool = False
    expired: bool = False
    failing: bool = False


@dataclass(frozen=True, slots=True)
class Numbers:
    """How many connections there are in which state. 10,001 means "more than 10,000"."""

    connections: int
    states: dict[str, int]
    parked: dict[str, int]
    overdue: int
    expired: int
    reconnect_required: int


_COLUMNS = f"""
    c.id, c.organization_id, c.provider, c.external_id, c.name, c.root_id, r.status, r.status_cause,
    {STATE} as state,
    case when s.state <> 2 then s.due_at end as due_at,
    case when s.state = 2 then s.parked_reason end as parked_reason,
    coalesce(s.attempt, 0) as attempt, r.expires_at, r.lifetime_seconds, r.refresh_token_expires_at,
    r.grant_ends_at, r.credential_version,
    case when c.scopes = '{{}}' then coalesce(r.granted_scopes, '{{}}') else c.scopes end as scopes,
    r.granted_scopes, array(
        select s from unnest(r.scopes) s where s <> all(r.granted_scopes) and s <> 'offline_access'
    ) as missing_scopes, r.kept_fields, c.in_between_steps, c.paused_at, c.disabled_at, c.created_at,
    c.updated_at, c.app_name as app, c.host, c.placeholders, c.metadata, null::text as note,
    c.slot, c.slot_of,
    {SLOTS} as slots, r.account is not null as account_known, r.account_label,
    {HEALTH} as health
"""  # noqa: S608  our own names
"""The columns of `ConnectionView`. `offline_access` is never missing: no token has it."""
_WITH_ROOT = """
    connection c
    join connection r on r.id = coalesce(c.root_id, c.id)
    left join refresh_schedule s on s.connection_id = r.id
"""
"""Where they come from: the connection, the one whose grant it uses, and the schedule row."""
_VIEW = (
    f"select {_COLUMNS}, r.app_name, "  # noqa: S608  our own names
    f"case when s.state = 0 then s.postponed_by end as postponed_by, c.deleted_at from {_WITH_ROOT}"
)
# xmin names the transaction that wrote the row last, so it tells two writes within one instant apart.
_SEEN = f"""
    select {_COLUMNS}, c.credential_version || '-' || c.xmin::text as etag
    from {_WITH_ROOT}
    where c.deleted_at is null
      and (cast(:organization as text) is null or c.organization_id = :organization)
"""  # noqa: S608  our own names


def show(db: Db, connection_id: UUID) -> OperatorView | None:
    """Returns one connection, deleted ones too, or None."""
    return first(db, OperatorView, _VIEW + " where c.id = :id", id=connection_id)


def views(
    db: Db, chosen: Filter, *, after: UUID | None = None, limit: int = 50
) -> list[OperatorView]:
    """Returns connections in the order of their ids, those behind `after` only."""
    where, values = _where(chosen)
    sql = _VIEW + (
        f" where {where} and (cast(:after as uuid) is null or c.id > :after) "
        "order by c.id limit :limit"
    )
    return many(db, OperatorView, sql, **values, after=after, limit=limit)


def views_of(db: Db, ids: Sequence[UUID]) -> list[OperatorView]:
    """Returns these connections in the order of their ids here, deleted ones too."""
    sql = f"{_VIEW} where c.id = any(cast(:ids as uuid[]))"
    found = {view.id: view for view in many(db, OperatorView, sql, ids=list(ids))}
    return [found[id_] for id_ in ids if id_ in found]


def count(db: Db, chosen: Filter) -> int:
    """Returns how many connections there are of this kind."""
    where, values = _where(chosen)
    sql = f"select count(*) from {_WITH_ROOT} where {where}"  # noqa: S608  our own names
    return one(db, int, sql, **values)


def find(db: Db, connection_id: UUID, organization_id: str | None) -> Versioned | None:
    """Returns one connection, or None where this organization has no living one of that id."""
    return _one(db, _SEEN + " and c.id = :id", connection_id, organization_id)


def locked(db: Db, connection_id: UUID, organization_id: str | None) -> Versioned | None:
    """Returns the same, and keeps every other writer off it and its slots until the transaction ends.

    They are locked in the order of their ids, as by who stores tokens: so neither waits for the other.
    """
    run(
        db,
        "select 1 from connection where id in (select cast(:id as uuid) union all "
        "select id from connection where slot_of = :id) order by id for update",
        id=connection_id,
    )
    return _one(db, _SEEN + " and c.id = :id for update of c", connection_id, organization_id)


def of(db: Db, ids: Sequence[UUID], organization_id: str | None) -> list[ConnectionView]:
    """Returns these connections in the order of their ids here, those that are this organization's."""
    sql = f"{_SEEN} and c.id = any(cast(:ids as uuid[]))"
    rows = run(db, sql, ids=list(ids), organization=organization_id).mappings()
    found = {row["id"]: _versioned(row).seen for row in rows}
    return [found[id_] for id_ in ids if id_ in found]


def numbers(db: Db, organization_id: str | None) -> Numbers:
    """Returns the counts of one organization, or of all; never reads more than 10,001 connections.

    Expired are, dead tokens that are to be refreshed: none of what is parked.
    """
    mine = "true" if organization_id is None else "organization_id = :organization"
    # Each row is looked up by its key: for a join the planner may read a table whole.
    sql = f"""
        select c.status, coalesce(s.state, -1) as state,
            case when s.state = 2 then s.parked_reason end as parked_reason,
            count(*) as n,
            count(*) filter (where s.state = 0 and s.due_at <= refresher_now()) as overdue,
            count(*) filter (where c.expires_at <= refresher_now() and s.state <> 2) as expired
        from (
            select id, status, expires_at from connection
            where deleted_at is null and slot_of is null and {mine}
            order by organization_id, provider, external_id, slot limit :most
        ) c left join lateral (
            select state, due_at, parked_reason from refresh_schedule where connection_id = c.id limit 1
        ) s on true
        group by 1, 2, 3
        """  # noqa: S608  our own text
    with by_index(db):
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


def _where(chosen: Filter) -> tuple[str, dict[str, object]]:
    state = STATES.get(chosen.state or "")
    given = {
        "c.organization_id = :organization_id": chosen.organization_id,
        "c.provider = :provider": chosen.provider,
        "c.external_id = :external_id": chosen.external_id,
        "s.state = :state": state,
        "s.state = 2 and s.parked_reason = :parked_reason": chosen.parked_reason,
        "c.deleted_at is null": None if chosen.deleted else True,
        "c.slot_of is null": None if chosen.slots else True,
        "r.expires_at <= refresher_now() and s.state <> 2": chosen.expired or None,
        "s.state <> 2 and s.attempt > 0": chosen.failing or None,
    }
    return conditions(given), {**asdict(chosen), "state": state}


def _one(db: Db, sql: str, connection_id: UUID, organization_id: str | None) -> Versioned | None:
    row = run(db, sql, id=connection_id, organization=organization_id).mappings().first()
    return _versioned(row) if row else None


def _versioned(row: RowMapping) -> Versioned:
    values: dict[str, Any] = {**row}
    etag = str(values.pop("etag"))
    return Versioned(ConnectionView(**values), etag)

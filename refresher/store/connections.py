"""The table `connection`: look up, list, and the changes of state that people ask for.

What a refresh writes is in `settlement.py`; new and returning connections are in `imports.py`. A
change of state never touches a refresh in flight: `schedule.begin` and the fences see to that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import RowMapping

from refresher.rules.connection import ParkReason, Status
from refresher.store.events import Event, append
from refresher.store.session import Db, first, many, one, run


@dataclass(frozen=True, slots=True)
class WithoutTokens:
    """What everybody may see of a connection. For a sibling, state and lives are those of its root.

    `scopes` were asked for, or granted where nobody told; `granted_scopes` is None until an answer has
    told. `kept_fields` are those that are no secrets.
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


@dataclass(frozen=True, slots=True)
class ConnectionView(WithoutTokens):
    """A connection and its schedule as operators see them: deleted ones, too.

    `postponed_by` is what an idle row waits for the end of, such as `app:google/default`.
    """

    app_name: str
    postponed_by: str | None
    deleted_at: datetime | None


STATES = {"idle": 0, "leased": 1, "parked": 2}
"""What a schedule row's state is called."""
NOTHING_TO_RESUME = "nothing to resume: it is active"
WITHOUT_TOKENS = """
    c.id, c.organization_id, c.provider, c.external_id, c.name, c.root_id, r.status, r.status_cause,
    case s.state when 0 then 'idle' when 1 then 'leased' when 2 then 'parked' else 'none' end as state,
    case when s.state <> 2 then s.due_at end as due_at,
    case when s.state = 2 then s.parked_reason end as parked_reason,
    coalesce(s.attempt, 0) as attempt, r.expires_at, r.lifetime_seconds, r.refresh_token_expires_at,
    r.credential_version,
    case when c.scopes = '{}' then coalesce(r.granted_scopes, '{}') else c.scopes end as scopes,
    r.granted_scopes, array(
        select s from unnest(r.scopes) s where s <> all(r.granted_scopes) and s <> 'offline_access'
    ) as missing_scopes, r.kept_fields, c.in_between_steps, c.paused_at, c.disabled_at, c.created_at,
    c.updated_at
"""
"""The columns of `WithoutTokens`. `offline_access` is never missing: no token has it."""
WITH_ROOT = """
    connection c
    join connection r on r.id = coalesce(c.root_id, c.id)
    left join refresh_schedule s on s.connection_id = r.id
"""
"""Where they come from: the connection, the one whose grant it uses, and the schedule row."""
_VIEW = (
    f"select {WITHOUT_TOKENS}, r.app_name, "  # noqa: S608  our own names
    f"case when s.state = 0 then s.postponed_by end as postponed_by, c.deleted_at from {WITH_ROOT}"
)


def show(db: Db, connection_id: UUID) -> ConnectionView | None:
    """Returns one connection, deleted ones too, or None."""
    row = run(db, _VIEW + " where c.id = :id", id=connection_id).mappings().first()
    return _view(row) if row else None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which connections to list; None leaves a condition away."""

    organization_id: str | None = None
    provider: str | None = None
    state: str | None = None
    parked_reason: str | None = None
    deleted: bool = False
    expired: bool = False
    failing: bool = False


def find(
    db: Db, chosen: Filter, *, after: UUID | None = None, limit: int = 50
) -> list[ConnectionView]:
    """Returns connections in the order of their ids, those behind `after` only."""
    where, values = _where(chosen, after)
    sql = _VIEW + f" where {where} order by c.id limit :limit"
    return [_view(row) for row in run(db, sql, **values, limit=limit).mappings()]


def count(db: Db, chosen: Filter) -> int:
    """Returns how many connections there are of this kind."""
    where, values = _where(chosen, None)
    sql = f"select count(*) from {WITH_ROOT} where {where}"  # noqa: S608  our own names
    return one(db, int, sql, **values)


def _where(chosen: Filter, after: UUID | None) -> tuple[str, dict[str, object]]:
    state = STATES.get(chosen.state or "")
    conditions = {
        "c.organization_id = :organization_id": chosen.organization_id,
        "c.provider = :provider": chosen.provider,
        "s.state = :state": state,
        "s.parked_reason = :parked_reason": chosen.parked_reason,
        "c.id > :after": after,
        "c.deleted_at is null": None if chosen.deleted else True,
        "r.expires_at <= refresher_now() and s.state <> 2": chosen.expired or None,
        "s.state <> 2 and s.attempt > 0": chosen.failing or None,
    }
    where = " and ".join(["true", *(sql for sql, value in conditions.items() if value is not None)])
    values = {**asdict(chosen), "state": state, "after": after}
    return where, {name: value for name, value in values.items() if f":{name}" in where}


def root_of(db: Db, connection_id: UUID) -> UUID | None:
    """Returns the id whose grant this connection uses: its root's or its own; None if unknown."""
    sql = "select coalesce(root_id, id) from connection where id = :id"
    return first(db, UUID, sql, id=connection_id)


def siblings(db: Db, root_id: UUID) -> list[UUID]:
    """Returns the living connections that use this one's grant."""
    sql = "select id from connection where root_id = :id and deleted_at is null order by id"
    return many(db, UUID, sql, id=root_id)


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


def like(db: Db, text_given: str, *, limit: int = 3) -> Sequence[str]:
    """Returns ids or external ids that begin like `text_given`, for "did you mean"."""
    sql = (
        "select id::text from connection where (id::text like :p or external_id = :exact "
        "or name = :exact) and deleted_at is null limit :limit"
    )
    pattern = text_given[:8].replace("%", "").replace("_", "") + "%"
    return many(db, str, sql, p=pattern, exact=text_given, limit=limit)


def _view(row: RowMapping) -> ConnectionView:
    return ConnectionView(**row)

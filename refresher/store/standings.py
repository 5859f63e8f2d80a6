"""Reads one connection for `inspect` and `explain`: how it stands, what stood around a moment.

Reads only. `Moment` and what follows from events are `rules/time_travel.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from refresher.rules.connection import Connection
from refresher.rules.history import Moment, PastEvent
from refresher.store import answers
from refresher.store.answers import AnswerView
from refresher.store.events import COLUMNS
from refresher.store.in_flight import BEGUN
from refresher.store.reload import connection_from
from refresher.store.session import Db, first, many, run

NEAR = 50
"""So many events before a moment tell for certain which leases had ended."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a connection with a grant of its own stands at this instant of the database's clock.

    `unread` is the answer to its present pair that is kept because we could not read it, if any.
    """

    now: datetime
    created_at: datetime
    moment: Moment
    connection: Connection
    granted_scopes: tuple[str, ...] | None = None
    kept_fields: Mapping[str, str | int | float | bool] | None = None
    unread: AnswerView | None = None


@dataclass(frozen=True, slots=True)
class Around:
    """The events around an instant, the oldest first; `oldest_at` is that of the oldest kept one."""

    past: list[PastEvent]
    later: list[PastEvent]
    oldest_at: datetime | None


_MOMENT = f"""
    case s.state when 0 then 'idle' when 1 then 'leased' when 2 then 'parked' else 'none' end as state,
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
        c.granted_scopes, c.kept_fields,
        c.disabled_at is not null as disabled, c.paused_at is not null as paused,
        c.deleted_at is not null as deleted, a.id as app_id, a.client_id, a.client_secret
    from connection c
    left join refresh_schedule s on s.connection_id = c.id
    left join app a on a.provider = c.provider and a.name = c.app_name
    where c.id = :id
    """  # noqa: S608  our own column names
_MOMENT_NAMES = Moment.__dataclass_fields__


def standing(db: Db, connection_id: UUID) -> Standing | None:
    """Returns how a root connection stands, or None when it is unknown."""
    row = run(db, _STANDING, id=connection_id).mappings().first()
    if row is None:
        return None
    connection = connection_from(dict(row))
    kept = answers.unread(db, [connection_id]).get(connection_id)
    return Standing(
        now=row["now"],
        created_at=row["created_at"],
        moment=Moment(**{name: row[name] for name in _MOMENT_NAMES}),
        connection=connection,
        granted_scopes=None if row["granted_scopes"] is None else tuple(row["granted_scopes"]),
        kept_fields=row["kept_fields"],
        unread=answers.show(db, kept) if kept else None,
    )


def around(db: Db, connection_id: UUID, at: datetime) -> Around:
    """Returns the events near an instant: those until then, and what later ones tell about it."""
    values = {"id": connection_id, "at": at, "near": NEAR}
    select = f"select {COLUMNS} from refresh_event where connection_id = :id "  # noqa: S608
    before = select + "and occurred_at <= :at order by id desc limit :near"
    after = (
        select + "and occurred_at > :at and claimed_at <= :at "
        "union all (" + select + "and occurred_at > :at order by id limit 1) order by id"
    )
    oldest = "select min(occurred_at) from refresh_event where connection_id = :id"
    found = first(db, datetime, oldest, **values)
    return Around(
        past=many(db, PastEvent, before, **values)[::-1],
        later=many(db, PastEvent, after, **values),
        oldest_at=found,
    )


def attempt(db: Db, connection_id: UUID, number: int | None) -> PastEvent | None:
    """Returns the attempt under this lease token, the newest recorded one where there is no number.

    Of two events under one lease (a sweep, and the reply that came after all) the one with a record.
    """
    sql = (
        f"select {COLUMNS} from refresh_event where connection_id = :id "  # noqa: S608
        "and lease_token is not null and (cast(:number as bigint) is null and recorded is not null "
        "or lease_token = :number) order by recorded is null, id desc limit 1"
    )
    return first(db, PastEvent, sql, id=connection_id, number=number)


@dataclass(frozen=True, slots=True)
class Attempts:
    """Which attempts of a connection are kept: the oldest, the newest, and those beside a number."""

    first: int
    last: int
    below: int | None
    above: int | None


def attempts_around(db: Db, connection_id: UUID, number: int) -> Attempts | None:
    """Returns which attempts there are, None without any. Numbers may have gaps."""
    sql = """
        select min(lease_token) as first, max(lease_token) as last,
            max(lease_token) filter (where lease_token < :number) as below,
            min(lease_token) filter (where lease_token > :number) as above
        from refresh_event where connection_id = :id and lease_token is not null
        """
    row = run(db, sql, id=connection_id, number=number).mappings().one()
    return None if row["first"] is None else Attempts(**row)

"""What may need a person: bounded looks at what waits, is parked, disabled, or given up.

Each reads at most `MOST_COUNTED` rows by an index. What is decided from it is in `rules/needs.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from refresher.rules.connection import ParkReason
from refresher.store.gauges import MOST_COUNTED
from refresher.store.session import Db, many, one
from refresher.store.token_lives import MOST_OPENED
from refresher.store.walks import by_index

MOST_ENDPOINTS = 20
LATE_SECONDS = 30.0
BY_A_PERSON = "by "
"""How the reason of an endpoint begins that somebody disabled (`Actor.told`)."""


@dataclass(frozen=True, slots=True)
class Behind:
    """Who waits for the end of a pause: how many, how many of the first have a token that has ended.

    `first_ends_at` is when the first of their living tokens ends; of the first 2,000 that are due.
    """

    name: str
    waiting: int
    ended: int
    first_ends_at: datetime | None


_BEHIND = """
    select cast(:name as text) as name,
        (select count(*) from (select 1 from refresh_schedule
            where state = 0 and waits_for = :name limit :most) w) as waiting,
        count(*) filter (where c.expires_at <= refresher_now()) as ended,
        min(c.expires_at) filter (where c.expires_at > refresher_now()) as first_ends_at
    from (select connection_id from refresh_schedule
          where state = 0 and waits_for = :name order by due_at limit :most_opened) w
    cross join lateral (select expires_at from connection where id = w.connection_id limit 1) c
    """


def behind(db: Db, names: Sequence[str]) -> Mapping[str, Behind]:
    """Returns who waits for these scopes (`app:google/default`); each is asked for by itself.

    So the planner knows which one it is, and how rare.
    """
    return {
        name: one(db, Behind, _BEHIND, name=name, most=MOST_COUNTED, most_opened=MOST_OPENED)
        for name in names
    }


@dataclass(frozen=True, slots=True)
class Gone:
    """Connections of one provider that have to be connected again, and the newest of these ends.

    `untold` belong to an organization of which nobody hears: no recipient, and no endpoint.
    """

    provider: str
    number: int
    untold: int
    latest_at: datetime | None


_GONE = f"""
    with parked as (
        select c.provider, c.organization_id, count(*) as number,
            max(coalesce(s.claimed_at, c.updated_at)) as latest_at
        from (select connection_id, claimed_at from refresh_schedule
              where state = 2 and parked_reason = '{ParkReason.RECONNECT_REQUIRED}'
              order by connection_id limit :most) s
        cross join lateral (
            select provider, organization_id, updated_at from connection
            where id = s.connection_id offset 0) c
        group by 1, 2
    ), unheard as materialized (
        select organization_id from (select distinct organization_id from parked offset 0) o
        where not exists (
                select from recipient r
                where r.organization_id = o.organization_id and r.blocked_at is null)
            and organization_id not in (
                select organization_id from webhook_endpoint
                where disabled_at is null and organization_id is not null)
            and not exists (
                select from webhook_endpoint where disabled_at is null and organization_id is null)
    )
    select p.provider, sum(p.number)::bigint as number, max(p.latest_at) as latest_at,
        coalesce(sum(p.number) filter (where u.organization_id is not null), 0)::bigint as untold
    from parked p left join unheard u on u.organization_id = p.organization_id
    group by p.provider order by number desc, p.provider
    """  # noqa: S608  our own word


def gone(db: Db) -> Sequence[Gone]:
    """Returns by provider what has to be connected again, of all organizations."""
    with by_index(db):
        return many(db, Gone, _GONE, most=MOST_COUNTED)


# The connections of one organization are few enough to look at each; a schedule row by its key.
_GONE_OF_ONE = f"""
    select c.provider, count(*) as number, max(coalesce(s.claimed_at, c.updated_at)) as latest_at,
        case when exists (select from recipient r
                where r.organization_id = :organization_id and r.blocked_at is null)
            or exists (select from webhook_endpoint e where e.disabled_at is null
                and (e.organization_id = :organization_id or e.organization_id is null))
            then 0 else count(*) end as untold
    from (select id, provider, updated_at, status from connection
          where organization_id = :organization_id and deleted_at is null
          order by provider, external_id, slot limit :most) c
    cross join lateral (
        select state, parked_reason, claimed_at from refresh_schedule where connection_id = c.id limit 1
    ) s
    where c.status = 'reconnect_required' and s.state = 2
        and s.parked_reason = '{ParkReason.RECONNECT_REQUIRED}'
    group by 1 order by number desc, provider
    """  # noqa: S608  our own word


def gone_of(db: Db, organization_id: str) -> Sequence[Gone]:
    """Returns the same of one organization."""
    with by_index(db):
        return many(db, Gone, _GONE_OF_ONE, organization_id=organization_id, most=MOST_COUNTED)


@dataclass(frozen=True, slots=True)
class Late:
    """Idle rows that were due more than 30 s ago, 10,001 at most, and the first's lateness."""

    rows: int
    oldest_seconds: float


def late(db: Db) -> Late:
    """Returns what is late and in nobody's hands."""
    sql = """
        select count(*) as rows,
            coalesce(extract(epoch from refresher_now() - min(due_at)), 0)::float8 as oldest_seconds
        from (select due_at from refresh_schedule
              where state = 0 and due_at <= refresher_now() - :late * interval '1 second'
              order by due_at limit :most) l
        """
    return one(db, Late, sql, late=LATE_SECONDS, most=MOST_COUNTED)


@dataclass(frozen=True, slots=True)
class Disabled:
    """An endpoint that was disabled by what came of its messages, and how many are held for it."""

    id: UUID
    url: str
    reason: str
    held: int


def disabled(db: Db, organization_id: str | None) -> Sequence[Disabled]:
    """Returns endpoints that no person disabled, the newest first; of one organization or of all."""
    sql = """
        select e.id, e.url, e.disabled_reason as reason,
            (select count(*) from (select 1 from webhook_delivery d
                where d.endpoint_id = e.id and d.state = 2 limit :most) h) as held
        from webhook_endpoint e
        where e.disabled_at is not null and not starts_with(e.disabled_reason, :by_a_person)
          and (cast(:organization_id as text) is null or e.organization_id = :organization_id)
        order by e.disabled_at desc limit :most_endpoints
        """
    return many(
        db, Disabled, sql, organization_id=organization_id, by_a_person=BY_A_PERSON,
        most=MOST_COUNTED, most_endpoints=MOST_ENDPOINTS,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class MailStops:
    """Why no mail goes out, if none does; mails that were given up, and addresses that were refused."""

    reason: str | None
    given_up: int
    last_reason: str | None
    refused_addresses: int


def mail(db: Db, organization_id: str | None) -> MailStops:
    """Returns what keeps mails from arriving; of one organization, only what is its own."""
    sql = """
        select case when :is_all then (select reason from mail_slot where name = 'mail') end as reason,
            case when :is_all then (select count(*) from (
                select 1 from mail where state = 3 limit :most) f) else 0 end as given_up,
            case when :is_all then (select reason from mail where state = 3
                order by ended_at desc limit 1) end as last_reason,
            (select count(*) from (select 1 from recipient where blocked_at is not null
                and (:is_all or organization_id = :organization_id) limit :most) r)
                as refused_addresses
        """
    return one(
        db, MailStops, sql, is_all=organization_id is None, organization_id=organization_id,
        most=MOST_COUNTED,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class WorkOf:
    """What is late, ended, or ends next among the connections of one organization."""

    late: int
    late_seconds: float
    ended: int
    provider: str | None
    ends_at: datetime | None
    is_due_before: bool | None


_WORK_OF = """
    with own as materialized (
        select c.provider, c.expires_at, s.due_at, s.state
        from (select id, provider, expires_at from connection
              where organization_id = :organization_id and deleted_at is null
              order by provider, external_id, slot limit :most) c
        cross join lateral (
            select state, due_at from refresh_schedule where connection_id = c.id limit 1) s
        where s.state < 2
    )
    select whole.*, next.provider, next.ends_at, next.is_due_before
    from (
        select count(*) filter (where due_at <= since) as late,
            greatest(0, coalesce(extract(epoch from refresher_now() - min(due_at)), 0))::float8
                as late_seconds,
            count(*) filter (where expires_at <= refresher_now() and state = 0) as ended
        from own, (select refresher_now() - :late * interval '1 second') l(since)
        where state = 0
    ) whole left join (
        select provider, expires_at as ends_at, due_at < expires_at as is_due_before
        from own where expires_at > refresher_now() order by expires_at limit 1
    ) next on true
    """


def work_of(db: Db, organization_id: str) -> WorkOf:
    """Returns how the work of an organization stands; at most 10,001 of its connections count."""
    own = {"organization_id": organization_id, "late": LATE_SECONDS, "most": MOST_COUNTED}
    with by_index(db):
        return one(db, WorkOf, _WORK_OF, **own)


def now(db: Db) -> datetime:
    """Returns the instant that the look is of."""
    return one(db, datetime, "select refresher_now()")

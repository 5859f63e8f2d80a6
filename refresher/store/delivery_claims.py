"""Which webhook messages may go now: claimed in order, and by turns of the organizations.

No endpoint gets more than its share at a time, and no organization: whoever has many endpoints that
hang holds up its own messages, and nobody else's.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection as Db
from sqlalchemy import text

from refresher.store.deliveries import DeliveryClaim

WAITS_SECONDS = 1.0
"""How soon a message looks again whose predecessor is under way: normally that one wakes it."""

PROBE_WAITS_SECONDS = 15.0
"""How soon others look again while one message probes an endpoint that fails: success wakes them."""

SLOW_SECONDS = 2.0
"""An endpoint that usually takes longer for its answer is slow."""

# What is due is judged row by row: its endpoint may be disabled (hold it) or paused (to the pause's
# end); an earlier message may be open (look again a little after that one); its endpoint or its
# organization may have their hands full (when there will be room, by its usual pace). So each row is
# touched once a pause, and the window of rows that are looked at never stays with one organization. Of
# those that may go, each organization's first goes before anybody's second, counted from what it has
# under way. An operator's endpoint is an organization of its own here.
CLAIM = text(
    """
    with due as materialized (
        select id, endpoint_id, subject, sequence, due_at from webhook_delivery
        where state = 0 and due_at <= refresher_now()
        order by due_at limit :limit
        for update skip locked
    ), leased as (
        select l.endpoint_id, coalesce(e.organization_id, e.id::text) as owner
        from webhook_delivery l join webhook_endpoint e on e.id = l.endpoint_id where l.state = 1
    ), busy as (
        select endpoint_id, count(*) as n from leased group by endpoint_id
    ), busy_owner as (
        select owner, count(*) as n from leased group by owner
    ), judged as (
        select due.*, coalesce(e.organization_id, e.id::text) as owner,
            e.disabled_at is not null as is_disabled, e.usual_seconds, e.paused_until,
            e.failures >= :breaker_failures as fails,
            e.failures > 0 or e.usual_seconds > :slow_seconds as troubled,
            case when e.failures >= :breaker_failures then 1 else cast(:concurrency as int) end
                - coalesce(busy.n, 0) as room,
            (select greatest(p.due_at, refresher_now()) from webhook_delivery p
             where p.endpoint_id = due.endpoint_id and p.subject = due.subject
               and p.sequence < due.sequence and p.state < 3
             order by p.sequence desc limit 1) as earlier_at
        from due join webhook_endpoint e on e.id = due.endpoint_id
        left join busy on busy.endpoint_id = due.endpoint_id
    ), placed as (
        select *, row_number() over (partition by endpoint_id, blocked order by id) as place
        from (select *, is_disabled or earlier_at is not null
                  or coalesce(paused_until > refresher_now(), false) as blocked
              from judged) j
    ), fitting as (
        select p.*, not p.blocked and p.place <= p.room as fits, coalesce(o.n, 0) as has,
            coalesce(o.n, 0) + row_number() over (
                partition by p.owner, not p.blocked and p.place <= p.room order by p.place, p.id
            ) as turn
        from placed p left join busy_owner o on o.owner = p.owner
    ), taken as (
        select *, fits and turn <= :organization_concurrency and row_number() over (
            partition by fits and turn <= :organization_concurrency order by turn, due_at, id
        ) <= :most as goes
        from fitting
    )
    update webhook_delivery d set
        state = case when t.is_disabled then 2 when t.goes then 1 else 0 end,
        due_at = case
            when t.is_disabled or t.goes then d.due_at
            when t.paused_until > refresher_now()
                then t.paused_until + least(1, t.place * 0.001) * interval '1 second'
            when t.earlier_at is not null then t.earlier_at + :waits * interval '1 second'
            when t.place > t.room and t.fails
                then refresher_now() + :probe_waits * interval '1 second'
            when t.place > t.room then refresher_now() + interval '1 second' * greatest(0.02,
                t.usual_seconds * (t.place - t.room) / cast(:concurrency as int))
            when t.turn > :organization_concurrency
                then refresher_now() + interval '1 second' * greatest(0.02, t.usual_seconds
                    * (t.turn - :organization_concurrency) / cast(:organization_concurrency as int))
            else d.due_at end,
        lease_token = d.lease_token + t.goes::int,
        lease_until = case when t.goes then refresher_now() + :lease_seconds * interval '1 second' end,
        holder_id = case when t.goes then cast(:holder_id as uuid) end
    from taken t where d.id = t.id
    returning d.id, d.lease_token, d.state, t.turn, case when t.troubled then t.owner end as lane
    """
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How many rows are looked at, and how many messages may be under way: more, to one, of one."""

    window: int
    most: int
    concurrency: int
    organization_concurrency: int
    breaker_failures: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """Messages that may go, in their turns; `looked_at` counts those that must wait as well.

    Each group is to be handed over apart: endpoints in trouble by organization, all others together.
    """

    groups: tuple[tuple[DeliveryClaim, ...], ...]
    looked_at: int

    @property
    def all(self) -> list[DeliveryClaim]:
        """The claims of all groups."""
        return [claim for group in self.groups for claim in group]


def claim_due(db: Db, limits: Limits, *, lease_seconds: float, holder_id: UUID) -> Claimed:
    """Leases due messages that may go, by turns of the organizations.

    No endpoint gets more than `concurrency` at a time, one that fails a single one, and all of an
    organization no more than `organization_concurrency`: who is slow or down holds nobody else up.
    """
    values = {
        "limit": limits.window,
        "most": limits.most,
        "lease_seconds": lease_seconds,
        "holder_id": holder_id,
        "concurrency": limits.concurrency,
        "organization_concurrency": limits.organization_concurrency,
        "breaker_failures": limits.breaker_failures,
        "waits": WAITS_SECONDS,
        "probe_waits": PROBE_WAITS_SECONDS,
        "slow_seconds": SLOW_SECONDS,
    }
    rows = db.execute(CLAIM, values).all()
    groups: dict[str | None, list[DeliveryClaim]] = {}
    for row in sorted((r for r in rows if r.state == 1), key=lambda r: (r.turn, r.id)):
        groups.setdefault(row.lane, []).append(DeliveryClaim(row.id, row.lease_token))
    return Claimed(tuple(tuple(group) for group in groups.values()), len(rows))


def leased_count(db: Db) -> int:
    """Returns how many messages are leased."""
    statement = text("select count(*) from webhook_delivery where state = 1")
    return int(db.execute(statement).scalar_one())


def next_due_in_seconds(db: Db) -> float | None:
    """Returns the seconds until the next idle message is due, None without one."""
    statement = text(
        "select extract(epoch from min(due_at) - refresher_now()) "
        "from webhook_delivery where state = 0"
    )
    seconds = db.execute(statement).scalar_one()
    return None if seconds is None else float(seconds)

"""The table `webhook_endpoint`: who is told by webhook, of what, signed with which secrets.

Where a function takes `organization_id`, there are only this organization's endpoints; None is all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from refresher.rules.connection import Sealed
from refresher.rules.words import MOST_COUNTED
from refresher.store.session import Db, first, many, one, run
from refresher.store.words import FAILED, HELD

SECRET, PREVIOUS_SECRET = "webhook_secret", "webhook_previous_secret"
"""The names that bind a sealed secret to its place (see `cipher.py`): no token's column has them."""


@dataclass(frozen=True, slots=True)
class EndpointView:
    """An endpoint as people see it: no secret. `organization_id` is None for an operator's.

    `waiting` messages are to be sent, `held` ones are kept until a disabled endpoint is enabled,
    `failed` ones were given up; a replay brings them back. Each is counted up to 10,001, which
    stands for more than 10,000.
    """

    id: UUID
    organization_id: str | None
    url: str
    description: str | None
    events: list[str]
    disabled_at: datetime | None
    disabled_reason: str | None
    failing_since: datetime | None
    paused_until: datetime | None
    delivered_at: datetime | None
    previous_secret_until: datetime | None
    created_at: datetime
    waiting: int
    held: int
    failed: int


def add(
    db: Db,
    endpoint_id: UUID,
    *,
    organization_id: str | None,
    url: str,
    description: str | None,
    events: Sequence[str],
    secret: Sealed,
) -> None:
    """Stores an endpoint; it is sent what happens from now on."""
    sql = """
        insert into webhook_endpoint (id, organization_id, url, description, events, secret)
        values (:id, :organization_id, :url, :description, :events, :secret)
        """
    run(
        db,
        sql,
        id=endpoint_id,
        organization_id=organization_id,
        url=url,
        description=description,
        events=list(events),
        secret=secret,
    )


def every(
    db: Db, *, organization_id: str | None = None, after: UUID | None = None, limit: int = 1_000
) -> list[EndpointView]:
    """Returns endpoints in the order of their ids, of one organization or of all."""
    sql = f"""
        {_VIEW}
        where {_OWN}
          and (cast(:after as uuid) is null or e.id > :after)
        order by e.id limit :limit
        """
    return many(db, EndpointView, sql, organization_id=organization_id, after=after, limit=limit)


def show(db: Db, endpoint_id: UUID, organization_id: str | None = None) -> EndpointView | None:
    """Returns one endpoint, or None."""
    return first(
        db,
        EndpointView,
        f"{_VIEW} where e.id = :id and {_OWN}",
        id=endpoint_id,
        organization_id=organization_id,
    )


@dataclass(frozen=True, slots=True)
class Summary:
    """How endpoints do, counted up to `MOST_COUNTED`."""

    number: int
    disabled: int
    failing: int


def summary(db: Db, organization_id: str | None = None) -> Summary:
    """Returns how the endpoints of one organization, or all, do."""
    sql = f"""
        select count(*) as number, count(disabled_at) as disabled,
            count(*) filter (where disabled_at is null and failing_since is not null) as failing
        from (select disabled_at, failing_since from webhook_endpoint e where {_OWN} limit :most) e
        """  # noqa: S608  our own condition
    return one(db, Summary, sql, organization_id=organization_id, most=MOST_COUNTED)


def usual_seconds(db: Db, endpoint_id: UUID) -> float | None:
    """Returns how long an endpoint's answers take, smoothed; None where none came yet."""
    sql = (
        "select case when delivered_at is not null then usual_seconds end from webhook_endpoint "
        "where id = :id"
    )
    found: float | None = run(db, sql, id=endpoint_id).scalar()
    return found


def lock(db: Db, endpoint_id: UUID, organization_id: str | None = None) -> bool:
    """Keeps an endpoint as it is until the transaction ends; False when there is none."""
    sql = f"select true from webhook_endpoint e where id = :id and {_OWN} for update"  # noqa: S608
    return run(db, sql, id=endpoint_id, organization_id=organization_id).first() is not None


def change(db: Db, endpoint_id: UUID, given: Mapping[str, object]) -> None:
    """Rewrites url, events or description, those that are given."""
    sql = """
        update webhook_endpoint set updated_at = refresher_now(),
            url = case when :has_url then :url else url end,
            events = case when :has_events then cast(:events as text[]) else events end,
            description = case when :has_description then :description else description end
        where id = :id
        """
    names = ("url", "events", "description")
    values = {name: given.get(name) for name in names}
    run(db, sql, id=endpoint_id, **values, **{f"has_{n}": n in given for n in names})


def beginning(db: Db, prefix: str, *, limit: int = 2) -> list[UUID]:
    """Returns the ids that begin so; endpoints are few."""
    sql = (
        "select id from webhook_endpoint where replace(id::text, '-', '') like :prefix || '%' "
        "order by id limit :limit"
    )
    return many(db, UUID, sql, prefix=prefix, limit=limit)


def remove(db: Db, endpoint_id: UUID) -> bool:
    """Deletes an endpoint with all its messages; False when there is none."""
    sql = "delete from webhook_endpoint where id = :id"
    return run(db, sql, id=endpoint_id).rowcount > 0


def enable(db: Db, endpoint_id: UUID) -> int:
    """Clears what was held against an endpoint and makes its held messages due; returns how many."""
    change = """
        update webhook_endpoint set disabled_at = null, disabled_reason = null, failures = 0,
            refusals = 0, failing_since = null, paused_until = null, updated_at = refresher_now()
        where id = :id
        """
    release = """
        update webhook_delivery set state = 0, due_at = refresher_now(), attempt = 0,
            first_attempt_at = null
        where endpoint_id = :id and state = 2
        """
    run(db, change, id=endpoint_id)
    return run(db, release, id=endpoint_id).rowcount


def disable(db: Db, endpoint_id: UUID, reason: str) -> bool:
    """Sends it no more until somebody enables it; False when it was disabled already."""
    sql = """
        update webhook_endpoint set disabled_at = refresher_now(), disabled_reason = :reason,
            updated_at = refresher_now()
        where id = :id and disabled_at is null
        """
    return run(db, sql, id=endpoint_id, reason=reason).rowcount > 0


def secret(db: Db, endpoint_id: UUID) -> Sealed | None:
    """Returns the secret that signs, and locks the endpoint until the transaction ends."""
    sql = "select secret from webhook_endpoint where id = :id for update"
    sealed = run(db, sql, id=endpoint_id).scalar_one_or_none()
    return Sealed(bytes(sealed)) if sealed is not None else None


def signing(db: Db, endpoint_id: UUID) -> dict[str, Sealed]:
    """Returns the secrets that sign at this moment, by their places; none of an unknown endpoint."""
    sql = """
        select secret as webhook_secret,
            case when previous_secret_until > refresher_now() then previous_secret end
                as webhook_previous_secret
        from webhook_endpoint where id = :id
        """
    rows = run(db, sql, id=endpoint_id).mappings()
    return {place: Sealed(bytes(s)) for row in rows for place, s in row.items() if s is not None}


def rotate(
    db: Db, endpoint_id: UUID, *, secret: Sealed, previous: Sealed, overlap_seconds: float
) -> datetime:
    """Has a new secret sign; returns until when the one before signs as well."""
    sql = """
        update webhook_endpoint set secret = :secret, previous_secret = :previous,
            previous_secret_until = refresher_now() + :seconds * interval '1 second',
            updated_at = refresher_now()
        where id = :id returning previous_secret_until
        """
    return one(
        db, datetime, sql, id=endpoint_id, secret=secret, previous=previous, seconds=overlap_seconds
    )


def forget_previous_secrets(db: Db) -> int:
    """Deletes secrets that sign no more; returns how many."""
    sql = (
        "update webhook_endpoint set previous_secret = null, previous_secret_until = null "
        "where previous_secret_until < refresher_now()"
    )
    return run(db, sql).rowcount


def unsent(state: int) -> str:
    """Returns the condition, in SQL, of held or failed messages, to be ordered by state and id.

    Said and ordered so, no other index than theirs will do, whatever the planner guesses.
    """
    return f"state = any (array[{HELD}, {FAILED}]) and state between {state} and {state}"


_OWN = "(cast(:organization_id as text) is null or e.organization_id = :organization_id)"
# Counting ends where it says nothing more. Beside more held ones than are counted, what waits is
# counted among the first unfinished ones: a disabled endpoint's messages wait for a tick or two only.
_VIEW = f"""
    select e.id, e.organization_id, e.url, e.description, e.events, e.disabled_at,
        e.disabled_reason, e.failing_since, e.paused_until, e.delivered_at,
        e.previous_secret_until, e.created_at, least(w.waiting, {MOST_COUNTED}) as waiting,
        h.held, f.failed
    from webhook_endpoint e
    cross join lateral (select count(*) filter (where state < 2) as waiting from (
        select state from webhook_delivery where endpoint_id = e.id and state < 3
        order by subject, sequence limit {2 * MOST_COUNTED}) d) w
    cross join lateral (select count(*) as held from (
        select from webhook_delivery where endpoint_id = e.id and {unsent(HELD)}
        order by state, id limit {MOST_COUNTED}) d) h
    cross join lateral (select count(*) as failed from (
        select from webhook_delivery where endpoint_id = e.id and {unsent(FAILED)}
        order by state, id limit {MOST_COUNTED}) d) f
"""  # noqa: S608  our own numbers

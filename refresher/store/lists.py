"""Lists of connections by how they stand and whose they are: for page, API, command line and bulk.

Reads only, and nothing that grows with the table: `walks.py` has the ways, each look ends at 3,000
candidates. Beyond that a list says that it was cut, and from where it goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from refresher.rules.standing_word import Health, NoteFacts, note
from refresher.store import walks
from refresher.store.session import Db, conditions, run
from refresher.store.walks import LAST, MOST_LOOKED, NoPlace, Place, Walk, by_index, is_small
from refresher.store.words import HEALTH

Order = Literal["account", "due"]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which connections; None leaves a condition away.

    `order` "due" is the next that are due, of what is scheduled. Words that have an order of their own
    (what waits by its due time, what is parked by its id) keep it. `sees_deleted`: also deleted ones,
    which a key of one organization never sees. `state`, `parked_reason`: the schedule row's.
    """

    health: Health | None = None
    provider: str | None = None
    app: str | None = None
    organization_id: str | None = None
    order: Order = "account"
    external_id: str | None = None
    state: Literal["idle", "leased", "parked"] | None = None
    parked_reason: str | None = None
    slots: bool = True
    sees_deleted: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A connection in a list. `app` is the one that its grant is refreshed with.

    `since` is when it was paused or disabled, or its refresh under way was claimed. `etag` changes with
    every write to the connection.
    """

    id: UUID
    organization_id: str
    provider: str
    app: str
    external_id: str
    slot: str
    name: str | None
    health: Health
    note: str | None
    due_at: datetime | None
    expires_at: datetime | None
    failures: int
    since: datetime | None
    updated_at: datetime
    etag: str


@dataclass(frozen=True, slots=True)
class Found:
    """Ids in their order. `after` is where the list goes on, None at its end.

    `is_cut`: the look ended before there were enough; `looked` is how many candidates it had.
    `order` is what they are ordered by, in words.
    """

    ids: list[UUID]
    after: Place | None
    looked: int
    is_cut: bool
    order: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """The same with the rows."""

    rows: list[Row]
    after: Place | None
    looked: int
    is_cut: bool
    order: str = ""


def page(db: Db, chosen: Chosen, *, after: Place | None = None, limit: int = 50) -> Listed:
    """Returns a page of connections; raises `NoPlace` for a place of another list."""
    found = ids(db, chosen, after=after, limit=limit)
    return Listed(rows(db, found.ids), found.after, found.looked, found.is_cut, found.order)


def ids(
    db: Db,
    chosen: Chosen,
    *,
    after: Place | None = None,
    limit: int = 50,
) -> Found:
    """Returns ids in the order of the walk that serves this choice."""
    walk = _by_name(chosen, after[0]) if after else _walk(db, chosen)
    place = walk.after(after[1:]) if after else {}
    columns = ", ".join(f"{column} as at_{n}" for n, (column, _) in enumerate(walk.places))
    order = ", ".join(column for column, _ in walk.places[0 if walk.by_due else walk.fixed :])
    sql = (
        f"select c.id, {columns} {walk.rows(_fits(chosen), goes_on=bool(after))} "
        f"order by {order} limit :limit"
    )
    values = {**_values(chosen), **place}
    with by_index(db):
        found = run(db, sql, **values, limit=limit + 1, most=MOST_LOOKED).mappings().all()
    ids_ = [row["id"] for row in found[:limit]]
    if len(found) > limit:
        return Found(ids_, _place(walk, found[limit - 1]), looked=0, is_cut=False, order=walk.order)
    end = None if walk.by_due else _last_looked(db, walk, values, goes_on=bool(after))
    is_cut = end is not None
    return Found(ids_, end, looked=MOST_LOOKED if is_cut else 0, is_cut=is_cut, order=walk.order)


def _last_looked(db: Db, walk: Walk, values: dict[str, Any], *, goes_on: bool) -> Place | None:
    """Returns the place behind the last candidate, None where the walk ended before the look did."""
    columns = ", ".join(column for column, _ in walk.keys)
    told = ", ".join(f"{column} as at_{n}" for n, (column, _) in enumerate(walk.keys))
    looked = walk.candidates(goes_on=goes_on, columns=columns)
    sql = f"select {told} from {looked} q offset :most - 1"  # noqa: S608  our own text
    with by_index(db):
        last = run(db, sql, **values, most=MOST_LOOKED).mappings().first()
    if last is None:
        return None
    place = _place(walk, last, len(walk.keys))
    return (*place, str(LAST)) if walk.with_siblings else place


def _place(walk: Walk, row: Any, count: int | None = None) -> Place:
    parts = [row[f"at_{n}"] for n in range(count or len(walk.places))]
    texts = (part.isoformat() if isinstance(part, datetime) else str(part) for part in parts)
    return (walk.name, *texts)


def _walk(db: Db, chosen: Chosen) -> Walk:
    """Returns the walk on which the fewest candidates are looked at in vain."""
    of_word, narrow = _of_word(chosen), _narrow(chosen)
    if chosen.external_id is not None:
        return walks.OF_EXTERNAL_ID
    if narrow is None:
        return of_word or walks.ACCOUNTS
    if of_word is None or is_small(db, narrow, _values(chosen)):
        is_next = of_word is walks.NEXT
        return _by_due(narrow) if is_next else narrow
    return of_word


def _of_word(chosen: Chosen) -> Walk | None:
    if chosen.health in walks.WORDS:
        return walks.WORDS[chosen.health]
    if chosen.parked_reason is not None:
        return walks.BY_REASON
    of_state = {"parked": walks.PARKED, "leased": walks.LEASED}
    if chosen.state in of_state:
        return of_state[chosen.state]
    return walks.NEXT if chosen.order == "due" else None


def _narrow(chosen: Chosen) -> Walk | None:
    if chosen.organization_id is not None:
        return walks.OF_ORGANIZATION if chosen.provider is None else walks.OF_BOTH
    return None if chosen.provider is None else walks.OF_PROVIDER


def _by_due(walk: Walk) -> Walk:
    return Walk(f"{walk.name} due", walk.keys, walk.wheres, by_due=True)


def _by_name(chosen: Chosen, name: str) -> Walk:
    """Returns the walk of this name, if it may serve this choice; raises `NoPlace`."""
    narrow = _narrow(chosen)
    able = [_of_word(chosen), narrow, narrow and _by_due(narrow), walks.ACCOUNTS]
    if chosen.external_id is not None:
        able = [walks.OF_EXTERNAL_ID]
    for walk in able:
        if walk is not None and walk.name == name:
            return walk
    raise NoPlace


def _fits(chosen: Chosen) -> str:
    """Returns the conditions, in SQL."""
    given = {
        f"{HEALTH} = :health": chosen.health,
        "c.organization_id = :organization_id": chosen.organization_id,
        "c.provider = :provider": chosen.provider,
        "r.app_name = :app": chosen.app,
        "s.state = :state": chosen.state,
        "s.state = 2 and s.parked_reason = :parked_reason": chosen.parked_reason,
        "c.external_id = :external_id": chosen.external_id,
        "c.slot_of is null": None if chosen.slots else True,
        "c.deleted_at is null": None if _shows_deleted(chosen) else True,
    }
    return conditions(given)


def _shows_deleted(chosen: Chosen) -> bool:
    return chosen.sees_deleted and chosen.health is Health.DELETED


def _values(chosen: Chosen) -> dict[str, Any]:
    return {
        "health": chosen.health,
        "organization_id": chosen.organization_id,
        "provider": chosen.provider,
        "app": chosen.app,
        "external_id": chosen.external_id,
        "parked_reason": chosen.parked_reason,
        "state": {"idle": 0, "leased": 1, "parked": 2}.get(chosen.state or ""),
    }


_ROWS = f"""
    select c.id, c.organization_id, c.provider, r.app_name as app, c.external_id, c.slot, c.name,
        {HEALTH} as health, case when s.state <> 2 then s.due_at end as due_at, r.expires_at,
        coalesce(s.attempt, 0) as failures, c.updated_at,
        case when s.state = 1 then s.claimed_at else coalesce(c.disabled_at, c.paused_at) end as since,
        c.credential_version || '-' || c.xmin::text as etag,
        case when s.state = 2 then s.parked_reason end as parked_reason, s.postponed_by,
        r.status_cause as cause, r.id as root_id
    from unnest(cast(:ids as uuid[])) with ordinality asked(id, n)
    join connection c on c.id = asked.id
    join connection r on r.id = coalesce(c.root_id, c.id)
    left join refresh_schedule s on s.connection_id = r.id
    order by asked.n
    """  # noqa: S608  our own names
# The newest of each that tells why; what failed lately failed within days.
_FAILURES = """
    select asked.id, e.reason
    from unnest(cast(:ids as uuid[])) asked(id)
    cross join lateral (
        select reason from refresh_event
        where connection_id = asked.id and occurred_at > refresher_now() - interval '3 days'
        order by id desc limit 1) e
    """
_FAILING = {Health.RETRYING, Health.EXPIRED, Health.LATE}


def rows(db: Db, wanted: Sequence[UUID]) -> list[Row]:
    """Returns these connections in the order of their ids here; one that is gone is left out."""
    found = [dict(row) for row in run(db, _ROWS, ids=list(wanted)).mappings()]
    roots = [row["root_id"] for row in found if row["failures"] and row["health"] in _FAILING]
    failures = dict(run(db, _FAILURES, ids=roots).all()) if roots else {}
    return [_row(row, failures.get(row["root_id"])) for row in found]


def _row(row: dict[str, Any], failure: str | None) -> Row:
    word = Health(row.pop("health"))
    parked, postponed, cause = (row.pop(n) for n in ("parked_reason", "postponed_by", "cause"))
    row.pop("root_id")
    said = note(word, NoteFacts(parked, postponed, cause, failure))
    return Row(**row, health=word, note=said)

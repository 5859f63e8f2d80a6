"""How chosen connections stand, for bulk jobs: each of a batch, and counted by kind for a preview."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from refresher.rules.bulk import Deed, Standing
from refresher.rules.bulk_plan import Selection
from refresher.rules.standing_word import Health
from refresher.store import lists
from refresher.store.db import RowMapping
from refresher.store.lists import Chosen
from refresher.store.session import Db, many, run
from refresher.store.words import HEALTH

QUIET = (
    *("refreshed", "adopted", "fenced", "transient", "rate_limited", "malformed", "misconfigured"),
    *("unsent", "postponed", "swept", "released", "refresh_asked"),
)
"""What happens to a connection by itself, and changes nothing that a person decided by."""
_CHANGED = """
    c.updated_at > :as_of and (c.updated_at is distinct from c.issued_at or exists (
        select 1 from refresh_event e where e.connection_id = c.id and e.occurred_at > :as_of
          and e.kind <> all(cast(:quiet as text[]))))
"""
"""Whether somebody changed `c` since; a refresh writes both columns in one moment."""
_STANDING = f"""
    c.deleted_at is not null as deleted, c.disabled_at is not null as disabled,
    c.paused_at is not null as paused, r.in_between_steps,
    r.status = 'reconnect_required' as reconnect_required,
    case when s.state = 2 then s.parked_reason end as parked_reason,
    coalesce(s.state = 1, false) as leased,
    coalesce(s.state = 0 and s.due_at > refresher_now() and s.postponed_by not like 'rate:%', false)
        as waits,
    :deed = 'resume' and exists (
        select 1 from (
            select id from connection where slot_of = c.id and deleted_at is null offset 0) t
        cross join lateral (select state from refresh_schedule where connection_id = t.id limit 1) z
        where z.state = 2) as slot_parked,
    c.root_id is not null as is_sibling,
    c.id in (select root_id from held) as holds_grant,
    ({_CHANGED}) or coalesce({HEALTH} <> :word, false) as changed
"""  # noqa: S608  our own words
"""The columns of `Standing`."""
# Each join is a look-up by key: `limit 1` keeps the planner from reading a table instead.
_FROM = """
    from unnest(cast(:ids as uuid[])) u(id)
    cross join lateral (select * from connection where id = u.id limit 1) c
    cross join lateral (
        select c.id, c.status, c.status_cause, c.in_between_steps, c.expires_at
        where c.root_id is null
        union all
        select id, status, status_cause, in_between_steps, expires_at from connection
        where id = c.root_id limit 1) r
    left join lateral (select * from refresh_schedule where connection_id = r.id limit 1) s on true
    where cast(:organization as text) is null or c.organization_id = :organization
"""
_KEYS = ", ".join(["provider", *Standing.__dataclass_fields__])
_HELD = """
    with held as materialized (
        select distinct t.root_id from unnest(cast(:ids as uuid[])) u(id)
        cross join lateral (
            select id, root_id from connection
            where root_id = u.id and deleted_at is null and :deed = 'delete' offset 0) t
        left join unnest(cast(:beside as uuid[])) x(id) on x.id = t.id
        where x.id is null)
"""
"""Those whose grant is used by a living connection that was not chosen."""


@dataclass(frozen=True, slots=True)
class Look:
    """How connections are looked at: for what, whose, since when nothing changed, in which health.

    `organization_id` None: everybody's. `word` None: any; who has another word than this has changed.
    """

    deed: Deed
    organization_id: str | None
    as_of: datetime
    word: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One chosen connection."""

    id: UUID
    organization_id: str
    provider: str
    external_id: str
    name: str | None
    cause: str | None
    updated_at: datetime
    standing: Standing


@dataclass(frozen=True, slots=True)
class Group:
    """So many connections of one provider that stand alike."""

    provider: str
    standing: Standing
    number: int


def matching(
    db: Db, selection: Selection, *, after: str | None = None, limit: int
) -> tuple[list[UUID], str | None]:
    """Returns connections that match, and where the list goes on; None: these are the last.

    In the order of the index that serves the filters; a look may end before there are enough.
    """
    chosen = Chosen(
        health=Health(selection.health) if selection.health else None,
        provider=selection.provider,
        app=selection.app,
        organization_id=selection.organization_id,
        slots=False,
    )
    place = tuple(json.loads(after)) if after else None
    found = lists.ids(db, chosen, after=place, limit=limit)
    return found.ids, json.dumps(found.after) if found.after else None


def lock(db: Db, ids: Sequence[UUID]) -> None:
    """Keeps every other writer off these connections and their slots until the transaction ends.

    In the order of their ids, as whoever stores tokens: so neither waits for the other.
    """
    sql = """
        select 1 from connection where id in (
            select unnest(cast(:ids as uuid[])) union all
            select id from connection where slot_of = any(cast(:ids as uuid[]))
        ) order by id for update
        """
    run(db, sql, ids=list(ids))


def slots(db: Db, ids: Sequence[UUID]) -> dict[UUID, list[UUID]]:
    """Returns the living slots of these connections, which go where they go."""
    sql = """
        select slot_of, id from connection
        where slot_of = any(cast(:ids as uuid[])) and deleted_at is null order by id
        """
    found: dict[UUID, list[UUID]] = {}
    for row in run(db, sql, ids=list(ids)):
        found.setdefault(row.slot_of, []).append(row.id)
    return found


def rows(
    db: Db,
    ids: Sequence[UUID],
    look: Look,
    *,
    beside: Sequence[UUID] = (),
) -> list[Row]:
    """Returns how these stand now, in the order of their ids; another organization's are none.

    `beside` are chosen as well: they hold nobody back.
    """
    sql = f"""
        {_HELD}
        select c.id, c.organization_id, c.provider, c.external_id, c.name, c.updated_at,
            r.status_cause as cause, {_STANDING} {_FROM} order by c.id
        """
    return [_row(row) for row in _run(db, sql, ids, look, beside)]


def groups(db: Db, ids: Sequence[UUID], look: Look, *, beside: Sequence[UUID]) -> list[Group]:
    """Returns how many stand how, of these and no others; `beside` are chosen as well."""
    sql = f"""
        {_HELD}
        select {_KEYS}, count(*) as number
        from (select c.provider, {_STANDING} {_FROM}) one group by {_KEYS}
        """  # noqa: S608  our own words
    found = _run(db, sql, ids, look, beside)
    return [Group(row["provider"], _standing(row), row["number"]) for row in found]


def newest(db: Db, ids: Sequence[UUID], *, limit: int) -> list[UUID]:
    """Returns those of these that changed last."""
    sql = """
        select c.id from unnest(cast(:ids as uuid[])) u(id)
        cross join lateral (select id, updated_at from connection where id = u.id limit 1) c
        order by c.updated_at desc, c.id limit :limit
        """
    return many(db, UUID, sql, ids=list(ids), limit=limit)


def _run(
    db: Db, sql: str, ids: Sequence[UUID], look: Look, beside: Sequence[UUID]
) -> Sequence[RowMapping]:
    values = {"organization": look.organization_id, "as_of": look.as_of, "word": look.word}
    values["deed"] = look.deed.value
    chosen = {"ids": list(ids), "beside": list(beside), "quiet": list(QUIET)}
    return run(db, sql, **values, **chosen).mappings().all()


def _row(row: RowMapping) -> Row:
    plain = {name: row[name] for name in Row.__dataclass_fields__ if name != "standing"}
    return Row(**plain, standing=_standing(row))


def _standing(row: RowMapping) -> Standing:
    return Standing(**{name: row[name] for name in Standing.__dataclass_fields__})

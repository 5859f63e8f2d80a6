"""Reads connections for an export, all of one snapshot, and pauses them first where they move out.

A page is a thousand connections in the order of their ids, roots before those that share their grant.
Deleted ones are left out. What is paused for an export is known by its event, so that a second try, and
whoever goes back, tells it from what people had paused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from refresher.rules.standing_word import Health
from refresher.store.events import Event, append
from refresher.store.pool import wait_for_ever
from refresher.store.session import Database, Db, conditions, many, one, run
from refresher.store.words import BEGUN, HEALTH

Exported = Mapping[str, Any]
"""A row of `connection` with what an export tells of it, its tokens sealed as they are stored."""
PAGE = 1_000
FIRST = UUID(int=0)
MOVING = "moving out"
"""Why a connection is paused, in its history."""


@dataclass(frozen=True, slots=True)
class Which:
    """Which connections; None leaves a condition away."""

    organization_id: str | None = None
    provider: str | None = None
    health: Health | None = None

    def where(self) -> str:
        """Returns the conditions, in SQL."""
        return conditions(
            {
                "c.organization_id = :organization_id": self.organization_id,
                "c.provider = :provider": self.provider,
                f"{HEALTH} = :health": self.health,
            }
        )


_BY_EXPORT = """
    exists (select 1 from refresh_event e where e.connection_id = c.id
        and e.occurred_at = c.paused_at and e.kind = 'paused' and e.reason = :moving)
"""
"""Whether an export has paused `c`: no event else has that very instant."""
_COLUMNS = f"""
    c.id, c.slot, c.slot_of, c.organization_id, c.provider, c.external_id, c.name,
    c.app_name as app, c.host, c.placeholders, c.metadata, c.scopes, c.granted_scopes,
    c.kept_fields, c.kept_secrets, c.access_token, c.refresh_token, c.issued_at, c.expires_at,
    c.lifetime_seconds, c.refresh_token_expires_at, c.grant_ends_at, c.account, c.account_label,
    c.status, c.status_cause, c.in_between_steps, c.disabled_at, c.created_at,
    case when :paused and c.paused_at is not null and {_BY_EXPORT} then null
         else c.paused_at end as paused_at,
    case when c.root_id is not null then r.external_id end as root_external_id,
    case when s.state = 2 and c.root_id is null then s.parked_reason end as parked_reason,
    coalesce(c.root_id is null and {BEGUN}, false) as is_begun, c.paused_at is null as is_running,
    {HEALTH} as health
"""
_FROM = """
    from connection c
    join connection r on r.id = coalesce(c.root_id, c.id)
    left join refresh_schedule s on s.connection_id = r.id
"""


@contextmanager
def snapshot(database: Database) -> Iterator[Db]:
    """Opens a transaction in which everything stands still, however long it takes."""
    with database.transaction(snapshot=True) as db:
        wait_for_ever(db)
        yield db


def now(db: Db) -> datetime:
    """Returns the database's clock."""
    return one(db, datetime, "select refresher_now()")


def count(db: Db, which: Which) -> int:
    """Returns how many connections that is, for a progress bar."""
    sql = f"select count(*) {_FROM} where {_LIVING_MAIN} and {which.where()}"
    return one(db, int, sql, **asdict(which))


def pages(
    db: Db, which: Which, *, paused: bool = False
) -> Iterator[list[tuple[Exported, dict[str, Exported]]]]:
    """Yields connections by the page, each with its slots by name; sealed as they are stored.

    `paused`: what an export has paused is told as it stood before.
    """
    for siblings in (False, True):
        after = FIRST
        sql = f"""
            select {_COLUMNS} {_FROM} where {_LIVING_MAIN} and {which.where()}
                and (c.root_id is not null) = :siblings and c.id > :after
            order by c.id limit :limit
            """
        while True:
            values = {**asdict(which), "siblings": siblings, "after": after, "limit": PAGE}
            found = _rows(db, sql, **values, paused=paused)
            if found:
                yield _with_slots(db, found, paused=paused)
            if len(found) < PAGE:
                break
            after = found[-1]["id"]


_LIVING_MAIN = "c.deleted_at is null and c.slot_of is null"


def these(db: Db, ids: Sequence[UUID]) -> list[tuple[Exported, dict[str, Exported]]]:
    """Returns those of these connections that live, each with its slots, as an export reads them."""
    sql = f"select {_COLUMNS} {_FROM} where c.id = any(cast(:ids as uuid[])) and {_LIVING_MAIN}"
    return _with_slots(db, _rows(db, sql, ids=list(ids), paused=False), paused=False)


def _rows(db: Db, sql: str, **values: object) -> list[Exported]:
    return [dict(row) for row in run(db, sql, **values, moving=MOVING).mappings()]


def _with_slots(
    db: Db, mains: Sequence[Exported], *, paused: bool
) -> list[tuple[Exported, dict[str, Exported]]]:
    sql = f"""
        select {_COLUMNS} {_FROM}
        where c.slot_of = any(cast(:ids as uuid[])) and c.deleted_at is null
        """
    slots: dict[UUID, dict[str, Exported]] = {}
    ids = [main["id"] for main in mains]
    for row in _rows(db, sql, ids=ids, paused=paused):
        slots.setdefault(row["slot_of"], {})[row["slot"]] = row
    return [(main, slots.get(main["id"], {})) for main in mains]


def changes(db: Db, ids: Sequence[UUID], *, held: bool = True) -> dict[UUID, datetime]:
    """Returns when these connections changed last, or any of their slots; deleted ones, too.

    `held`, they stay ours until the transaction ends.
    """
    sql = f"""
        select id, slot_of, updated_at from connection
        where id = any(cast(:ids as uuid[])) or slot_of = any(cast(:ids as uuid[]))
        order by id {"for no key update" if held else ""}
        """  # noqa: S608  our own words
    found: dict[UUID, datetime] = {}
    for row in run(db, sql, ids=list(ids)):
        main = row.slot_of or row.id
        found[main] = max(row.updated_at, found.get(main, row.updated_at))
    return found


def set_aside(db: Db) -> int:
    """Returns how many pairs lie in quarantine, which no line has."""
    return one(db, int, "select count(*) from quarantine where adopted_at is null")


def pause_some(db: Db, which: Which, after: UUID) -> list[UUID]:
    """Pauses the next connections behind an id that are not paused, slots among them; returns them.

    A refresh under way ends normally. What is parked for another reason stays parked for that.
    """
    sql = f"""
        with chosen as materialized (
            select c.id from connection c where c.deleted_at is null and c.paused_at is null
                and {which.where()} and c.id > :after order by c.id limit :limit for no key update
        )
        update connection c set paused_at = refresher_now(), updated_at = refresher_now()
        from chosen where c.id = chosen.id returning c.id
        """  # noqa: S608  our own words
    ids = sorted(many(db, UUID, sql, **asdict(which), after=after, limit=PAGE))
    run(
        db,
        "update refresh_schedule set state = 2, parked_reason = 'paused' "
        "where connection_id = any(cast(:ids as uuid[])) and state + 0 = 0",
        ids=ids,
    )
    append(db, [Event(id_, "paused", reason=MOVING) for id_ in ids])
    return ids


def under_way(db: Db, which: Which) -> int:
    """Returns how many refreshes of these are under way, and will end by themselves.

    One that has not begun never will: its connection is paused.
    """
    sql = f"""
        select count(*) {_FROM} where {BEGUN} and c.root_id is null and c.deleted_at is null
            and s.lease_until > refresher_now() and {which.where()}
        """
    return one(db, int, sql, **asdict(which))


def unpause_some(db: Db, which: Which, after: UUID, *, spread_seconds: float) -> list[UUID]:
    """Ends the pause of the next ones behind an id that an export has paused; returns them.

    They are due when they were, and what is overdue is spread.
    """
    sql = f"""
        with chosen as materialized (
            select c.id from connection c where c.deleted_at is null and c.paused_at is not null
                and {which.where()} and {_BY_EXPORT} and c.id > :after
            order by c.id limit :limit for no key update
        )
        update connection c set paused_at = null, updated_at = refresher_now()
        from chosen where c.id = chosen.id returning c.id
        """  # noqa: S608  our own words
    values = {**asdict(which), "after": after, "limit": PAGE, "moving": MOVING}
    ids = sorted(many(db, UUID, sql, **values))
    run(db, _GO_ON, ids=ids, spread_seconds=spread_seconds)
    append(db, [Event(id_, "resumed", reason=MOVING) for id_ in ids])
    return ids


_GO_ON = """
    update refresh_schedule s set
        state = case when c.disabled_at is null then 0 else 2 end,
        parked_reason = case when c.disabled_at is not null then 'disabled' end,
        due_at = case when s.due_at > refresher_now() then s.due_at
            else refresher_now() + random() * :spread_seconds * interval '1 second' end,
        lease_token = s.lease_token + 1
    from connection c
    where c.id = s.connection_id and s.connection_id = any(cast(:ids as uuid[]))
      and s.state = 2 and s.parked_reason = 'paused'
    """

"""Finds connections by what people type whole, and by each other; everything goes through an index.

By beginnings of what they type: `finding.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from refresher.store.session import Db, first, many, run

HIGHEST = "\U0010ffff"
"""Between a text and itself with this behind it are all that begin like it, in the order of bytes."""


@dataclass(frozen=True, slots=True)
class Match:
    """A connection that a text may mean."""

    id: UUID
    organization_id: str
    provider: str
    external_id: str
    deleted: bool


_MATCH = "select id, organization_id, provider, external_id, deleted_at is not null as deleted "


def with_external_id(db: Db, external_id: str, *, limit: int) -> list[Match]:
    """Returns connections that the providers know by this id, living ones first."""
    sql = (
        _MATCH + "from connection where external_id = :external_id and slot_of is null "
        "order by deleted_at is not null, id limit :limit"
    )
    return many(db, Match, sql, external_id=external_id, limit=limit)


def between(db: Db, low: UUID, high: UUID, *, limit: int) -> list[Match]:
    """Returns connections whose ids are in this range, both ends included."""
    sql = _MATCH + "from connection where id between :low and :high limit :limit"
    return many(db, Match, sql, low=low, high=high, limit=limit)


def external_ids_beginning(db: Db, beginning: str, *, limit: int = 500) -> Sequence[str]:
    """Returns external ids that begin like this, in their order."""
    sql = (
        "select external_id from connection where external_id ~>=~ :beginning "
        "and external_id ~<=~ :above order by external_id using ~<~ limit :limit"
    )
    return many(db, str, sql, beginning=beginning, above=beginning + HIGHEST, limit=limit)


def names(db: Db, column: str, *, limit: int = 200) -> list[str]:
    """Returns the organizations, or the providers, that connections name: the first of them."""
    assert column in {"organization_id", "provider"}
    # One index step a name: a million connections of three providers are three steps.
    sql = f"""
        with recursive found(name) as (
            (select min({column}) from connection)
            union all
            select (select min({column}) from connection where {column} > found.name)
            from found where found.name is not null
        )
        select name from found where name is not null limit :limit
        """  # noqa: S608  one of two names of ours
    return many(db, str, sql, limit=limit)


def app_names(db: Db, provider: str | None, *, limit: int = 200) -> list[str]:
    """Returns the names of our apps at a provider, or of the first thousand at all."""
    if provider is not None:
        sql = "select name from app where provider = :provider order by name limit :limit"
        return many(db, str, sql, provider=provider, limit=limit)
    sql = "select distinct name from (select name from app limit 1000) a order by name limit :limit"
    return many(db, str, sql, limit=limit)


def root_of(db: Db, connection_id: UUID) -> UUID | None:
    """Returns the id whose grant this connection uses: its root's or its own; None if unknown."""
    sql = "select coalesce(root_id, id) from connection where id = :id"
    return first(db, UUID, sql, id=connection_id)


def slot_names(db: Db, main_id: UUID) -> dict[str, UUID]:
    """Returns the living slots of a connection by their names."""
    sql = "select slot, id from connection where slot_of = :id and deleted_at is null order by slot"
    return {row.slot: row.id for row in run(db, sql, id=main_id)}


def slots(db: Db, main_id: UUID) -> list[UUID]:
    """Returns the living slots of a connection: what is done to it is done to them."""
    sql = "select id from connection where slot_of = :id and deleted_at is null order by id"
    return many(db, UUID, sql, id=main_id)


def deleted_slots(db: Db, main_id: UUID) -> list[UUID]:
    """Returns the slots that were deleted in one transaction with their connection."""
    sql = (
        "select s.id from connection s join connection m on m.id = s.slot_of "
        "where m.id = :id and s.deleted_at = m.deleted_at order by s.id"
    )
    return many(db, UUID, sql, id=main_id)


def siblings(db: Db, root_id: UUID, *, limit: int | None = None) -> list[UUID]:
    """Returns the living connections that use this one's grant, the first `limit` of them."""
    living = "select id from connection where root_id = :id and deleted_at is null"
    sql = f"{living} order by id limit :limit"
    return many(db, UUID, sql, id=root_id, limit=limit)


def using(db: Db, root_id: UUID, *, limit: int) -> list[Match]:
    """Returns the first living connections that use this one's grant."""
    sql = (
        _MATCH
        + "from connection where root_id = :id and deleted_at is null order by id limit :limit"
    )
    return many(db, Match, sql, id=root_id, limit=limit)

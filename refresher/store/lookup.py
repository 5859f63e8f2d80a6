"""Finds connections by what people type, and what became of one lease.

Reads only; the commands that change something are in `connections.py`. Everything goes through an
index but the external id alone, which is looked up by people and not by the service.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from refresher.store.events import COLUMNS, PastEvent
from refresher.store.session import Db, first, many


@dataclass(frozen=True, slots=True)
class Match:
    """A connection that a text may mean."""

    id: UUID
    organization_id: str
    provider: str
    external_id: str
    deleted: bool


_MATCH = "select id, organization_id, provider, external_id, deleted_at is not null as deleted "
_EVENT = f"select {COLUMNS} from refresh_event "  # noqa: S608


def with_external_id(db: Db, external_id: str, *, limit: int) -> list[Match]:
    """Returns connections that the providers know by this id, living ones first."""
    sql = (
        _MATCH + "from connection where external_id = :external_id "
        "order by deleted_at is not null, id limit :limit"
    )
    return many(db, Match, sql, external_id=external_id, limit=limit)


def between(db: Db, low: UUID, high: UUID, *, limit: int) -> list[Match]:
    """Returns connections whose ids are in this range, both ends included."""
    sql = _MATCH + "from connection where id between :low and :high limit :limit"
    return many(db, Match, sql, low=low, high=high, limit=limit)


def external_ids_beginning(db: Db, beginning: str, *, limit: int = 500) -> Sequence[str]:
    """Returns external ids of living connections that begin like this, whatever the case."""
    sql = (
        "select external_id from connection "
        "where starts_with(lower(external_id), lower(:beginning)) and deleted_at is null limit :limit"
    )
    return many(db, str, sql, beginning=beginning, limit=limit)


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


def outcome(db: Db, connection_id: UUID, lease_token: int) -> PastEvent | None:
    """Returns the event with which a lease ended, None while it has not."""
    sql = (
        _EVENT + "where connection_id = :id and lease_token = :lease_token order by id desc limit 1"
    )
    return first(db, PastEvent, sql, id=connection_id, lease_token=lease_token)


def events_after(db: Db, connection_id: UUID, event_id: int) -> list[PastEvent]:
    """Returns the events of one connection that are newer than `event_id`, the oldest first."""
    sql = _EVENT + "where connection_id = :id and id > :event_id order by id limit 1000"
    return many(db, PastEvent, sql, id=connection_id, event_id=event_id)

"""Reads stored token pairs, sealed, page by page: for somebody who compares or reseals all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection as Db
from sqlalchemy import text

from refresher.rules.connection import Sealed
from refresher.store.session import Database


@dataclass(frozen=True, slots=True)
class StoredPair:
    """What one connection stores, under the id that its seals are bound to."""

    id: UUID
    external_id: str
    access_token: Sealed | None
    refresh_token: Sealed | None


def stored_pairs(database: Database, *, page_size: int = 1_000) -> Iterator[StoredPair]:
    """Yields the pairs of all living connections that store their own, in the order of their ids.

    One short transaction a page: a reader in no hurry holds nothing open meanwhile.
    """
    after = UUID(int=0)
    while True:
        with database.transaction() as db:
            page = _page(db, after, page_size)
        yield from page
        if len(page) < page_size:
            return
        after = page[-1].id


def _page(db: Db, after: UUID, limit: int) -> list[StoredPair]:
    statement = text(
        """
        select id, external_id, access_token, refresh_token from connection
        where id > :after and deleted_at is null and root_id is null order by id limit :limit
        """
    )
    rows = db.execute(statement, {"after": after, "limit": limit}).mappings()
    return [
        StoredPair(
            r["id"], r["external_id"], _sealed(r["access_token"]), _sealed(r["refresh_token"])
        )
        for r in rows
    ]


def _sealed(value: bytes | None) -> Sealed | None:
    return None if value is None else Sealed(bytes(value))

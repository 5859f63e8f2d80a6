"""Where sealed values stand: how they are sealed anew, compared and tried.

`SEALED` is the one declaration: a new table with a sealed column adds its line there. A value is
replaced, beside everything that reads and writes it, only while it still is what was read (compare and
set on the ciphertext), and rows that somebody else holds are passed over, so a refresh that comes in
between wins and never waits for us longer than one small transaction. No version, no date, no schedule
changes: nobody's tokens did.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from refresher.rules.connection import Sealed
from refresher.store.answers import PLACE as ANSWER
from refresher.store.db import RowMapping
from refresher.store.pool import wait_for_ever
from refresher.store.session import Database, Db, many, one, run
from refresher.store.webhooks import PREVIOUS_SECRET, SECRET


@dataclass(frozen=True, slots=True)
class SealedTable:
    """Columns of one table that hold sealed values, under the owner that their seals are bound to.

    A seal's associated data names its place: the column's own name, or the one in `places`.
    """

    name: str
    columns: tuple[str, ...]
    owner: str = "id"
    places: Mapping[str, str] = field(default_factory=dict)

    def place(self, column: str) -> str:
        """Returns the name that `Cipher.seal` is given for this column."""
        return self.places.get(column, column)


SEALED = (
    SealedTable("app", ("client_secret", "material")),
    SealedTable("connect_attempt", ("verifier",)),
    SealedTable("connect_session", ("held",)),
    SealedTable("connection", ("access_token", "refresh_token", "kept_secrets")),
    SealedTable("kept_answer", ("body",), owner="connection_id", places={"body": ANSWER}),
    SealedTable("quarantine", ("access_token", "refresh_token"), owner="connection_id"),
    SealedTable(
        "webhook_endpoint",
        ("secret", "previous_secret"),
        places={"secret": SECRET, "previous_secret": PREVIOUS_SECRET},
    ),
)


@dataclass(frozen=True, slots=True)
class SealedRow:
    """One row's sealed values by column; those that are absent are left out."""

    id: UUID
    owner: UUID
    values: Mapping[str, Sealed]


@dataclass(frozen=True, slots=True)
class KeyUse:
    """How many values of one column the key with this id has sealed."""

    table: str
    column: str
    key_id: str
    values: int


def key_uses(db: Db) -> list[KeyUse]:
    """Counts sealed values by key. Reads every table whole, without a time limit."""
    wait_for_ever(db)
    uses: list[KeyUse] = []
    for table in SEALED:
        for column in table.columns:
            sql = (
                f"select encode(substring({column} from 2 for 4), 'hex') as key_id, count(*) as n "  # noqa: S608
                f"from {table.name} where {column} is not null group by 1 order by 1"
            )
            uses += [KeyUse(table.name, column, r.key_id, r.n) for r in run(db, sql)]
    return uses


def count_rows(db: Db, table: SealedTable) -> int:
    """Returns about how many rows a table has, for a progress bar: the planner's estimate."""
    sql = "select greatest(reltuples, 0) from pg_class where oid = cast(:t as regclass)"
    return one(db, int, sql, t=table.name)


def page_end(db: Db, table: SealedTable, after: UUID, size: int) -> tuple[UUID, int] | None:
    """Returns the last id of the next `size` rows and how many they are, or None behind the last."""
    sql = f"select id from {table.name} where id > :after order by id limit :size"  # noqa: S608
    ids = run(db, sql, after=after, size=size).scalars().all()
    return (ids[-1], len(ids)) if ids else None


def not_sealed_by(
    db: Db, table: SealedTable, key_id: str, after: UUID, last: UUID
) -> list[SealedRow]:
    """Returns the rows within (`after`, `last`] of which any value has another key."""
    other = " or ".join(
        f"substring({column} from 2 for 4) <> decode(:key, 'hex')" for column in table.columns
    )
    sql = (
        f"select id, {table.owner} as owner, {', '.join(table.columns)} from {table.name} "  # noqa: S608
        f"where id > :after and id <= :last and ({other}) order by id"
    )
    rows = run(db, sql, key=key_id, after=after, last=last).mappings()
    return [_row(table, row) for row in rows]


def replace(
    db: Db, table: SealedTable, changes: Sequence[tuple[SealedRow, Mapping[str, Sealed]]]
) -> frozenset[UUID]:
    """Stores new seals of the same values; returns the ids of the rows that took them.

    A row that changed since it was read, or is being changed now, keeps what it has.
    """
    values: dict[str, object] = {"ids": [row.id for row, _ in changes]}
    for column in table.columns:
        values[f"old_{column}"] = [row.values.get(column) for row, _ in changes]
        values[f"new_{column}"] = [new.get(column, row.values.get(column)) for row, new in changes]
    return frozenset(many(db, UUID, _replace_statement(table), **values))


def _replace_statement(table: SealedTable) -> str:
    arrays = [f"cast(:{age}_{c} as bytea[])" for c in table.columns for age in ("old", "new")]
    names = [f"{age}_{c}" for c in table.columns for age in ("old", "new")]
    unchanged = " and ".join(f"t.{c} is not distinct from u.old_{c}" for c in table.columns)
    return f"""
        with u as materialized (
            select * from unnest(cast(:ids as uuid[]), {", ".join(arrays)}) u(id, {", ".join(names)})
        ), free as materialized (
            select t.id from {table.name} t join u on u.id = t.id where {unchanged}
            for no key update of t skip locked
        )
        update {table.name} t set {", ".join(f"{c} = u.new_{c}" for c in table.columns)}
        from u join free on free.id = u.id where t.id = u.id and {unchanged}
        returning t.id
        """  # noqa: S608  names of ours


def _row(table: SealedTable, row: RowMapping) -> SealedRow:
    values = {c: Sealed(bytes(row[c])) for c in table.columns if row[c] is not None}
    return SealedRow(row["id"], row["owner"], values)


@dataclass(frozen=True, slots=True)
class SealedValue:
    """One sealed value with its owner and column, as the cipher wants to know them."""

    owner_id: UUID
    column: str
    value: Sealed


def sealed_sample(db: Db, start: UUID, *, limit: int) -> list[SealedValue]:
    """Returns sealed tokens of the connections behind `start`, and of the first ones if few follow.

    Ids are spread evenly, so a random start gives a fair sample at the cost of an index.
    """
    sql = """
        select id, access_token, refresh_token from (
            (select id, access_token, refresh_token from connection
             where id >= :start and deleted_at is null order by id limit :limit)
            union
            (select id, access_token, refresh_token from connection
             where deleted_at is null order by id limit :limit)) s
        """
    return [
        SealedValue(row.id, column, value)
        for row in run(db, sql, start=start, limit=limit)
        for column, value in (
            ("access_token", row.access_token),
            ("refresh_token", row.refresh_token),
        )
        if value is not None
    ]


def sealed_secrets(db: Db) -> list[SealedValue]:
    """Returns the sealed client secrets and the sealed material of all apps."""
    sql = """
        select id as owner_id, v.place as column, v.value
        from app, lateral (values ('client_secret', client_secret), ('material', material))
            v(place, value)
        where v.value is not null
        """
    return many(db, SealedValue, sql)


@dataclass(frozen=True, slots=True)
class StoredPair:
    """What one connection stores, under the id that its seals are bound to."""

    id: UUID
    external_id: str
    access_token: Sealed | None
    refresh_token: Sealed | None


_PAIRS = """
    select id, external_id, access_token, refresh_token from connection
    where id > :after and deleted_at is null and root_id is null order by id limit :limit
    """


def stored_pairs(database: Database, *, page_size: int = 1_000) -> Iterator[StoredPair]:
    """Yields the pairs of all living connections that store their own, in the order of their ids.

    One short transaction a page: a reader in no hurry holds nothing open meanwhile.
    """
    after = UUID(int=0)
    while True:
        with database.transaction() as db:
            page = many(db, StoredPair, _PAIRS, after=after, limit=page_size)
        yield from page
        if len(page) < page_size:
            return
        after = page[-1].id

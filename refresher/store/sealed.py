"""Where sealed values stand, and how they are sealed anew beside everything that reads and writes them.

`SEALED` is the one declaration: a new table with a sealed column adds its line there. A value is
replaced only while it still is what was read (compare and set on the ciphertext), and rows that
somebody else holds are passed over, so a refresh that comes in between wins and never waits for us
longer than one small transaction. No version, no date, no schedule changes: nobody's tokens did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Connection as Db
from sqlalchemy import RowMapping, TextClause, text

from refresher.rules.connection import Sealed
from refresher.store.answers import PLACE as ANSWER
from refresher.store.patience import wait_for_ever
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
    SealedTable("app", ("client_secret",)),
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
            statement = text(
                f"select encode(substring({column} from 2 for 4), 'hex') as key_id, count(*) as n "  # noqa: S608
                f"from {table.name} where {column} is not null group by 1 order by 1"
            )
            uses += [KeyUse(table.name, column, r.key_id, r.n) for r in db.execute(statement)]
    return uses


def count_rows(db: Db, table: SealedTable) -> int:
    """Returns about how many rows a table has, for a progress bar: the planner's estimate."""
    statement = text("select greatest(reltuples, 0) from pg_class where oid = cast(:t as regclass)")
    return int(db.execute(statement, {"t": table.name}).scalar_one())


def page_end(db: Db, table: SealedTable, after: UUID, size: int) -> tuple[UUID, int] | None:
    """Returns the last id of the next `size` rows and how many they are, or None behind the last."""
    statement = text(
        f"select id from {table.name} where id > :after order by id limit :size"  # noqa: S608
    )
    ids = db.execute(statement, {"after": after, "size": size}).scalars().all()
    return (ids[-1], len(ids)) if ids else None


def not_sealed_by(
    db: Db, table: SealedTable, key_id: str, after: UUID, last: UUID
) -> list[SealedRow]:
    """Returns the rows within (`after`, `last`] of which any value has another key."""
    other = " or ".join(
        f"substring({column} from 2 for 4) <> decode(:key, 'hex')" for column in table.columns
    )
    statement = text(
        f"select id, {table.owner} as owner, {', '.join(table.columns)} from {table.name} "  # noqa: S608
        f"where id > :after and id <= :last and ({other}) order by id"
    )
    rows = db.execute(statement, {"key": key_id, "after": after, "last": last}).mappings()
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
    return frozenset(db.execute(_replace_statement(table), values).scalars())


def _replace_statement(table: SealedTable) -> TextClause:
    arrays = [f"cast(:{age}_{c} as bytea[])" for c in table.columns for age in ("old", "new")]
    names = [f"{age}_{c}" for c in table.columns for age in ("old", "new")]
    unchanged = " and ".join(f"t.{c} is not distinct from u.old_{c}" for c in table.columns)
    return text(
        f"""
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
    )


def _row(table: SealedTable, row: RowMapping) -> SealedRow:
    values = {c: Sealed(bytes(row[c])) for c in table.columns if row[c] is not None}
    return SealedRow(row["id"], row["owner"], values)

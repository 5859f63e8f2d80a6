"""Seals every stored secret with the first key, while refreshes go on.

Page by page in the order of the primary key; each page is a transaction of its own. There is nothing
to resume: what has the first key already is passed over, so a run that was stopped is started again.
A row that changed under our hands keeps its new value, and the next pass looks at it again (a worker
that still has the old key first seals with that one). What no key opens is left as it is and told.
A run that came to its end leaves one event, `key_rotated`, with how many values it moved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from refresher.errors import CannotDecrypt
from refresher.rules.connection import Sealed
from refresher.runtime.cipher import Cipher
from refresher.store import events, sealed
from refresher.store.sealed import SEALED, SealedRow, SealedTable
from refresher.store.session import Database, retrying

PAGE = 500
"""Rows to a transaction: a refresh of one of them waits for some milliseconds at most."""
PASSES = 10
MOST_TOLD = 1_000
_FIRST = UUID(int=0)


@dataclass(slots=True)
class KeyRotation:
    """What one run did so far; `rows` counts looks at rows of the present pass.

    `resealed` rows got new seals of `values` secrets.
    """

    table: str = ""
    passes: int = 0
    rows: int = 0
    resealed: int = 0
    values: int = 0
    changed_meanwhile: int = 0
    unopenable: dict[tuple[str, UUID], str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether nothing is left that another key has sealed and one of ours opens."""
        return self.changed_meanwhile == 0


def rotate(database: Database, cipher: Cipher) -> Iterator[KeyRotation]:
    """Seals everything with the first key; yields after each page, the same object each time.

    Ends when a whole pass has met nothing that changed under its hands. Not after ten passes: then
    somebody goes on sealing with an old key, and `KeyRotation.complete` is false.
    """
    done = KeyRotation()
    while done.passes < PASSES:
        done.passes, done.rows, done.changed_meanwhile = done.passes + 1, 0, 0
        for table in SEALED:
            done.table = table.name
            yield from _pass(database, cipher, table, done)
        if done.complete:
            break
    _note(database, cipher, done)


def _note(database: Database, cipher: Cipher, done: KeyRotation) -> None:
    moved = f"{done.values:,} values sealed anew with key {cipher.key_ids[0]}"
    left = "" if done.complete else f"; {done.changed_meanwhile:,} rows are left"

    def store() -> None:
        with database.transaction() as db:
            events.note(db, "key_rotated", moved + left)

    retrying(store)


def _pass(
    database: Database, cipher: Cipher, table: SealedTable, done: KeyRotation
) -> Iterator[KeyRotation]:
    after = _FIRST
    while True:
        with database.transaction() as db:
            page = sealed.page_end(db, table, after, PAGE)
            if page is None:
                return
            last, size = page
            rows = sealed.not_sealed_by(db, table, cipher.key_ids[0], after, last)
        _reseal(database, cipher, table, rows, done)
        done.rows += size
        after = last
        yield done


def _reseal(
    database: Database,
    cipher: Cipher,
    table: SealedTable,
    rows: list[SealedRow],
    done: KeyRotation,
) -> None:
    """Opens and seals outside any transaction, then replaces what is still the same."""
    made = [(row, _sealed_anew(cipher, table, row, done)) for row in rows]
    changes = [(row, new) for row, new in made if new]
    if not changes:
        return

    def store() -> frozenset[UUID]:
        with database.transaction() as db:
            return sealed.replace(db, table, changes)

    stored = retrying(store)
    done.resealed += len(stored)
    done.values += sum(len(new) for row, new in changes if row.id in stored)
    done.changed_meanwhile += len(changes) - len(stored)


def _sealed_anew(
    cipher: Cipher, table: SealedTable, row: SealedRow, done: KeyRotation
) -> Mapping[str, Sealed]:
    new: dict[str, Sealed] = {}
    for column, value in row.values.items():
        if not cipher.needs_rotation(value):
            continue
        try:
            place = table.place(column)
            new[column] = cipher.seal(cipher.open(value, row.owner, place), row.owner, place)
        except CannotDecrypt as error:
            if len(done.unopenable) < MOST_TOLD:
                done.unopenable[table.name, row.id] = str(error)
    return new

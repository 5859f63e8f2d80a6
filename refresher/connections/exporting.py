"""Writes connections out, as `rules/export_format.py` has it: paused first where they move, then read.

One snapshot: what is changed meanwhile is not in it. Where connections move, each is paused before its
tokens are read, and a refresh under way is waited for: so no refresh token is given away that is spent.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import orjson

from refresher.errors import CannotDecrypt
from refresher.rules.access import Actor
from refresher.rules.connection import ParkReason, Secret
from refresher.rules.export_format import END, Header, Tokens, bound_to, line, with_secrets
from refresher.runtime.cipher import Cipher
from refresher.runtime.receiving_key import PublicKey
from refresher.store import audit, exporting, installation
from refresher.store.audit import AuditEntry
from refresher.store.exporting import Which
from refresher.store.session import Database, Db, retrying

T = TypeVar("T")
MAX_LINE_BYTES = 1_048_576
PATIENCE_SECONDS = 0.2
SPREAD_SECONDS = 60.0
UNENDED = (
    "a refresh of it began, and nobody has told how it ended: start the scheduler, and export again"
)
CAME = "it was connected, or resumed, while the export ran: export again"
UNSTORED = "its new tokens wait to be stored (`refresher spool list`): export again after that"
TOO_LONG = "its line would be longer than 1 MB"


@dataclass(slots=True)
class Export:
    """One export. `tell` is called for each connection that is left out, with the reason.

    `key` is the receiver's, where tokens are sealed; `paused`: everything was paused by `pause`.
    """

    database: Database
    cipher: Cipher | None
    which: Which
    tokens: Tokens
    tell: Callable[[UUID, str], None]
    key: PublicKey | None = None
    paused: bool = False
    organizations: Counter[str] = field(default_factory=Counter)
    left_out: int = 0
    set_aside: int = 0
    unread: int = 0

    @property
    def written(self) -> int:
        """How many connections have a line so far."""
        return self.organizations.total()

    @property
    def told(self) -> str:
        """What kind of tokens it has, for the audit."""
        if self.key:
            return f"tokens sealed to key {self.key.id}"
        return "without tokens" if self.tokens is Tokens.NONE else "tokens in the clear"

    def lines(self) -> Iterator[bytes]:
        """Yields the lines, the header first, each with its end."""
        with exporting.snapshot(self.database) as db:
            header = Header(
                exported_at=exporting.now(db),
                tokens=self.tokens,
                installation=str(installation.name(db)),
                sealed_to=self.key.id if self.key else None,
                paused=self.paused,
            )
            yield _dumped(header.as_line())
            self.set_aside = exporting.set_aside(db)
            for page in exporting.pages(db, self.which, paused=self.paused):
                for row, slots in page:
                    if (made := self._line(header, row, slots)) is not None:
                        self.organizations[row["organization_id"]] += 1
                        yield made
        yield _dumped({END: self.written})

    def _line(
        self, header: Header, row: Mapping[str, Any], slots: Mapping[str, Mapping[str, Any]]
    ) -> bytes | None:
        told = line(row, slots)
        if self.tokens is Tokens.NONE:
            return _dumped(told)
        try:
            reason = self._why_not([row, *slots.values()])
            made = None if reason else self._with_tokens(header, told, row, slots)
        except CannotDecrypt as error:
            made, reason = None, str(error)
        if made is not None and len(made) > MAX_LINE_BYTES:
            made, reason = None, TOO_LONG
        if reason:
            self.left_out += 1
            self.tell(row["id"], reason)
        else:
            self.unread += row["parked_reason"] == ParkReason.UNREAD_ANSWER
        return made

    def _why_not(self, rows: list[Mapping[str, Any]]) -> str | None:
        """Returns why tokens must not leave: what is stored of them is, or may be, spent."""
        if any(row["parked_reason"] == ParkReason.UNSTORED for row in rows):
            return UNSTORED
        if self.paused and any(row["is_begun"] for row in rows):
            return UNENDED
        return CAME if self.paused and any(row["is_running"] for row in rows) else None

    def _with_tokens(
        self,
        header: Header,
        told: Mapping[str, Any],
        row: Mapping[str, Any],
        slots: Mapping[str, Mapping[str, Any]],
    ) -> bytes:
        assert self.cipher is not None
        secrets = opened(self.cipher, row, slots)
        if self.key is None:
            return _dumped(with_secrets(told, secrets))
        public = orjson.loads(_dumped(told))
        seal = self.key.seal(Secret(json.dumps(secrets)), bound_to(header, public))
        return _dumped({**told, "sealed": seal})


def opened(
    cipher: Cipher, row: Mapping[str, Any], slots: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Returns what is sealed of a connection and its slots, in the clear; raises `CannotDecrypt`."""
    found = _of_one(cipher, row)
    of_slots = {name: _of_one(cipher, slot) for name, slot in slots.items()}
    return {**found, **({"slots": of_slots} if of_slots else {})}


def _of_one(cipher: Cipher, row: Mapping[str, Any]) -> dict[str, Any]:
    clear: dict[str, Any] = {
        column: cipher.open(row[column], row["id"], column).reveal()
        for column in ("access_token", "refresh_token", "kept_secrets")
        if row[column] is not None
    }
    if "kept_secrets" in clear:
        clear["kept_secrets"] = json.loads(clear["kept_secrets"])
    return clear


def _dumped(value: Mapping[str, Any]) -> bytes:
    # Not orjson: a number in metadata may have any size.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def note_begin(export: Export, by: Actor) -> None:
    """Writes down that somebody exports, before the first line leaves."""
    with export.database.transaction() as db:
        audit.note(db, by, "export_begun", export.which.organization_id, export.told)


def note_end(export: Export, by: Actor) -> None:
    """Writes down how many connections of which organization were exported."""
    entries = [
        AuditEntry(by.id, "exported", whose, subject=by.about(export.told), count=number)
        for whose, number in export.organizations.items()
    ]
    with export.database.transaction() as db:
        audit.append(db, entries)


def pause(database: Database, which: Which) -> Iterator[int]:
    """Pauses these connections, and waits for the refreshes under way; yields how many it paused.

    It goes through them until there is none that came meanwhile.
    """
    paused, before = 0, -1
    while paused > before:
        before = paused
        for number in _by_page(database, lambda db, after: exporting.pause_some(db, which, after)):
            paused += number
            yield paused
    while _in_one(database, lambda db: exporting.under_way(db, which)):
        time.sleep(PATIENCE_SECONDS)
        yield paused


def unpause(database: Database, which: Which) -> Iterator[int]:
    """Has those go on that `pause` has paused; yields how many so far."""
    resumed = 0

    def some(db: Db, after: UUID) -> list[UUID]:
        return exporting.unpause_some(db, which, after, spread_seconds=SPREAD_SECONDS)

    for number in _by_page(database, some):
        resumed += number
        yield resumed


def _by_page(database: Database, some: Callable[[Db, UUID], list[UUID]]) -> Iterator[int]:
    """Works through ids in their order, a page to a transaction; yields how many each had."""
    after = exporting.FIRST
    while ids := _in_one(database, some, after):
        yield len(ids)
        after = ids[-1]


def _in_one(database: Database, work: Callable[..., T], *values: object) -> T:
    def whole() -> T:
        with database.transaction() as db:
            return work(db, *values)

    return retrying(whole)

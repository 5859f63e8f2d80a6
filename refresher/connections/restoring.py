"""Takes the lines of an export in: opened, judged against what is here, stored by `registration.py`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import orjson

from refresher.connections import registration
from refresher.connections.exporting import opened
from refresher.connections.registration import Registered
from refresher.connections.rehearsal import Outlook, rehearse
from refresher.errors import CannotDecrypt, InvalidConnection
from refresher.rules.access import Actor
from refresher.rules.export_format import (
    ExportRefused,
    Header,
    Tokens,
    bound_to,
    line,
    with_secrets,
)
from refresher.rules.registration import NewConnection
from refresher.rules.restoring import Here, Refuse, Take, Unchanged, Verdict, read_line, verdict
from refresher.runtime.cipher import Cipher
from refresher.runtime.receiving_key import ReceivingKey
from refresher.runtime.services import Services
from refresher.store import audit, exporting
from refresher.store.session import Db, retrying


class Restoring:
    """One export on its way in. Raises `ExportRefused` where its tokens cannot be opened at all."""

    def __init__(self, header: Header, key: ReceivingKey | None, *, force: bool) -> None:
        self.header, self._key, self._force = header, key, force
        if header.tokens is not Tokens.SEALED:
            return
        if key is None:
            raise ExportRefused(
                f"its tokens are sealed to key {header.sealed_to}: name the file of the private key "
                "with --key-file"
            )
        if key.public.id != header.sealed_to:
            raise ExportRefused(
                f"its tokens are sealed to key {header.sealed_to}, and --key-file has {key.public.id}"
            )

    def read(self, given: object) -> NewConnection:
        """Returns the connection of a line; raises `InvalidConnection` with one sentence."""
        if not isinstance(given, dict):
            raise InvalidConnection("the line must be one JSON object")
        if self.header.tokens is Tokens.SEALED:
            given = self._opened(given)
        return read_line(given, self.header)

    def _opened(self, given: Mapping[str, Any]) -> dict[str, Any]:
        sealed = given.get("sealed")
        if not isinstance(sealed, str) or self._key is None:
            raise InvalidConnection("its tokens are not there: the line was changed or cut")
        try:
            clear = self._key.open(sealed, bound_to(self.header, given))
        except CannotDecrypt as error:
            raise InvalidConnection(str(error)) from None
        public = {name: value for name, value in given.items() if name != "sealed"}
        return with_secrets(public, json.loads(clear.reveal()))

    def take(self, services: Services, chunk: Sequence[NewConnection], by: Actor) -> Registered:
        """Stores a chunk in one transaction. A line that is refused is refused alone."""

        def work() -> Registered:
            with services.database.transaction() as db:
                here = self._here(services.cipher, db, chunk, held=True)
                verdicts = self._verdicts(chunk, here)
                wanted = _wanted(chunk, verdicts)
                stored = registration.take_within(services, db, wanted)
                audit.append(db, registration.audit_entries(by, wanted, stored))
            return _whole(verdicts, stored)

        return retrying(work)

    def rehearse(
        self, services: Services, chunk: Sequence[NewConnection], outlook: Outlook
    ) -> Registered:
        """Says what that would come to."""
        with services.database.transaction() as db:
            here = self._here(services.cipher, db, chunk, held=False)
        verdicts = self._verdicts(chunk, here)
        return _whole(verdicts, rehearse(services, _wanted(chunk, verdicts), outlook))

    def _verdicts(self, chunk: Sequence[NewConnection], here: Mapping[UUID, Here]) -> list[Verdict]:
        return [verdict(new, self.header, here.get(new.id), force=self._force) for new in chunk]

    def _here(
        self, cipher: Cipher, db: Db, chunk: Sequence[NewConnection], *, held: bool
    ) -> dict[UUID, Here]:
        """Returns what stands here of these; `held`, every other writer is kept off it."""
        changed = exporting.changes(db, [new.id for new in chunk], held=held)
        if not changed:
            return {}
        found = {row["id"]: (row, slots) for row, slots in exporting.these(db, [*changed])}
        return {
            id_: Here(self._as_read(cipher, *found[id_]) if id_ in found else None, changed_at)
            for id_, changed_at in changed.items()
        }

    def _as_read(
        self, cipher: Cipher, row: Mapping[str, Any], slots: Mapping[str, Mapping[str, Any]]
    ) -> NewConnection | None:
        """Returns a connection as an export of it would be read; None where no key opens it."""
        try:
            secrets = {} if self.header.tokens is Tokens.NONE else opened(cipher, row, slots)
        except CannotDecrypt:
            return None
        told = orjson.loads(json.dumps(line(row, slots)))
        return read_line(with_secrets(told, secrets), self.header)


def _wanted(chunk: Sequence[NewConnection], verdicts: Sequence[Verdict]) -> list[NewConnection]:
    return [new for new, one in zip(chunk, verdicts, strict=True) if isinstance(one, Take)]


def _whole(verdicts: Sequence[Verdict], stored: Registered) -> Registered:
    """Returns what became of a chunk, of which the wanted ones became `stored`."""
    rejected: dict[int, str] = {}
    unchanged, wanted = 0, []
    for position, one in enumerate(verdicts):
        match one:
            case Refuse(reason):
                rejected[position] = reason
            case Unchanged():
                unchanged += 1
            case Take():
                wanted.append(position)
    rejected |= {wanted[at]: reason for at, reason in stored.rejected.items()}
    return replace(stored, rejected=rejected, unchanged=unchanged)

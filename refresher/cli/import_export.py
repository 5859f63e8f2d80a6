"""An export on its way in: known by its first line, whole by its last, opened with the receiver's key.

What becomes of its lines: `connections/restoring.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import orjson

from refresher.cli.import_run import Counts, ImportLine, Reader, decoded, understood
from refresher.cli.output import note
from refresher.connections.registration import Registered, judge_ahead, take
from refresher.connections.rehearsal import Outlook, rehearse
from refresher.connections.restoring import Restoring
from refresher.rules.access import Actor
from refresher.rules.export_format import read_end, read_header
from refresher.rules.registration import NewConnection
from refresher.rules.words import many
from refresher.runtime.receiving_key import ReceivingKey
from refresher.runtime.services import Services

MAX_END_BYTES = 64


class Incoming:
    """Lines of an import, which may be those of an export where `reader` reads our own format.

    `key` opens its tokens; `force`: it wins over what changed here since it was made.
    """

    def __init__(
        self,
        services: Services,
        reader: Reader = understood,
        key: ReceivingKey | None = None,
        *,
        force: bool = False,
    ) -> None:
        self._services, self._reader, self._key, self._force = services, reader, key, force
        self._restoring: Restoring | None = None
        self._announced: int | None = None
        self._is_all = False

    def lines(self, found: Iterable[ImportLine], from_line: int = 1) -> Iterator[ImportLine]:
        """Yields the lines from `from_line` on, but not the first and the last of an export.

        Raises `ExportRefused` for one that cannot be read here at all.
        """
        self._is_all = from_line == 1
        for line in found:
            if line.number == 1 and self._is_header(line):
                continue
            if line.number >= from_line and not (self._restoring and self._is_end(line)):
                yield line

    def read(self, line: ImportLine) -> NewConnection | None:
        """Returns the connection of a line; raises `InvalidConnection`."""
        return self._restoring.read(decoded(line)) if self._restoring else self._reader(line)

    def store(self, chunk: Sequence[NewConnection], by: Actor) -> Registered:
        """Stores a chunk."""
        if self._restoring is None:
            return take(self._services, chunk, by)
        return self._restoring.take(self._services, chunk, by)

    def ahead(self, chunk: Sequence[NewConnection], by: Actor) -> Callable[[], Registered]:
        """Judges a chunk before its turn has come; returns what stores it then."""
        if self._restoring is not None:
            return partial(self.store, chunk, by)
        return partial(take, self._services, chunk, by, ahead=judge_ahead(self._services, chunk))

    def rehearse(self, chunk: Sequence[NewConnection], outlook: Outlook) -> Registered:
        """Says what that would come to."""
        if self._restoring is None:
            return rehearse(self._services, chunk, outlook)
        return self._restoring.rehearse(self._services, chunk, outlook)

    def is_whole(self, counts: Counts) -> bool:
        """Whether all of an export came; says what is missing."""
        if self._restoring is None or not self._is_all or counts.read == self._announced:
            return True
        if self._announced is None:
            note("The end of the export is missing: it was cut, or is still being written.")
        else:
            told = many(self._announced, "connection")
            note(f"The export tells of {told}, and {counts.read:,} came.")
        return False

    def _is_header(self, line: ImportLine) -> bool:
        header = read_header(_json(line)) if self._reader is understood else None
        if header is not None:
            self._restoring = Restoring(header, self._key, force=self._force)
        return header is not None

    def _is_end(self, line: ImportLine) -> bool:
        announced = read_end(_json(line)) if len(line.raw) < MAX_END_BYTES else None
        if announced is not None:
            self._announced = announced
        return announced is not None


def _json(line: ImportLine) -> object:
    try:
        return orjson.loads(line.raw)
    except orjson.JSONDecodeError:
        return None

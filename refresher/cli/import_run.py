"""One import: JSON Lines in, chunks of connections stored, and a reason for each line that is not.

The judging is in `rules/registering.py`, the storing in `connections/registration.py`. Here it is only
decided what goes together: two thousand to a transaction, no connection twice, roots before those that
share their grant. While a chunk is stored, the next one is read and judged (`import_behind.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

import orjson

from refresher.cli.import_behind import Behind
from refresher.cli.output import WrongUse
from refresher.connections.registration import Registered
from refresher.errors import DatabaseUnavailable, InvalidConnection
from refresher.rules.registration import NewConnection, read
from refresher.rules.seen import Seen
from refresher.store.refusals import refusal

MAX_LINE_BYTES = 1_048_576
_UTF8_BOM = b"\xef\xbb\xbf"
CHUNK = 2_000


@dataclass(frozen=True, slots=True)
class ImportLine:
    """One line without its end; `cut` tells that it was longer than `MAX_LINE_BYTES`."""

    number: int
    raw: bytes
    cut: bool = False


Item = tuple[ImportLine, NewConnection]
Reject = Callable[[ImportLine, str], None]
Reader = Callable[[ImportLine], NewConnection | None]
"""Understands a line, or raises `InvalidConnection`; None is a line that is about no connection."""
Taker = Callable[[Sequence[NewConnection]], Registered]
"""Stores a chunk, or only says what would come of it."""
Ahead = Callable[[Sequence[NewConnection]], Callable[[], Registered]]
"""Does for a chunk what can be done before its turn has come; returns what then stores it."""


@dataclass(slots=True)
class Counts:
    """What an import did so far; `stored_to` is the last line that is safely dealt with."""

    read: int = 0
    created: int = 0
    reconnected: int = 0
    updated: int = 0
    rejected: int = 0
    unchanged: int = 0
    stored_to: int = 0


class ImportRun:
    """Feeds lines to the store. `reject` is called once for each line that is not taken.

    `taker` is called on another thread; `ahead`, where there is one, on the caller's, for the chunk
    that comes next. Who ends early closes `run`, which waits for what is under way.
    `seen` has the connections of all that were read, each by the line in which it stands.
    """

    def __init__(
        self, reject: Reject, taker: Taker, reader: Reader, ahead: Ahead | None = None
    ) -> None:
        self.counts = Counts()
        self._take, self._read = taker, reader
        self._ahead = ahead or (lambda chunk: partial(taker, chunk))
        self._behind = Behind[Registered]("the lines at hand are stored")
        self._reject_line = reject
        self.seen = Seen()
        self._chunk: list[Item] = []
        # Connections whose root may stand further down in the file.
        self._waiting: list[Item] = []
        # Rejected lines behind the chunk under way, which are told after those of that.
        self._later: list[tuple[ImportLine, str]] = []

    def run(self, lines: Iterable[ImportLine]) -> Generator[Counts, None, None]:
        """Stores all `lines`; yields the counts after each chunk."""
        try:
            with self._behind.open():
                yield from self._run(lines)
        finally:
            self._tell_later()

    def _run(self, lines: Iterable[ImportLine]) -> Iterator[Counts]:
        for line in lines:
            self._add(line)
            if len(self._chunk) >= CHUNK:
                self._begin(self._chunk, line.number)
                self._chunk = []
                yield self.counts
            elif (self._behind.is_over or len(self._later) >= CHUNK) and self._behind.settle():
                yield self.counts
        if self._chunk:
            self._begin(self._chunk, self._chunk[-1][0].number)
        self._behind.settle()
        yield self.counts
        while self._waiting:
            part = self._waiting[:CHUNK]
            self._begin(part, self.counts.stored_to, waited=len(part))
            self._behind.settle()
            yield self.counts

    def abandon(self) -> None:
        """Rejects what waited for its root when the import could not go on."""
        for line, _ in self._waiting:
            self._reject(line, "the import stopped before its root was stored")

    def _add(self, line: ImportLine) -> None:
        self.counts.read += 1
        try:
            new = self._read(line)
            if new is None:
                self.counts.read -= 1
                return
        except InvalidConnection as error:
            self._reject(line, str(error))
            return
        before = self.seen.add(new.id, line.number)
        if before != line.number:
            self._reject(line, f"the same connection stands in line {before} already")
        elif new.root_id is not None and new.root_id not in self.seen:
            self._waiting.append((line, new))
        else:
            self._chunk.append((line, new))

    def _begin(self, items: Sequence[Item], to_line: int, *, waited: int = 0) -> None:
        """Has a chunk stored, behind the one that is under way; with it all is, up to `to_line`."""
        take = self._ahead([new for _, new in items])
        self._behind.begin(
            lambda: self._taken(items, take), partial(self._count, items, to_line, waited)
        )

    def _count(self, items: Sequence[Item], to_line: int, waited: int, taken: Registered) -> None:
        del self._waiting[:waited]
        self.counts.created += taken.created
        self.counts.reconnected += taken.reconnected
        self.counts.updated += taken.updated
        self.counts.unchanged += taken.unchanged
        self.counts.stored_to = to_line
        for position in sorted(taken.rejected):
            self._tell(items[position][0], taken.rejected[position])
        self._tell_later()

    def _taken(self, items: Sequence[Item], take: Callable[[], Registered]) -> Registered:
        """Takes a chunk; where the database refuses it, finds the connection that is to blame."""
        try:
            return take()
        except DatabaseUnavailable:
            raise
        except Exception as error:
            reason = refusal(error)
            if reason is None:
                raise
            if len(items) == 1:
                return Registered(rejected={0: reason})
        half = len(items) // 2
        first, second = (
            self._taken(part, partial(self._take, [new for _, new in part]))
            for part in (items[:half], items[half:])
        )
        rejected = first.rejected | {half + at: why for at, why in second.rejected.items()}
        return Registered(
            first.created + second.created,
            first.reconnected + second.reconnected,
            first.updated + second.updated,
            first.slots + second.slots,
            rejected,
            first.unchanged + second.unchanged,
        )

    def _reject(self, line: ImportLine, reason: str) -> None:
        if self._behind.is_busy:
            self._later.append((line, reason))
        else:
            self._tell(line, reason)

    def _tell_later(self) -> None:
        later, self._later = self._later, []
        for line, reason in later:
            self._tell(line, reason)

    def _tell(self, line: ImportLine, reason: str) -> None:
        self.counts.rejected += 1
        self._reject_line(line, reason)


def understood(line: ImportLine) -> NewConnection:
    """Returns the connection of a line that is in our own format; raises `InvalidConnection`."""
    return read(decoded(line))


def decoded(line: ImportLine) -> object:
    """Returns the JSON value of a line; raises `InvalidConnection` without repeating the line."""
    if line.cut:
        raise InvalidConnection(f"the line is longer than {MAX_LINE_BYTES // 1_048_576} MB")
    try:
        return orjson.loads(line.raw)
    except orjson.JSONDecodeError as error:
        if error.msg.startswith("str is not valid UTF-8"):
            raise InvalidConnection("the line is not UTF-8 text") from None
        raise InvalidConnection(
            f"the line is not JSON: {error.msg} (column {error.colno})"
        ) from None


def lines(stream: BinaryIO) -> Iterator[ImportLine]:
    """Yields every line that is not blank, numbered from 1. Refuses what is no JSON Lines at all."""
    number = 0
    while part := stream.readline(MAX_LINE_BYTES + 2):
        number += 1
        if number == 1:
            part = part.removeprefix(_UTF8_BOM)
            _refuse_other_forms(part)
        raw = part.rstrip(b"\r\n")
        cut = len(raw) > MAX_LINE_BYTES
        if cut and not part.endswith(b"\n"):
            _skip_rest(stream)
        if cut or raw.strip():
            yield ImportLine(number, raw[:MAX_LINE_BYTES], cut)


def _skip_rest(stream: BinaryIO) -> None:
    """Reads on to the end of a line that is too long."""
    while (part := stream.readline(MAX_LINE_BYTES)) and not part.endswith(b"\n"):
        pass


def _refuse_other_forms(first: bytes) -> None:
    if first.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise WrongUse("the input is UTF-16: convert it first, iconv -f UTF-16 -t UTF-8 FILE")
    if first.startswith(b"\x1f\x8b"):
        raise WrongUse("the input is compressed: zcat FILE | refresher connections import -")
    if first.lstrip().startswith(b"["):
        raise WrongUse(
            "the input begins like one JSON array, and JSON Lines has an object in each line: "
            "jq -c '.[]' FILE | refresher connections import -"
        )

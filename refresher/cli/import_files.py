"""Reads files of other systems: JSON Lines, a JSON array, or CSV with a header; an entry at a time.

Each becomes a line with a JSON object, so that all goes on as with our own format. What is no such file
is refused in a sentence that says what it is, and how to make one of it.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterator
from typing import BinaryIO, cast

import orjson

from refresher.cli.import_run import MAX_LINE_BYTES, ImportLine, lines
from refresher.cli.output import CannotDo, WrongUse

BLOCK = 65_536
NULLS = frozenset({"", "NULL", "\\N"})
"""How databases write in CSV that there is nothing."""
_BOM = b"\xef\xbb\xbf"
_FORMS = {
    b"SQLite format 3\x00": "a SQLite database: sqlite3 -json FILE 'select * from TABLE' > rows.json",
    b"PGDMP": "an archive of pg_dump: restore it somewhere, and export the table as JSON Lines",
    b"PK\x03\x04": "a zip archive: unpack it first",
    b"\x1f\x8b": "compressed: zcat FILE | refresher connections import --from … -",
    b"\xff\xfe": "UTF-16: iconv -f UTF-16 -t UTF-8 FILE",
    b"\xfe\xff": "UTF-16: iconv -f UTF-16 -t UTF-8 FILE",
    b"--\n-- PostgreSQL": "SQL: psql -AtXc 'select row_to_json(t) from TABLE t' > rows.jsonl",
    b"<": "HTML or XML, and no export",
}


def entries(stream: BinaryIO) -> tuple[str, Iterator[ImportLine]]:
    """Returns what an entry is called, and all of them; raises `WrongUse` for another kind of file."""
    buffered = _buffered(stream)
    head: bytes = buffered.peek(BLOCK)[:BLOCK].removeprefix(_BOM)
    for mark, what in _FORMS.items():
        if head.lstrip().startswith(mark):
            raise WrongUse(f"the input is {what}")
    if b"\x00" in head:
        raise WrongUse("the input is binary: JSON Lines, a JSON array and CSV are read")
    match head.lstrip()[:1]:
        case b"{" | b"":
            return "line", lines(buffered)
        case b"[":
            return "entry", _array(buffered)
        case _:
            return "row", _rows(buffered)


def _buffered(stream: BinaryIO) -> io.BufferedReader:
    if isinstance(stream, io.BufferedReader):
        return stream
    return io.BufferedReader(cast("io.RawIOBase", stream))


def _array(stream: BinaryIO) -> Iterator[ImportLine]:
    """Yields each element of one JSON array, of which no more than one block is held."""
    decode = json.JSONDecoder().raw_decode
    text, number = _Text(stream), 0
    text.skip("[")
    while not text.ends_with("]"):
        if number:
            text.skip(",")
        number += 1
        while True:
            try:
                _, end = decode(text.left)
                break
            except ValueError:
                if len(text.left) > MAX_LINE_BYTES or not text.more():
                    raise CannotDo(
                        f"entry {number} is no JSON, longer than 1 MB, or the file ends within it"
                    ) from None
        yield ImportLine(number, text.taken(end).encode())


class _Text:
    """What is read of a stream and not yet used."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self.left = ""

    def more(self) -> bool:
        """Reads another block; false at the end."""
        block = self._stream.read(BLOCK)
        try:
            self.left += self._decoder.decode(block, final=not block)
        except UnicodeDecodeError:
            raise CannotDo("the input is not UTF-8 text from some entry on") from None
        return bool(block)

    def taken(self, end: int) -> str:
        """Returns the text before `end`, and leaves what follows it."""
        found, self.left = self.left[:end], self.left[end:]
        return found

    def skip(self, sign: str) -> None:
        """Passes over a sign and the blanks around it; raises `CannotDo` where another stands."""
        if not self._begins_with(sign):
            raise CannotDo(f'the input is no JSON array: a "{sign}" is missing')
        self.left = self.left[1:]
        self._begins_with("")

    def ends_with(self, sign: str) -> bool:
        """Whether the next thing is this sign."""
        return self._begins_with(sign)

    def _begins_with(self, sign: str) -> bool:
        while not (left := self.left.lstrip()) and self.more():
            pass
        self.left = left
        return bool(left) and left.startswith(sign)


def _row(header: list[str], cells: list[str]) -> object:
    if len(cells) != len(header):
        return cells
    return {name: None if cell in NULLS else cell for name, cell in zip(header, cells, strict=True)}


def _rows(stream: BinaryIO) -> Iterator[ImportLine]:
    """Yields each record of a CSV file as an object; one of another length as a list."""
    csv.field_size_limit(MAX_LINE_BYTES)
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="", errors="strict")
    try:
        first = text.readline(MAX_LINE_BYTES)
        sign = max(",;\t", key=first.count)
        header = [name.strip() for name in next(csv.reader([first], delimiter=sign), [])]
        if len(header) < 2:
            raise WrongUse("the input is neither JSON nor CSV with a header")
        for number, cells in enumerate(csv.reader(text, delimiter=sign), start=1):
            if cells:
                row = _row(header, cells)
                yield ImportLine(number, orjson.dumps(row))
    except UnicodeDecodeError:
        raise CannotDo("the input is not UTF-8 text from some row on") from None
    except csv.Error as error:
        raise CannotDo(f"the input is no CSV that can be read on: {error}") from None
    finally:
        text.detach()

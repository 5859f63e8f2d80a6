"""Reads JSON Lines as bytes: one line at a time, whatever its length, without filling the memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from refresher.cli.refusal import WrongUse

MAX_LINE_BYTES = 1_048_576
_UTF8_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its end; `cut` tells that it was longer than `MAX_LINE_BYTES`."""

    number: int
    raw: bytes
    cut: bool = False


def lines(stream: BinaryIO) -> Iterator[Line]:
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
            yield Line(number, raw[:MAX_LINE_BYTES], cut)


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

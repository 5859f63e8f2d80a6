"""Reads the bytes of an answer, however oddly they come: the one place for that.

Nothing here can raise on any input. In this order of trust: what the headers announce, then what the
bytes say. Packed bodies, other encodings, text before or after a JSON object, JSON in a JSON text, a
list of one, a form, and JSON that is cut off: of that, only what stands there whole.

A body that was packed for the way (RFC 9110 section 8.4.1) is unpacked within a fixed bound: a few
bytes can say gigabytes ("bomb"), so no step makes more than `MAX_BYTES`, however often it was packed.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from types import MappingProxyType
from urllib.parse import parse_qsl

from refresher.rules.connection import value
from refresher.rules.unread import PAGE, names_token

NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_FORM = re.compile(r"""[^\s<>{}"']+""")
_CHARSET = re.compile(r"""charset\s*=\s*["']?([A-Za-z0-9._:-]{1,40})""", re.IGNORECASE)
_FIELD = re.compile(
    r'"(access_token|refresh_token|expires_in)"\s*:\s*'
    r'("[^"\\]*(?:\\.[^"\\]*)*"|-?[0-9]{1,15}(?=\s*[,}\]]))'
)
_MOST_TRIES = 64
"""How many opening braces in a text are looked at: each costs a look at all that follows."""
_MOST_LEVELS = 3
"""How often JSON may stand in a JSON text, or in a list of one."""


def _integer(digits: str) -> int | float:
    # Python refuses to read more than 4,300 digits, and the tokens beside them would be lost.
    return int(digits) if len(digits) <= 300 else float(digits)


_READER = json.JSONDecoder(strict=False, parse_int=_integer)


def read(
    body: bytes, headers: Mapping[str, str] = NO_HEADERS, *, broken: bool = False
) -> dict[str, object]:
    """Returns what a body says as a mapping, empty when that is nothing.

    `broken` tells that the transfer ended before its end: a value that may be cut off is left out.
    """
    unpacked = unpack(body, header(headers, "content-encoding"))
    broken = broken or not unpacked.whole
    for text in _texts(unpacked.body, header(headers, "content-type")):
        if found := _in_text(text.strip(" \t\r\n\0\ufeff"), _MOST_LEVELS, broken=broken):
            return found
    return {}


def as_object(value: object, levels: int = _MOST_LEVELS) -> dict[str, object] | None:
    """Returns the object that `value` is, or holds: JSON in a text, a list of one object."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and len(value) == 1 and levels:
        return as_object(value[0], levels - 1)
    if isinstance(value, str) and levels:
        return _in_text(value.strip(), levels - 1, broken=False) or None
    return None


def text_of(body: bytes, headers: Mapping[str, str] = NO_HEADERS) -> str:
    """Returns a body as text, as well as it can be had."""
    unpacked = unpack(body, header(headers, "content-encoding"))
    return next(_texts(unpacked.body, header(headers, "content-type")), "").strip()


def header(headers: Mapping[str, str], name: str) -> str:
    """Returns a header by its name in lower case, "" when it is not there."""
    return next((value for key, value in headers.items() if key.lower() == name), "")


def _texts(body: bytes, content_type: str) -> Iterator[str]:
    """Yields what the bytes may say: as it was announced, as they look, and as UTF-8 with gaps."""
    said = _CHARSET.search(content_type)
    looks_like = json.detect_encoding(body) if body else "utf-8"
    for name in (said[1] if said else None, looks_like):
        try:
            if name and name.lower() not in {"utf-8", "utf8"}:
                yield body.decode(name)
        except (LookupError, ValueError):
            continue
    yield body.decode("utf-8", errors="replace")


def _in_text(text: str, levels: int, *, broken: bool) -> dict[str, object]:
    if text[:1] in {"{", "[", '"'}:
        try:
            value = _READER.decode(text)
        except RecursionError:
            return _salvaged(text)
        except ValueError:
            pass
        else:
            return as_object(value, levels) or _among_other_text(text, broken=broken)
    if _FORM.fullmatch(text):  # a page is no form, even one whose links hold `&access_token=`
        return _form(text, broken=broken)
    return _among_other_text(text, broken=broken) or _cut_off(text, broken=broken)


def _form(text: str, *, broken: bool) -> dict[str, object]:
    fields = parse_qsl(text)
    if not broken:
        return dict(fields)
    # Nothing tells whether the last value is whole, nor what came after it.
    found: dict[str, object] = dict(fields[:-1])
    return found if "refresh_token" in found else {}


def _among_other_text(text: str, *, broken: bool) -> dict[str, object]:
    """Returns the object in a text with something before or after it: notices, comments, a guard.

    Where there are several, the first that names a token. Nothing that stands in a page counts: pages
    repeat what was sent.
    """
    found: dict[str, object] = {}
    for start, end, one in _objects(text):
        if PAGE.search(text, 0, start) and (broken or text[end:].strip()):
            break
        if any(names_token(name, inner) for name, inner in one.items()):
            return one
        found = found or one
    return found


def _objects(text: str) -> Iterator[tuple[int, int, dict[str, object]]]:
    """Yields the JSON objects that stand whole in a text, none within another."""
    end = 0
    for brace in islice(re.finditer(r"\{", text), _MOST_TRIES):
        if brace.start() < end:
            continue
        try:
            value, end = _READER.raw_decode(text, brace.start())
        except (ValueError, RecursionError):
            if brace.start() == 0:
                return  # a large object that is cut off: what stands within it is no answer
            continue
        yield brace.start(), end, value


def _cut_off(text: str, *, broken: bool) -> dict[str, object]:
    """Returns the tokens of JSON that no parser takes.

    Without its refresh token a pair must not replace the stored one, unless nothing can be missing.
    """
    found = _salvaged(text) if text[:1] in {"{", "["} else {}
    closed = not broken and text[-1:] in {"}", "]"} and text.count("{") == text.count("}")
    return found if closed or "refresh_token" in found else {}


def _salvaged(text: str) -> dict[str, object]:
    """Returns the fields that stand, complete, in JSON which cannot be read as a whole."""
    found: dict[str, object] = {}
    for name, literal in _FIELD.findall(text):
        try:
            found.setdefault(name, json.loads(literal, strict=False))
        except ValueError:
            continue
    return found


MAX_BYTES = 1_048_576
"""The largest body that is read, packed or not: answers of token endpoints have a few kilobytes."""
MAX_LAYERS = 3
"""How often a body may be packed: once by the server, once by what stands before it, and one more."""
_GZIP_OR_ZLIB, _RAW = 47, -15  # zlib's words: 32 + 15 looks at the header itself
_GZIP = b"\x1f\x8b"
_MOST_STEPS = 65_536
_PACKED = frozenset({"gzip", "x-gzip", "deflate"})


@value
class Unpacked:
    """The bytes; whether nothing is missing of them; whether they are more than anybody reads."""

    body: bytes
    whole: bool = True
    too_large: bool = False


def unpack(body: bytes, encodings: str = "") -> Unpacked:
    """Returns `body` without its packing; `encodings` is the Content-Encoding header.

    Of a body that ends in the middle, what can be had; of one that is no packed body, the same.
    """
    said = {name.strip().lower() for name in encodings.split(",")}
    found = Unpacked(body)
    for _ in range(MAX_LAYERS):
        inner = _opened(found.body, raw=bool(said & _PACKED))
        if inner is None:
            break
        found = Unpacked(inner.body, found.whole and inner.whole, inner.too_large)
        if found.too_large:
            break
    return found


def is_packed(body: bytes) -> bool:
    """Whether the first bytes are those of gzip (RFC 1952) or zlib (RFC 1950)."""
    if body[:2] == _GZIP:
        return True
    return len(body) > 2 and body[0] & 0x8F == 0x08 and int.from_bytes(body[:2]) % 31 == 0


def _opened(body: bytes, *, raw: bool) -> Unpacked | None:
    """Returns one layer less, or None where there is none. `raw`: perhaps deflate without a header."""
    if is_packed(body):
        return _inflated(body, _GZIP_OR_ZLIB)
    if not raw or body[:64].lstrip()[:1] in (b"", b"{", b"[", b'"'):
        return None
    found = _inflated(body, _RAW)
    return found if found is not None and found.whole else None


def _inflated(body: bytes, kind: int) -> Unpacked | None:
    """Returns what zlib makes of `body`, of one member or several, or None when that is nothing."""
    made = bytearray()
    left, whole = body, True
    while left and whole and len(made) <= MAX_BYTES:
        part, whole, left = _member(left, kind, MAX_BYTES + 1 - len(made))
        made += part
    if len(made) > MAX_BYTES:
        return Unpacked(b"", whole=False, too_large=True)
    return Unpacked(bytes(made), whole) if made or whole else None


def _member(body: bytes, kind: int, most: int) -> tuple[bytes, bool, bytes]:
    """Returns at most `most` bytes, whether that was all of it, and the next member."""
    reader = zlib.decompressobj(kind)
    try:
        made = reader.decompress(body, most)
    except zlib.error:
        return _until_the_fault(body, kind, most), False, b""
    following = reader.unused_data
    return made, reader.eof, following if following[:2] == _GZIP else b""


def _until_the_fault(body: bytes, kind: int, most: int) -> bytes:
    """Returns what stands before the fault: often only the checksum at the end is wrong."""
    reader, made = zlib.decompressobj(kind), bytearray()
    step = 1 + len(body) // _MOST_STEPS
    with suppress(zlib.error):
        for start in range(0, len(body), step):
            # Never 0, which means "without a limit".
            made += reader.decompress(body[start : start + step], max(1, most - len(made)))
    return bytes(made)


def at(value: object, path: Sequence[str | int]) -> object:
    """Returns what stands at the end of `path`; a number steps into a list."""
    for key in path:
        if isinstance(value, list):
            value = _item(value, key)
        else:
            value = value.get(str(key)) if isinstance(value, Mapping) else None
    return value


def _item(values: list[object], key: int | str) -> object:
    try:
        return values[int(key)]
    except (ValueError, IndexError):
        return None

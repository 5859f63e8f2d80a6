"""Unpacks a body that was packed for the way (RFC 9110 section 8.4.1), within a fixed bound.

Pure, and never trusts a word of a header: what is announced is tried first, then what the first bytes
say, and what cannot be unpacked stays as it came. A few bytes can say gigabytes ("bomb"): no step makes
more than `MAX_BYTES`, however often a body was packed.
"""

from __future__ import annotations

import zlib
from contextlib import suppress

from refresher.rules.values import value

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

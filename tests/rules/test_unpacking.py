"""Unpacking within a bound: bombs, broken ends, several members."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from functools import partial

import pytest

from refresher.rules.bodies import MAX_BYTES, Unpacked, _until_the_fault, is_packed, unpack

packed = partial(gzip.compress, mtime=0)  # the same bytes in every process that runs the tests
TEXT = b'{"access_token": "a"}'
MEBIBYTE = 2**20


@pytest.mark.parametrize(
    ("body", "encodings", "unpacked"),
    [
        (TEXT, "", Unpacked(TEXT)),
        (b"", "gzip", Unpacked(b"")),
        (packed(TEXT), "gzip", Unpacked(TEXT)),
        (packed(packed(TEXT)), "gzip, gzip", Unpacked(TEXT)),
        (packed(TEXT) + packed(TEXT), "", Unpacked(TEXT + TEXT)),
        (packed(b""), "", Unpacked(b"")),
        (packed(packed(packed(packed(TEXT)))), "", Unpacked(packed(TEXT))),
        (packed(TEXT)[:-8], "", Unpacked(TEXT, whole=False)),
        (packed(TEXT)[:-1] + b"?", "", Unpacked(TEXT, whole=False)),
        (b"\x1f\x8b no gzip", "", Unpacked(b"\x1f\x8b no gzip")),
        (b"x^y=1", "", Unpacked(b"x^y=1")),
        (b"no deflate", "deflate", Unpacked(b"no deflate")),
        (zlib.compress(TEXT)[2:-4], "deflate", Unpacked(TEXT)),
        (zlib.compress(TEXT)[2:-6], "deflate", Unpacked(zlib.compress(TEXT)[2:-6])),
        (zlib.compress(TEXT)[2:-4], "", Unpacked(zlib.compress(TEXT)[2:-4])),
        (packed(b" " * MAX_BYTES), "", Unpacked(b" " * MAX_BYTES)),
        (packed(b" " * (MAX_BYTES + 1)), "", Unpacked(b"", whole=False, too_large=True)),
    ],
)
def test_a_body_is_unpacked_as_far_as_it_goes(
    body: bytes, encodings: str, unpacked: Unpacked
) -> None:
    """What is announced, what the bytes say, and of a broken one what is there."""
    assert unpack(body, encodings) == unpacked


def test_what_has_no_fault_is_read_to_its_end() -> None:
    """Looking for the fault step by step makes the same bytes as one look at all."""
    assert _until_the_fault(packed(TEXT), 47, 100) == TEXT


def test_the_first_bytes_tell_a_packing() -> None:
    """The packings of gzip and zlib have a mark of their own; plain text has neither."""
    assert [is_packed(b) for b in (packed(b""), zlib.compress(b"a"), TEXT, b"x", b"")] == [
        True, True, False, False, False,
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("broken", [False, True])
def test_a_bomb_costs_no_more_than_a_few_megabytes(layers: int, broken: bool) -> None:
    """A hundred megabytes packed into a few kilobytes are never made, however they are wrapped."""
    bomb = packed(b" " * (100 * MEBIBYTE), 6)
    for _ in range(layers - 1):
        bomb = packed(bomb, 6)
    bomb = bomb[:-1] + b"?" if broken else bomb
    tracemalloc.start()
    found = unpack(bomb, "gzip" + ", gzip" * (layers - 1))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.too_large
    assert peak < 8 * MEBIBYTE

"""Sealing tokens (M10): what opens where, and that nothing in the clear gets out."""

from __future__ import annotations

import subprocess
import sys
import traceback
from base64 import standard_b64encode, urlsafe_b64encode
from collections.abc import Callable
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refresher.errors import CannotDecrypt, SettingsError
from refresher.rules.connection import Sealed, Secret
from refresher.runtime.cipher import Cipher, _nonce, key_id, new_key, parse_key
from tests.rules.samples import SAME_EACH_TIME

OLD, NEW, STRANGE = b"o" * 32, b"n" * 32, b"s" * 32
ALICE, BOB = UUID(int=1), UUID(int=2)
COLUMN = "refresh_token"
TEXT = "rt-s3cr3t"
RAW = b"\xfb\xef" * 16  # "-" and "_" in one alphabet, "+" and "/" in the other


def sealed_by(key: bytes, text: str = TEXT) -> Sealed:
    """Returns `text` sealed for Alice's refresh token."""
    return Cipher([key]).seal(Secret(text), ALICE, COLUMN)


@settings(SAME_EACH_TIME, max_examples=100)
@given(
    st.text() | st.text(st.characters(categories=["Cs"])),
    st.uuids(),
    st.sampled_from(["access_token", "refresh_token", "client_secret"]),
    st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=3, unique=True),
)
def test_what_is_sealed_opens_again(text: str, owner: UUID, column: str, keys: list[bytes]) -> None:
    """M10: any text comes back as it was, under any keys, for the same owner and column."""
    cipher = Cipher(keys)
    assert cipher.open(cipher.seal(Secret(text), owner, column), owner, column) == Secret(text)


def test_what_an_earlier_version_sealed_still_opens() -> None:
    """M10: layout, derived key and associated data are stored facts, which no change may move."""
    sealed = Sealed(
        bytes.fromhex(
            "01d2f840cb000102030405060708090a0beceabcced343d050889106720e29eeaa1fb2e4dad4c5d96a5d"
        )
    )
    assert Cipher([NEW]).open(sealed, ALICE, COLUMN) == Secret(TEXT)


def test_the_text_is_not_in_the_sealed_value() -> None:
    """M10: what is stored does not contain the token."""
    assert bytes(sealed_by(NEW)).find(TEXT.encode()) == -1


def test_sealing_twice_gives_two_values() -> None:
    """M10: the nonce is fresh each time, so equal tokens cannot be recognised in the table."""
    assert len({sealed_by(NEW) for _ in range(100)}) == 100


@pytest.mark.parametrize(
    ("owner", "column"),
    [(BOB, COLUMN), (ALICE, "access_token"), (ALICE, ""), (BOB, "access_token")],
)
def test_a_value_that_was_moved_does_not_open(owner: UUID, column: str) -> None:
    """M10: owner and column are associated data; a row cannot borrow another's token."""
    with pytest.raises(CannotDecrypt, match="is damaged, or was moved there"):
        Cipher([NEW]).open(sealed_by(NEW), owner, column)


@pytest.mark.parametrize("position", range(len(sealed_by(NEW))))
def test_a_changed_bit_is_noticed(position: int) -> None:
    """M10: no byte of a sealed value, header included, can be changed unnoticed."""
    sealed = bytearray(sealed_by(NEW))
    sealed[position] ^= 1
    with pytest.raises(CannotDecrypt):
        Cipher([NEW]).open(Sealed(bytes(sealed)), ALICE, COLUMN)


@pytest.mark.parametrize("length", range(len(sealed_by(NEW, "a"))))
def test_a_value_cut_short_does_not_open(length: int) -> None:
    """M10: whatever is left of a truncated value, the error is the same kind."""
    with pytest.raises(CannotDecrypt):
        Cipher([NEW]).open(Sealed(sealed_by(NEW, "a")[:length]), ALICE, COLUMN)


def test_every_configured_key_opens() -> None:
    """M10: behind the first key, older ones still open what they sealed."""
    cipher = Cipher([NEW, OLD])
    for key in (NEW, OLD):
        assert cipher.open(sealed_by(key), ALICE, COLUMN) == Secret(TEXT)


def test_the_first_key_seals() -> None:
    """M10: during a rotation, what is written anew is under the new key."""
    sealed = Cipher([NEW, OLD]).seal(Secret(TEXT), ALICE, COLUMN)
    assert Cipher([NEW]).open(sealed, ALICE, COLUMN) == Secret(TEXT)
    with pytest.raises(CannotDecrypt):
        Cipher([OLD]).open(sealed, ALICE, COLUMN)


@pytest.mark.parametrize(("key", "needed"), [(NEW, False), (OLD, True), (STRANGE, True)])
def test_a_value_under_another_key_needs_rotation(key: bytes, needed: bool) -> None:
    """M10: online rotation finds its work by the key id in the value, without opening it."""
    assert Cipher([NEW, OLD]).needs_rotation(sealed_by(key)) is needed


@pytest.mark.parametrize(
    ("sealed", "wanted"),
    [
        (sealed_by(STRANGE), key_id(STRANGE).hex()),
        (Sealed(b""), "none"),
        (Sealed(b"\x01"), "none"),
        (Sealed(b"plain text token"), b"lain".hex()),
    ],
    ids=["strange", "empty", "short", "plain"],  # a sealed value is another one each time
)
def test_a_missing_key_is_named(sealed: Sealed, wanted: str) -> None:
    """The operator reads which key id is missing, and where to put the key."""
    with pytest.raises(CannotDecrypt) as caught:
        Cipher([NEW, OLD]).open(sealed, ALICE, COLUMN)
    assert str(caught.value) == (
        f"{COLUMN} of {ALICE} was sealed with key {wanted}, which is not among "
        "REFRESHER_ENCRYPTION_KEYS: add the old key behind the first one"
    )


@pytest.mark.parametrize(
    "fail",
    [
        lambda: Cipher([NEW]).open(sealed_by(STRANGE), ALICE, COLUMN),
        lambda: Cipher([NEW]).open(sealed_by(NEW), BOB, COLUMN),
        lambda: parse_key("k3y-s3cr3t"),
    ],
    ids=["missing key", "moved", "bad key"],
)
def test_an_error_shows_neither_token_nor_key(fail: Callable[[], object]) -> None:
    """M10: not in its text, nor anywhere in its traceback's chain of causes."""
    with pytest.raises((CannotDecrypt, SettingsError)) as caught:
        fail()
    shown = "".join(
        traceback.TracebackException.from_exception(caught.value).format_exception_only()
    )
    causes = [repr(caught.value), repr(caught.value.__cause__), repr(caught.value.__context__)]
    for text in (shown, *causes):
        assert "s3cr3t" not in text
        assert NEW.decode() not in text


def test_a_cipher_shows_ids_only() -> None:
    """M10: the `repr` of a cipher names its keys, the sealing one first, and reveals none."""
    cipher = Cipher([NEW, OLD])
    assert cipher.key_ids == [key_id(NEW).hex(), key_id(OLD).hex()]
    assert repr(cipher) == f"Cipher(keys=[{key_id(NEW).hex()}, {key_id(OLD).hex()}])"


def test_a_cipher_needs_a_key() -> None:
    """Without any key there is a sentence, not an index error."""
    with pytest.raises(SettingsError, match="no encryption key is set"):
        Cipher([])


def test_a_new_key_is_good_and_new() -> None:
    """What `refresher encryption new-key` prints can be used, and is never the same twice."""
    keys = {new_key() for _ in range(20)}
    assert len(keys) == 20
    assert all(len(parse_key(key)) == 32 for key in keys)


@pytest.mark.parametrize(
    "text",
    [
        urlsafe_b64encode(RAW).decode(),
        urlsafe_b64encode(RAW).decode().rstrip("="),
        standard_b64encode(RAW).decode(),
        f"  {standard_b64encode(RAW).decode()}\n",
    ],
    ids=["url-safe", "without padding", "standard", "with spaces around"],
)
def test_a_key_is_read_in_either_alphabet(text: str) -> None:
    """`openssl rand -base64 32` makes a good key as well."""
    assert parse_key(text) == RAW


@pytest.mark.parametrize("text", ["", "x", "short", "n" * 42, "n" * 44, "k\u00e9y", "=" * 43])
def test_a_bad_key_is_refused_unseen(text: str) -> None:
    """M10: the sentence says how to make a good key, and does not repeat the bad one."""
    with pytest.raises(SettingsError) as caught:
        parse_key(text)
    assert str(caught.value) == (
        "REFRESHER_ENCRYPTION_KEYS holds a key that is not 32 bytes in base64: "
        "`refresher encryption new-key` prints a good one"
    )


FORKS = """
import os
from refresher.runtime import cipher
cipher._nonce()
assert cipher._nonces
if os.fork() == 0:
    os._exit(len(cipher._nonces) > 0)
raise SystemExit(os.waitstatus_to_exitcode(os.wait()[1]))
"""


def test_a_forked_process_draws_nonces_of_its_own():
    """A nonce used twice under one key would give the key away, and Dramatiq forks its workers."""
    assert subprocess.run([sys.executable, "-c", FORKS], check=False).returncode == 0


def test_nonces_do_not_repeat():
    """Not within a draw of the pool, nor from one to the next."""
    drawn = [_nonce() for _ in range(2000)]
    assert len(set(drawn)) == 2000
    assert {len(nonce) for nonce in drawn} == {12}

"""Seals tokens at rest: AES-256-GCM with key ids and associated data.

Layout of a sealed value: version (1 byte), key id (4), nonce (12), ciphertext and tag. The key id
is derived from the key, so there is nothing to number. Each owner (a connection, an app) has a key
of its own, derived from the master key: random 96-bit nonces are safe for 2^32 values under one key
(NIST SP 800-38D section 8.3), which one busy master key would reach in days, one connection never.
The associated data binds a value to its owner and column; moved elsewhere it does not open.

Keys may come from a file (REFRESHER_ENCRYPTION_KEYS_FILE), such as a mounted secret, which is read
once, when a process starts. No text of the file ever gets into a message.
"""

from __future__ import annotations

import hmac
import os
import stat
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from refresher.errors import CannotDecrypt, SettingsError
from refresher.rules.connection import Sealed, Secret
from refresher.settings import Settings

_VERSION = b"\x01"
_HEADER = 1 + 4
_NONCE = 12
_NONCES = 256


class Cipher:
    """Seals with the first key, opens with any; asks nothing of a database."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys:
            raise SettingsError("no encryption key is set")
        self._keys = {key_id(key): key for key in keys}
        self._first = key_id(keys[0])

    def __repr__(self) -> str:
        return f"Cipher(keys=[{', '.join(self.key_ids)}])"

    @property
    def key_ids(self) -> list[str]:
        """The ids of the keys held, the sealing one first; they reveal nothing of the keys."""
        return [identifier.hex() for identifier in self._keys]

    def seal(self, secret: Secret, owner: UUID, column: str) -> Sealed:
        """Returns `secret` sealed for one column of one owner."""
        header, whose, nonce = _VERSION + self._first, owner.bytes, _nonce()
        aead = _aead(self._keys[self._first], whose)
        text = secret.reveal().encode("utf-8", "surrogatepass")
        return Sealed(header + nonce + aead.encrypt(nonce, text, _bound_to(header, whose, column)))

    def open(self, sealed: Sealed, owner: UUID, column: str) -> Secret:
        """Returns the secret in the clear; raises `CannotDecrypt` when no key opens it here."""
        key = self._keys.get(sealed[1:_HEADER]) if sealed[:1] == _VERSION else None
        if key is None:
            wanted = sealed[1:_HEADER].hex() or "none"
            raise CannotDecrypt(
                f"{column} of {owner} was sealed with key {wanted}, which is not among "
                "REFRESHER_ENCRYPTION_KEYS: add the old key behind the first one"
            )
        header, nonce = sealed[:_HEADER], sealed[_HEADER : _HEADER + _NONCE]
        try:
            whose = owner.bytes
            text = _aead(key, whose).decrypt(
                nonce, sealed[_HEADER + _NONCE :], _bound_to(header, whose, column)
            )
        except (InvalidTag, ValueError) as error:
            raise CannotDecrypt(f"{column} of {owner} is damaged, or was moved there") from error
        return Secret(text.decode("utf-8", "surrogatepass"))

    def derived(self, purpose: bytes) -> dict[bytes, bytes]:
        """Returns a key of 32 bytes for `purpose` from each key (HKDF, RFC 5869), by key id.

        The first one's comes first. It tells nothing of the key that it comes from.
        """
        return {
            identifier: HKDF(SHA256(), 32, salt=None, info=purpose).derive(key)
            for identifier, key in self._keys.items()
        }

    def proofs(self, purpose: bytes, message: bytes) -> list[bytes]:
        """Returns what nobody else can make of a message (HMAC-SHA-256): one proof for each key.

        The first key's comes first: it is the one to give out; each of them is to be taken.
        """
        return [hmac.digest(key, message, "sha256") for key in self.derived(purpose).values()]

    def needs_rotation(self, sealed: Sealed) -> bool:
        """Whether `sealed` was made with another key than the first."""
        return sealed[1:_HEADER] != self._first


def new_key() -> str:
    """Returns a new random key as text for REFRESHER_ENCRYPTION_KEYS."""
    return urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")


def parse_key(text: str) -> bytes:
    """Returns the 32 bytes of a key; raises `SettingsError` without repeating the text."""
    try:
        key = urlsafe_b64decode(text.strip() + "=" * (-len(text.strip()) % 4))
    except (NotBase64, ValueError):
        key = b""
    if len(key) != 32:
        raise SettingsError(
            "REFRESHER_ENCRYPTION_KEYS holds a key that is not 32 bytes in base64: "
            "`refresher encryption new-key` prints a good one"
        )
    return key


def key_id(key: bytes) -> bytes:
    """Returns the four bytes that name `key` inside each value it sealed."""
    return sha256(b"refresher key id" + key).digest()[:4]


@lru_cache(maxsize=4096)
def _aead(key: bytes, owner: bytes) -> AESGCM:
    """Returns the cipher with an owner's own key: one refresh needs it three times."""
    return AESGCM(hmac.digest(key, owner, "sha256"))


_nonces: list[bytes] = []
os.register_at_fork(after_in_child=_nonces.clear)  # a nonce used twice would give the key away


def _nonce() -> bytes:
    """Returns fresh random bytes: asking the kernel for each would cost more than sealing."""
    while True:
        try:
            return _nonces.pop()
        except IndexError:
            fresh = os.urandom(_NONCE * _NONCES)
            _nonces.extend(fresh[i : i + _NONCE] for i in range(0, len(fresh), _NONCE))


def _bound_to(header: bytes, owner: bytes, column: str) -> bytes:
    return header + owner + column.encode()


_FILE = "REFRESHER_ENCRYPTION_KEYS_FILE"


def read_keys(path: Path) -> list[str]:
    """Returns the keys as texts, at least one; raises `SettingsError` naming the file."""
    try:
        text = path.read_text("utf-8")
    except UnicodeError:
        raise SettingsError(f"{_FILE}: {path} is not a text file") from None
    except OSError as error:
        raise SettingsError(f"{_FILE}: {path} cannot be read: {error.strerror}") from None
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    keys = [key.strip() for key in ",".join(lines).split(",") if key.strip()]
    if not keys:
        raise SettingsError(
            f"{_FILE}: {path} holds no key: `refresher encryption new-key` prints one"
        )
    return keys


def is_open_to_others(path: Path) -> bool:
    """Whether more than its owner and group may read the file, or more than its owner may write it."""
    mode = path.stat().st_mode
    return bool(mode & (stat.S_IROTH | stat.S_IWOTH | stat.S_IWGRP))


def cipher_from(settings: Settings) -> Cipher:
    """Returns the cipher; without a key, a sentence that names the command that makes one."""
    keys = [key.get_secret_value() for key in settings.encryption_keys]
    if settings.encryption_keys_file is not None:
        keys = read_keys(settings.encryption_keys_file)
    if not keys:
        raise SettingsError(
            "REFRESHER_ENCRYPTION_KEYS is not set, and tokens are never stored in the clear: "
            "`refresher encryption new-key` prints a key"
        )
    return Cipher([parse_key(key) for key in keys])

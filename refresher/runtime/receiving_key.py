"""Seals an export's tokens to whoever receives it: HPKE (RFC 9180), one seal a line.

The receiver makes a pair of keys and gives the public one away: who exports can seal, and not open. The
suite is DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, in base mode: it tells not who sealed.
What a seal is bound to goes into `info`, of which the key schedule (section 5.1) makes the key itself.
Each key is one line of text that says what it is.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from refresher.errors import CannotDecrypt, SettingsError
from refresher.rules.connection import Secret

PUBLIC, PRIVATE = "refresher-public-key-1:", "refresher-private-key-1:"
MAKES_ONE = "`refresher encryption new-receiving-key` makes a pair"
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class PublicKey:
    """What an export is sealed to."""

    def __init__(self, raw: bytes) -> None:
        self._key = X25519PublicKey.from_public_bytes(raw)
        self.text = PUBLIC + _text(raw)
        self.id = sha256(b"refresher receiving key" + raw).hexdigest()[:8]

    def seal(self, secret: Secret, bound_to: bytes) -> str:
        """Returns `secret` sealed, as text."""
        return _text(_SUITE.encrypt(secret.reveal().encode(), self._key, info=bound_to))


class ReceivingKey:
    """What opens it."""

    def __init__(self, raw: bytes) -> None:
        self._key = X25519PrivateKey.from_private_bytes(raw)
        self.public = PublicKey(self._key.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return f"ReceivingKey({self.public.id})"

    @classmethod
    def new(cls) -> ReceivingKey:
        """Returns a new random one."""
        return cls(X25519PrivateKey.generate().private_bytes_raw())

    @property
    def text(self) -> Secret:
        """The line to keep."""
        return Secret(PRIVATE + _text(self._key.private_bytes_raw()))

    def open(self, sealed: str, bound_to: bytes) -> Secret:
        """Returns what was sealed to this key; raises `CannotDecrypt` when anything of it changed."""
        try:
            return Secret(_SUITE.decrypt(_raw(sealed), self._key, info=bound_to).decode())
        except (InvalidTag, ValueError):
            raise CannotDecrypt(
                "its tokens do not open: the line was changed, cut, or is of another export"
            ) from None


def public_key(text: str) -> PublicKey:
    """Returns the public key in a text; raises `SettingsError` without repeating the text."""
    line = _line(text)
    if line.startswith(PRIVATE):
        raise SettingsError(
            "that is the private key, which stays where it was made: seal to the public one"
        )
    return PublicKey(_key(line, PUBLIC, "public"))


def private_key(text: str) -> ReceivingKey:
    """Returns the private key in a text; raises `SettingsError` without repeating the text."""
    line = _line(text)
    if line.startswith(PUBLIC):
        raise SettingsError(
            "that is the public key, which opens nothing: give the private one's file"
        )
    return ReceivingKey(_key(line, PRIVATE, "private"))


def _line(text: str) -> str:
    lines = (line.strip() for line in text.splitlines())
    return next((line for line in lines if line and not line.startswith("#")), "")


def _key(line: str, prefix: str, which: str) -> bytes:
    try:
        raw = _raw(line.removeprefix(prefix)) if line.startswith(prefix) else b""
    except ValueError:
        raw = b""
    if len(raw) != 32:
        raise SettingsError(f'no {which} key stands there ("{prefix}…"): {MAKES_ONE}')
    return raw


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _raw(text: str) -> bytes:
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except NotBase64:
        raise ValueError("no base64") from None

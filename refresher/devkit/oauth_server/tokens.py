"""Mints and reads tokens that carry their own place in the books: nothing is stored per token.

A token names its family, its number and (access tokens) its end, sealed with a keyed hash: a server
that has issued ten million tokens keeps no list of them. `grants.py` says whether a token is good.
"""

import base64
import hashlib
import hmac
import math
from dataclasses import dataclass

import orjson

_JWT_HEADER = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class AccessClaim:
    """What an access token says: the `serial`-th issued to its family, good until `expires_at`."""

    family: int
    serial: int
    expires_at: float


@dataclass(frozen=True, slots=True)
class RefreshClaim:
    """What a refresh token says: the one its family held after `generation` rotations."""

    family: int
    generation: int


Claim = AccessClaim | RefreshClaim


class Mint:
    """Makes tokens under one key; tokens of another key are strangers."""

    def __init__(self, key: bytes) -> None:
        """Keeps the key; 16 to 64 random bytes."""
        self._key = key

    def access_token(self, claim: AccessClaim) -> str:
        """Returns an opaque access token; its end is kept to the millisecond."""
        return self._seal(f"fake-at_{claim.family}_{claim.serial}_{round(claim.expires_at * 1000)}")

    def access_jwt(self, claim: AccessClaim) -> str:
        """Returns the access token as an HS256 JWT with an `exp` claim in whole seconds."""
        told = {
            "jti": self.access_token(claim),
            "exp": math.floor(claim.expires_at),
            "iss": "fake-provider",
        }
        signed = f"{_JWT_HEADER}.{_base64url(orjson.dumps(told))}"
        return f"{signed}.{self._signature(signed)}"

    def refresh_token(self, claim: RefreshClaim) -> str:
        """Returns the refresh token; the same claim always gives the same text."""
        return self._seal(f"fake-rt_{claim.family}_{claim.generation}")

    def read(self, token: str) -> Claim | None:
        """Returns what a token of ours says, or None for a stranger's, however it is malformed."""
        if token.count(".") == 2:
            return self._read_jwt(token)
        text, _, mac = token.rpartition("_")
        if not hmac.compare_digest(mac.encode(), self._mac(text).encode()):
            return None
        kind, *numbers = text.split("_")
        if kind == "fake-rt":
            return RefreshClaim(int(numbers[0]), int(numbers[1]))
        return AccessClaim(int(numbers[0]), int(numbers[1]), int(numbers[2]) / 1000)

    def _read_jwt(self, token: str) -> Claim | None:
        signed, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(signed).encode()):
            return None
        payload = signed.partition(".")[2]
        told = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return self.read(told["jti"])

    def _seal(self, text: str) -> str:
        return f"{text}_{self._mac(text)}"

    def _mac(self, text: str) -> str:
        return hashlib.blake2b(text.encode(), key=self._key, digest_size=16).hexdigest()

    def _signature(self, signed: str) -> str:
        return _base64url(hmac.digest(self._key, signed.encode(), "sha256"))


def fingerprint(token: str) -> str:
    """Returns the SHA-256 of a token in hex: enough to compare tokens without showing them."""
    return hashlib.sha256(token.encode()).hexdigest()


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

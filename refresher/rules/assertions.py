"""Makes and signs the JWTs with which an app proves itself, or is a grant of its own.

Pure: the time and the id of each come from the caller. Sources: RFC 7523 sections 2 and 3 (claims),
RFC 7515 (signatures), RFC 7518 and RFC 8037 (algorithms).
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

import jwt
import orjson
from jwt.algorithms import HMACAlgorithm

from refresher.rules import keys
from refresher.rules.connection import Secret, value
from refresher.rules.keys import UnusableKey

CLOCK_SKEW_SECONDS = 30
"""How long ago an assertion says that it was made: a provider's clock may be behind ours."""
OURS = ("iat", "exp", "nbf", "jti")
"""Claims that no entry writes: they are of each assertion by itself."""
SHARED = ("HS256", "HS384", "HS512")


@value
class Signer:
    """What signs, and how the other side is told which key that was.

    `algorithm` None is the usual one of the key. With a `certificate` that belongs to the key, its
    fingerprint stands in the header (Microsoft Entra asks for it).
    """

    key: Secret
    algorithm: str | None = None
    key_id: str | None = None
    certificate: str | None = None


@value
class Stamp:
    """When and as which one an assertion is made: epoch seconds, and a text that none else has."""

    now_epoch_seconds: float
    id: str


def assertion(
    claims: Mapping[str, object], signer: Signer, stamp: Stamp, life_seconds: float
) -> Secret:
    """Returns the signed JWT of `claims`, good for `life_seconds` from shortly before now.

    Raises `UnusableKey`.
    """
    made_at = int(stamp.now_epoch_seconds) - CLOCK_SKEW_SECONDS
    whole = {**claims, "iat": made_at, "exp": made_at + int(life_seconds), "jti": stamp.id}
    return Secret(compact(orjson.dumps(whole), signer, {"typ": "JWT"}))


def compact(payload: bytes, signer: Signer, header: Mapping[str, str]) -> str:
    """Returns `payload` signed, in the compact form of RFC 7515 section 7.1."""
    key, algorithm = _opened(signer)
    named: dict[str, Any] = {"typ": None, **header}
    if signer.key_id:
        named["kid"] = signer.key_id
    if signer.certificate and keys.belongs(signer.certificate, signer.key):
        print_ = keys.fingerprint(signer.certificate)
        named["x5t#S256"] = urlsafe_b64encode(print_).rstrip(b"=").decode()
    return _JWS.encode(payload, key, algorithm, named)


def check(signer: Signer) -> None:
    """Raises `UnusableKey` where the key cannot sign with the algorithm that is asked for."""
    _opened(signer)


def _opened(signer: Signer) -> tuple[Any, str]:
    """Returns the key and the algorithm it signs with."""
    wanted = signer.algorithm
    if wanted in SHARED:
        return signer.key.reveal(), wanted
    key = keys.load(signer.key)
    possible = keys.algorithms_of(key)
    if wanted is not None and wanted not in possible:
        raise UnusableKey(
            f"signing_algorithm is {wanted}, but the app's private key is {keys.said(key)}, which "
            f"signs with {possible[0]}"
        )
    return key, wanted or possible[0]


class _Shared(HMACAlgorithm):
    """HMAC with secrets of any length: the provider made it, and there is no other."""

    def check_key_length(self, key: object) -> None:
        """Warns of nothing."""


def _signatures() -> jwt.PyJWS:
    made = jwt.PyJWS()
    for name in SHARED:
        made.unregister_algorithm(name)
        made.register_algorithm(name, _Shared(getattr(HMACAlgorithm, name.replace("HS", "SHA"))))
    return made


_JWS = _signatures()

"""Makes and signs the JWTs by which an app proves itself, or which are its grant.

Pure: the time and the id of each come from the caller. Sources: RFC 7523 sections 2 and 3 (claims),
RFC 7515 (signatures), RFC 7518 and RFC 8037 (algorithms).
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from typing import Any

import jwt
import orjson
from jwt.algorithms import HMACAlgorithm

from refresher.rules import keys
from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Secret, value
from refresher.rules.fillings import Stamp
from refresher.rules.keys import UnusableKey
from refresher.rules.proofs import Told
from refresher.rules.providers import SIGNING_CLIENT, SIGNING_GRANT, ClientAuth, Provider

CLOCK_SKEW_SECONDS = 30
"""How long ago an assertion says that it was made: a provider's clock may be behind ours."""
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


def grant(provider: Provider, client: ClientCredentials, told: Told, stamp: Stamp) -> Secret:
    """Returns the assertion that is the grant (RFC 7523 section 2.1); raises `UnusableKey`."""
    standard = {"iss": client.client_id, "aud": told.audience}
    signer = _own_key(provider, client)
    return assertion(_claims(standard, told.grant), signer, stamp, provider.assertion_seconds)


def of_client(provider: Provider, client: ClientCredentials, told: Told, stamp: Stamp) -> Secret:
    """Returns the assertion that proves the client (section 2.2); raises `UnusableKey`."""
    standard = {"iss": client.client_id, "sub": client.client_id, "aud": told.audience}
    shared = provider.client_auth is ClientAuth.CLIENT_SECRET_JWT
    signer = _secret(provider, client) if shared else _own_key(provider, client)
    return assertion(_claims(standard, told.client), signer, stamp, provider.assertion_seconds)


def signers(provider: Provider, client: ClientCredentials) -> Iterator[Signer]:
    """Yields what signs for this client at `provider`; raises `UnusableKey` where it lacks that."""
    if provider.client_auth is ClientAuth.CLIENT_SECRET_JWT:
        yield _secret(provider, client)
    elif provider.client_auth in SIGNING_CLIENT:
        yield _own_key(provider, client)
    if provider.strategy in SIGNING_GRANT:
        yield _own_key(provider, client)


def _claims(standard: Mapping[str, str], told: Mapping[str, str]) -> dict[str, str]:
    """Returns the claims, those of the entry before the standard's; an empty one is left out."""
    return {name: text for name, text in {**standard, **told}.items() if text}


def _secret(provider: Provider, client: ClientCredentials) -> Signer:
    if not client.client_secret:
        raise UnusableKey(
            f"client_secret is missing: requests to {provider.name} are signed with it "
            "(client_secret_jwt)"
        )
    algorithm = provider.signing_algorithm
    return Signer(client.client_secret, algorithm if algorithm in SHARED else "HS256")


def _own_key(provider: Provider, client: ClientCredentials) -> Signer:
    if not client.private_key:
        raise UnusableKey(
            f"private_key is missing: requests to {provider.name} are signed with it; give the app "
            f"private_key_file, or `refresher apps set {provider.name}` the option --private-key-file"
        )
    if provider.needs_key_id and not client.key_id:
        raise UnusableKey(
            f"key_id is missing: {provider.name} must be told which key signs, by the name that it "
            "gave to it"
        )
    algorithm = provider.signing_algorithm
    wanted = None if algorithm in SHARED else algorithm
    return Signer(client.private_key, wanted, client.key_id, client.certificate)


def assertion(
    claims: Mapping[str, object], signer: Signer, stamp: Stamp, life_seconds: float
) -> Secret:
    """Returns the signed JWT of `claims`, good for `life_seconds` from shortly before now.

    Raises `UnusableKey`.
    """
    made_at = int(stamp.now_epoch_seconds) - CLOCK_SKEW_SECONDS
    whole = {**claims, "iat": made_at, "exp": made_at + int(life_seconds), "jti": stamp.unique}
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

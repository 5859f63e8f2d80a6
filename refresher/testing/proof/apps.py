"""The apps of a stand: one that the provider knows, and a stranger; each with all that proves it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Secret
from refresher.rules.providers import CERTIFIED, Provider

# With what form-encoding changes: who encodes too little, too much or not at all is found out.
CLIENT_ID, SECRET = "app one+1", "s3cret+/=%&é ~"
_CURVES: dict[str | None, type[ec.EllipticCurve]] = {"ES384": ec.SECP384R1, "ES512": ec.SECP521R1}


@dataclass(frozen=True)
class Apps:
    """Both, and the public key that the provider was given, as PEM."""

    known: ClientCredentials
    stranger: ClientCredentials
    public_key: str


def apps_of(entry: Provider) -> Apps:
    """Returns two apps that can prove themselves as the entry asks for it."""
    private, public = _pair(entry.signing_algorithm, "ours")
    return Apps(
        _client(entry, CLIENT_ID, SECRET, private),
        _client(
            entry, "somebody else", "a wrong secret", _pair(entry.signing_algorithm, "theirs")[0]
        ),
        public,
    )


def _client(entry: Provider, client_id: str, secret: str, private: str) -> ClientCredentials:
    shown = "-----BEGIN CERTIFICATE-----" if entry.client_auth in CERTIFIED else None
    return ClientCredentials(
        client_id,
        Secret(secret),
        private_key=Secret(private),
        key_id="key-1",
        certificate=shown,  # no TLS here, so nobody reads it
        certificate_key=Secret(private) if shown else None,
    )


@cache
def _pair(algorithm: str | None, _whose: str) -> tuple[str, str]:
    key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey
    if algorithm and algorithm.startswith(("RS", "PS")):
        key = rsa.generate_private_key(65_537, 2_048)
    elif algorithm == "EdDSA":
        key = ed25519.Ed25519PrivateKey.generate()
    else:
        key = ec.generate_private_key(_CURVES.get(algorithm, ec.SECP256R1)())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private.decode(), public.decode()

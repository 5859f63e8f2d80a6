"""Reads an app's private keys and certificates, and says in a sentence why one is none.

Pure: texts in, values out; no file is opened here. A key comes as PEM, as a JSON Web Key (RFC 7517), or
in the JSON file that Google gives out for a service account; it is kept as PEM (PKCS #8). What a key
may sign with is said by RFC 7518 section 3.1 and RFC 8037 section 3.1.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jwt
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from refresher.rules.connection import Secret
from refresher.rules.placeholders import UnbuildableRequest

Key = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey | Ed448PrivateKey
LEAST_RSA_BITS = 2_048
"""RFC 7518 section 3.3."""
MAX_LENGTH = 32_768
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")


class UnusableKey(UnbuildableRequest):
    """A text that is no key or certificate, or none for what it is to do; never quotes it."""


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A private key as PEM, with the name that its file gives it."""

    pem: Secret
    key_id: str | None = None


def read_key(text: str) -> FoundKey:
    """Returns the private key in `text`; raises `UnusableKey`."""
    if len(text) > MAX_LENGTH:
        raise UnusableKey(f"is longer than {MAX_LENGTH:,} characters, so it is no private key")
    bare = text.strip()
    if bare.startswith("{"):
        return _of_json(bare)
    if "\n" not in bare:  # how a variable of the environment often holds it
        bare = bare.replace("\\n", "\n")
    return FoundKey(_pem(_parsed(bare)))


def load(pem: Secret) -> Key:
    """Returns the key of a PEM text, such as `read_key` keeps; raises `UnusableKey`."""
    return _parsed(pem.reveal())


def algorithms_of(key: Key) -> tuple[str, ...]:
    """Returns what `key` can sign with, the usual one first."""
    match key:
        case RSAPrivateKey():
            return _RSA
        case EllipticCurvePrivateKey():
            return (_CURVES[key.curve.name],)
        case _:
            return ("EdDSA",)


def said(key: Key) -> str:
    """Returns what kind of key it is, in words."""
    match key:
        case RSAPrivateKey():
            return f"an RSA key of {key.key_size:,} bits"
        case EllipticCurvePrivateKey():
            return f"an EC key on the curve {key.curve.name}"
        case _:
            return "an Edwards-curve key"


def read_certificate(text: str) -> str:
    """Returns the certificates in `text` as PEM, the app's own first; raises `UnusableKey`."""
    if len(text) > MAX_LENGTH:
        raise UnusableKey(f"is longer than {MAX_LENGTH:,} characters, so it is no certificate")
    bare = text.strip() if "\n" in text.strip() else text.strip().replace("\\n", "\n")
    try:
        found = x509.load_pem_x509_certificates(bare.encode())
    except ValueError:
        raise UnusableKey(
            "is no certificate: give PEM that begins with -----BEGIN CERTIFICATE-----"
        ) from None
    return "".join(one.public_bytes(Encoding.PEM).decode() for one in found)


def end_of(certificate: str) -> datetime:
    """Returns when a certificate that `read_certificate` kept ends, in UTC."""
    return _first(certificate).not_valid_after_utc


def belongs(certificate: str, pem: Secret) -> bool:
    """Whether a certificate is that of this private key."""
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ours = load(pem).public_key().public_bytes(*form)
    return _first(certificate).public_key().public_bytes(*form) == ours


def fingerprint(certificate: str) -> bytes:
    """Returns the SHA-256 of a certificate (`x5t#S256`, RFC 7515 section 4.1.8)."""
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415  for one header

    return _first(certificate).fingerprint(SHA256())


def _first(certificate: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(certificate.encode())


def _of_json(text: str) -> FoundKey:
    try:
        given = json.loads(text)
    except ValueError:
        raise UnusableKey("begins like JSON, and is none") from None
    if "kty" in given:
        return FoundKey(_pem(_checked(_of_jwk(given))), _name(given, "kid"))
    pem = given.get("private_key")
    if not isinstance(pem, str):
        raise UnusableKey('is JSON without "private_key" or "kty", so it holds no private key')
    return FoundKey(_pem(_parsed(pem.strip())), _name(given, "private_key_id"))


def _name(given: Mapping[str, Any], field: str) -> str | None:
    name = given.get(field)
    return name if isinstance(name, str) and name else None


def _of_jwk(given: Mapping[str, Any]) -> object:
    if "d" not in given:
        raise UnusableKey('is the public half of a JSON Web Key: give the one with "d"')
    # A key set's `alg` is what somebody meant it for; the entry says what we sign with.
    bare = {name: value for name, value in given.items() if name != "alg"}
    try:
        return jwt.PyJWK(bare).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        raise UnusableKey("is no JSON Web Key that can sign") from None


def _parsed(text: str) -> Key:
    try:
        # Whether an RSA key's primes are prime takes half a second to say: it is our own key.
        key = load_pem_private_key(text.encode(), None, unsafe_skip_rsa_key_validation=True)
    except TypeError:
        raise UnusableKey(
            "is encrypted with a password: decrypt it first, with `openssl pkey -in KEY -out PLAIN`"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise UnusableKey(_no_key(text)) from None
    return _checked(key)


def _no_key(text: str) -> str:
    if "BEGIN OPENSSH PRIVATE KEY" in text:
        return "is a key of OpenSSH's own form: convert it with `ssh-keygen -p -m PKCS8 -f KEY`"
    if "BEGIN CERTIFICATE" in text:
        return "is a certificate, which is public: give the private key that belongs to it"
    if "PUBLIC KEY" in text:
        return "is a public key: give the private key that belongs to it"
    return "is no private key: give PEM that begins with -----BEGIN PRIVATE KEY-----, or a JWK"


def _checked(key: object) -> Key:
    """Returns `key` if it can sign what providers take."""
    match key:
        case RSAPrivateKey() if key.key_size < LEAST_RSA_BITS:
            raise UnusableKey(
                f"is {said(key)}, and nobody may take fewer than {LEAST_RSA_BITS:,}: make another"
            )
        case EllipticCurvePrivateKey() if key.curve.name not in _CURVES:
            raise UnusableKey(f"is {said(key)}, with which nothing is signed: use {_curves()}")
        case RSAPrivateKey() | EllipticCurvePrivateKey() | Ed25519PrivateKey() | Ed448PrivateKey():
            return key
        case _:
            raise UnusableKey("is a key that cannot sign: use an RSA, EC or Ed25519 key")


def _curves() -> str:
    return ", ".join(_CURVES)


def _pem(key: Key) -> Secret:
    made = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Secret(made.decode())

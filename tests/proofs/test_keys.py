"""Reading keys and certificates: every way they come, and a sentence for what is none."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from refresher.rules import keys
from refresher.rules.keys import UnusableKey, read_certificate, read_key
from tests.proofs.samples import ED25519, ED25519_JWK, RSA, RSA_JWK, certificate, ec_key, pem

EC = pem(ec_key())
OPENSSH = ec_key().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
PKCS1 = (
    ec_key().private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
)
PUBLIC = (
    ec_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
)
GOOGLE = json.dumps({"type": "service_account", "private_key": EC, "private_key_id": "g1"})


@pytest.mark.parametrize(
    ("text", "key_id", "signs"),
    [
        (EC, None, ("ES256",)),
        (f"\n {EC} \n", None, ("ES256",)),
        (PKCS1, None, ("ES256",)),
        (EC.replace("\n", "\\n"), None, ("ES256",)),
        (pem(ec_key(ec.SECP384R1)), None, ("ES384",)),
        (pem(ec_key(ec.SECP521R1)), None, ("ES512",)),
        (GOOGLE, "g1", ("ES256",)),
        (RSA, None, ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
        (json.dumps({**RSA_JWK, "kid": "r1", "alg": "RSA-OAEP"}), "r1", None),
        (json.dumps({**ED25519_JWK, "kid": 7}), None, ("EdDSA",)),
        (pem(ed448.Ed448PrivateKey.generate()), None, ("EdDSA",)),
    ],
)
def test_a_key_is_read_in_every_form(text, key_id, signs):
    """PEM, PEM out of a variable, a JSON Web Key, Google's file; kept as PEM, with its name."""
    found = read_key(text)
    assert found.key_id == key_id
    assert found.pem.reveal().startswith("-----BEGIN PRIVATE KEY-----\n")
    assert signs is None or keys.algorithms_of(keys.load(found.pem)) == signs
    assert "BEGIN" not in repr(found)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("hunter2", "is no private key: give PEM that begins with"),
        ("", "is no private key: give PEM"),
        ("x" * 40_000, "is longer than 32,768 characters, so it is no private key"),
        ("{", "begins like JSON, and is none"),
        ("{}", 'is JSON without "private_key" or "kty"'),
        (json.dumps({"private_key": "hunter2"}), "is no private key"),
        (json.dumps({**RSA_JWK, "d": "hunter2"}), "is no JSON Web Key that can sign"),
        (json.dumps({"kty": "hunter2", "d": "x"}), "is no JSON Web Key that can sign"),
        (json.dumps({k: v for k, v in RSA_JWK.items() if k != "d"}), "is the public half of"),
        (json.dumps({"kty": "oct", "k": "aHVudGVyMg", "d": "x"}), "is a key that cannot sign"),
        (pem(ec_key(), b"hunter2"), "is encrypted with a password: decrypt it first, with"),
        (OPENSSH, "is a key of OpenSSH's own form: convert it with `ssh-keygen -p -m PKCS8"),
        (certificate(ec_key()), "is a certificate, which is public: give the private key"),
        (PUBLIC, "is a public key: give the private key that belongs to it"),
        (pem(ec_key())[:40], "is no private key"),
        (pem(ec_key(ec.SECP256K1)), "is an EC key on the curve secp256k1, with which nothing"),
        (pem(rsa.generate_private_key(65537, 1_024)), "is an RSA key of 1,024 bits, and nobody"),
        (pem(x25519.X25519PrivateKey.generate()), "is a key that cannot sign: use an RSA, EC"),
    ],
)
def test_what_is_no_key_is_told_in_a_sentence(text, sentence):
    """Whatever was given instead, with the mend; never with a piece of it."""
    with pytest.raises(UnusableKey, match=sentence) as error:
        read_key(text)
    assert "hunter2" not in str(error.value)
    assert error.value.__cause__ is None


def test_a_key_has_words():
    """Its kind is told, nothing else."""
    said = [keys.said(keys.load(read_key(text).pem)) for text in (RSA, EC, ED25519)]
    assert said == [
        "an RSA key of 2,048 bits", "an EC key on the curve secp256r1", "an Edwards-curve key"
    ]  # fmt: skip


def test_a_certificate_has_an_end_and_a_key():
    """One that is read tells when it ends, and whose it is; a chain keeps its order."""
    one, other = certificate(ec_key(), days=3), certificate(ec_key(ec.SECP384R1))
    read = read_certificate((one + other).replace("\n", "\\n"))
    assert read == one + other
    left = keys.end_of(read) - datetime.now(UTC)
    assert timedelta(days=2.9) < left < timedelta(days=3)
    assert keys.belongs(read, read_key(EC).pem)
    assert not keys.belongs(other, read_key(EC).pem)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("hunter2", "is no certificate: give PEM that begins with"),
        (EC, "is no certificate"),
        ("x" * 40_000, "is longer than 32,768 characters, so it is no certificate"),
    ],
)
def test_what_is_no_certificate_is_told_in_a_sentence(text, sentence):
    """A key in its place, or anything else."""
    with pytest.raises(UnusableKey, match=sentence):
        read_certificate(text)

"""What is signed, verified by another library; and the vectors that RFCs publish."""

from __future__ import annotations

import hmac
import json
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from jwcrypto.common import base64url_decode
from jwcrypto.jwk import JWK
from jwcrypto.jwt import JWT

from refresher.rules.assertions import Signer, assertion, check, compact
from refresher.rules.connection import Secret
from refresher.rules.fillings import Stamp
from refresher.rules.keys import UnusableKey, read_key
from tests.proofs.samples import ED25519, RSA, certificate, ec_key, pem

EC = pem(ec_key())
NOW = Stamp(1_800_000_000.7, "an-id")
CLAIMS = {"iss": "me", "aud": "https://as.example"}
KEYS = {"RS256": RSA, "PS512": RSA, "ES256": EC, "EdDSA": ED25519}


def signer(text: str, algorithm: str | None = None, **more: Any) -> Signer:
    """Returns a signer with the private key in `text`."""
    return Signer(_read(text), algorithm, **more)


@cache
def _read(text: str) -> Secret:
    return read_key(text).pem  # which checks it whole, and takes its time


def verified(token: str, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns header and claims as another library reads them, the signature verified."""
    key = JWK.from_json(text) if text.startswith("{") else JWK.from_pem(text.encode())
    read = JWT(jwt=token, key=key, check_claims={}, algs=[*KEYS], expected_type="JWS")
    return json.loads(read.header), json.loads(read.claims)


def test_the_vector_of_rfc_7515() -> None:
    """Appendix A.2: RS256."""
    payload = b'{"iss":"joe",\r\n "exp":1300819380,\r\n "http://example.com/is_root":true}'
    assert compact(payload, signer(RSA, "RS256"), {}) == (
        "eyJhbGciOiJSUzI1NiJ9."
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5j"
        "ujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L"
        "07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEU"
        "ipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
    )


def test_the_vector_of_rfc_8037() -> None:
    """Appendix A.4: Ed25519."""
    assert compact(b"Example of Ed25519 signing", signer(ED25519), {}) == (
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvM"
        "g3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    )


@pytest.mark.parametrize("algorithm", KEYS)
def test_an_assertion_is_read_by_others(monkeypatch, algorithm: str) -> None:
    """The claims, when it was made and ends (RFC 7523 section 3), and the key's name."""
    monkeypatch.setattr("time.time", lambda: NOW.now_epoch_seconds)
    made = assertion(CLAIMS, signer(KEYS[algorithm], algorithm, key_id="k1"), NOW, 300)
    header, claims = verified(made.reveal(), KEYS[algorithm])
    assert header == {"typ": "JWT", "alg": algorithm, "kid": "k1"}
    assert claims == {**CLAIMS, "iat": 1_799_999_970, "exp": 1_800_000_270, "jti": "an-id"}
    assert repr(made) == "Secret(***)"


@pytest.mark.parametrize("secret", ["short", "a-secret-of-more-than-thirty-two-characters"])
def test_a_shared_secret_signs_whatever_its_length(secret: str) -> None:
    """RFC 7518 asks for 32 bytes; who made the secret is the provider, and there is no other."""
    made = assertion(CLAIMS, Signer(Secret(secret), "HS256"), NOW, 60).reveal()
    signed, _, signature = made.rpartition(".")
    assert _header(signed) == {"typ": "JWT", "alg": "HS256"}
    expected = hmac.digest(secret.encode(), signed.encode(), "sha256")
    assert base64url_decode(signature) == expected


def test_the_fingerprint_of_a_certificate_is_in_the_header() -> None:
    """RFC 7515 section 4.1.8; one that is another key's tells nothing."""
    own, foreign = certificate(ec_key()), certificate(ec_key(ec.SECP384R1))
    header = _header(compact(b"{}", signer(EC, certificate=own), {}))
    expected = x509.load_pem_x509_certificate(own.encode()).fingerprint(hashes.SHA256())
    assert base64url_decode(header["x5t#S256"]) == expected
    assert _header(compact(b"{}", signer(EC, certificate=foreign), {})) == {"alg": "ES256"}


def _header(token: str) -> dict[str, str]:
    read: dict[str, str] = json.loads(base64url_decode(token.partition(".")[0]))
    return read


@pytest.mark.parametrize(
    ("text", "algorithm", "sentence"),
    [
        (EC, "RS256", "signing_algorithm is RS256, but the app's private key is an EC key on"),
        (EC, "RS256", "the curve secp256r1, which signs with ES256"),
        (RSA, "ES256", "is an RSA key of 2,048 bits, which signs with RS256"),
        (ED25519, "ES384", "is an Edwards-curve key, which signs with EdDSA"),
    ],
)
def test_a_key_of_another_kind_is_one_sentence(text, algorithm, sentence) -> None:
    """The algorithm that is asked for must be one of the key's."""
    with pytest.raises(UnusableKey, match=sentence):
        check(signer(text, algorithm))
    check(signer(text))

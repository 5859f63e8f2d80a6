"""Who consented, as the provider tells it: id_token, key set, and what userinfo answers."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric import rsa

from refresher.devkit.oauth_server.consent.options import IdToken

_KEY_ID = "fake-1"
_LIFE_SECONDS = 3600


def profile(account: str) -> dict[str, object]:
    """Returns what is told of an account: an address is not what it is known by."""
    email = account if "@" in account else f"{account}@fake.example"
    return {"sub": account, "email": email, "email_verified": True, "name": account.title()}


def signed_claims(told: Mapping[str, object], nonce: str, now: float, style: IdToken) -> str | None:
    """Returns a signed id_token (OpenID Connect Core section 2), wrong where `style` says so."""
    claims: dict[str, Any] = {**told, "iat": int(now), "exp": int(now) + _LIFE_SECONDS}
    claims |= {"nonce": nonce} if nonce else {}
    match style:
        case "none":
            return None
        case "no_nonce":
            claims.pop("nonce", None)
        case "wrong_nonce":
            claims["nonce"] = "another"
        case "wrong_audience":
            claims["aud"] = "another-client"
        case "wrong_issuer":
            claims["iss"] = "https://another.example"
        case "expired":
            claims |= {"iat": int(now) - 2 * _LIFE_SECONDS, "exp": int(now) - _LIFE_SECONDS}
        case _:
            pass
    if style == "unsigned":
        return jwt.encode(claims, "", algorithm="none")
    key = _key("another" if style == "wrong_key" else "own")
    return jwt.encode(claims, key, algorithm="RS256", headers={"kid": _KEY_ID})


def key_set() -> Mapping[str, object]:
    """Returns the public key of id_tokens (RFC 7517)."""
    public: dict[str, Any] = orjson.loads(
        jwt.algorithms.RSAAlgorithm.to_jwk(_key("own").public_key())
    )
    return {"keys": [public | {"kid": _KEY_ID, "use": "sig", "alg": "RS256"}]}


@cache
def _key(_whose: str) -> rsa.RSAPrivateKey:
    # A quarter of a second the first time: only who asks for an id_token waits for it.
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)

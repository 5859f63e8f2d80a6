"""Reads the assertions of a request as an entry says that they are made, and verifies them.

It knows nothing of the code that signs: a claim too many, a life too long or another key is found out.
"""

import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from refresher.devkit.oauth_server.entry.places import NotAsWritten, read_template
from refresher.devkit.oauth_server.state import ProviderState
from refresher.devkit.oauth_server.tokens import Denied
from refresher.rules.providers import SIGNING_CLIENT, SIGNING_GRANT, ClientAuth, Provider

CLIENT_JWT = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_TIMES = {"iat", "exp", "jti"}
_HASHES = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}
_UNJUDGED: Any = {"verify_signature": False, "verify_exp": False, "verify_iat": False}


@dataclass(frozen=True, slots=True)
class _Expected:
    """One assertion of a request: where its text was found, and the claims that it must have."""

    name: str
    claims: Mapping[str, str]
    shared: bool


def client_parameters(entry: Provider) -> dict[str, str]:
    """Returns the parameters in which an app that signs stands, its id excepted."""
    name_of = entry.parameter_names.get
    if entry.client_auth is ClientAuth.SIGNED_SECRET:
        return {name_of("client_secret", "client_secret"): "{client_assertion}"}
    return {
        name_of("client_assertion_type", "client_assertion_type"): CLIENT_JWT,
        name_of("client_assertion", "client_assertion"): "{client_assertion}",
    }


def read_assertions(entry: Provider, values: Mapping[str, str]) -> dict[str, str]:
    """Returns what the claims say: the app, and the placeholders in them. Raises `NotAsWritten`."""
    found: dict[str, str] = {}
    for expected in _expected(entry, values):
        for name, value in _claims(entry, values[expected.name], expected):
            if {**values, **found}.get(name, value) != value:
                raise NotAsWritten(f"{expected.name} has another value of {{{name}}}")
            found[name] = value
    return found


def check_assertions(
    entry: Provider, values: Mapping[str, str], state: ProviderState, now: float
) -> Denied | None:
    """Returns the refusal of an assertion that another key signed, that is over, or came before."""
    for expected in _expected(entry, values):
        text, client_id = values[expected.name], values.get("client_id", "")
        said = jwt.decode(text, options=_UNJUDGED)
        if not _is_signed(text, state.clients if expected.shared else state.keys, client_id):
            return Denied("invalid_client", "another key has signed it")
        if not said["iat"] <= now < said["exp"]:
            return Denied("invalid_grant", "the assertion is not good now")
        if said["jti"] in state.assertions_seen:
            return Denied("invalid_grant", "the assertion has come before")
        state.assertions_seen.add(said["jti"])
    return None


def _expected(entry: Provider, values: Mapping[str, str]) -> Iterator[_Expected]:
    audience = entry.assertion_audience or entry.refresh_url or entry.token_url
    own = {"iss": "{client_id}", "sub": "{client_id}", "aud": audience}
    if entry.client_auth in SIGNING_CLIENT and "client_assertion" in values:
        shared = entry.client_auth is ClientAuth.CLIENT_SECRET_JWT
        yield _Expected("client_assertion", own | dict(entry.client_assertion), shared)
    if entry.strategy in SIGNING_GRANT and "assertion" in values:
        del own["sub"]
        yield _Expected("assertion", own | dict(entry.assertion), shared=False)


def _claims(entry: Provider, text: str, expected: _Expected) -> Iterator[tuple[str, str]]:
    header, said = _decoded(text)
    wanted = {name: template for name, template in expected.claims.items() if template}
    _check_header(entry, header, shared=expected.shared)
    if strange := (said.keys() ^ wanted.keys()) - _TIMES:
        raise NotAsWritten(f"the claim {min(strange)} is not as in the entry: there, or missing")
    if not said.keys() >= _TIMES or said["exp"] - said["iat"] != entry.assertion_seconds:
        raise NotAsWritten(
            f"an assertion is good for {entry.assertion_seconds:g} s, not for others"
        )
    for name, template in wanted.items():
        yield from read_template(entry, template, said[name], f"the claim {name}").items()


def _check_header(entry: Provider, header: Mapping[str, Any], *, shared: bool) -> None:
    algorithm = entry.signing_algorithm
    if shared and algorithm not in _HASHES:
        algorithm = "HS256"
    if algorithm is not None and header["alg"] != algorithm:
        raise NotAsWritten(f"the algorithm is {header['alg']}, and the entry says {algorithm}")
    if entry.needs_key_id and not shared and "kid" not in header:
        raise NotAsWritten("the assertion does not name its key")


def _decoded(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        return jwt.get_unverified_header(text), jwt.decode(text, options=_UNJUDGED)
    except jwt.PyJWTError:
        raise NotAsWritten("there is no JWT where the entry says that one is") from None


def _is_signed(text: str, keys: Mapping[str, str], client_id: str) -> bool:
    algorithm = jwt.get_unverified_header(text)["alg"]
    key = keys.get(client_id, "")
    if algorithm in _HASHES:  # PyJWT warns of short secrets
        signed, _, signature = text.rpartition(".")
        made = hmac.digest(key.encode(), signed.encode(), _HASHES[algorithm])
        return hmac.compare_digest(made, jwt.utils.base64url_decode(signature))
    judged: Any = {**_UNJUDGED, "verify_signature": True, "verify_aud": False}
    try:
        jwt.decode(text, key, [algorithm], options=judged)
    except (jwt.PyJWTError, ValueError):
        return False
    return True

"""Tells which account a consent is of, and whether what tells it may be believed.

Pure. An account is the provider's own stable id of whoever consented, with the host before it where
each host has ids of its own; a label is what people call it. Sources: OpenID Connect Core 1.0, section
3.1.3.7; for what a callback's signature covers "Authenticate a standalone app", shopify.dev.
"""

from __future__ import annotations

import hmac
import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from enum import Enum
from urllib.parse import urlencode, urlsplit

from refresher.rules.bodies import at
from refresher.rules.connect import is_of
from refresher.rules.connection import Secret, value
from refresher.rules.consent import Consent, Place
from refresher.rules.intake_fields import MAX_TEXT_LENGTH
from refresher.rules.placeholders import HOST, PLACEHOLDER, PLAIN_HOST, PLAIN_WORD
from refresher.rules.providers import Provider

CLOCK_SKEW_SECONDS = 120.0
Pairs = Sequence[tuple[str, str]]
"""A callback's parameters, decoded, in their order."""


@value
class Account:
    """Who consented: the provider's id, which is stored and compared, and what people call it."""

    id: str
    label: str | None = None


class Unasked(Enum):
    """What is to be done before an account can be told."""

    USERINFO = "userinfo"


def account_in(
    provider: Provider, told: Mapping[Place, object], host: str | None
) -> Account | Unasked | None:
    """Returns whose account it is: the first place of the entry's that tells counts (C20).

    None where none does; `Unasked` where the next one is userinfo, and nobody has asked there.
    """
    if provider.connect is None:
        return None
    identity = provider.connect.identity
    for place in identity.found_in:
        if place == "userinfo" and place not in told:
            return Unasked.USERINFO
        source = told.get(place)
        parts = [_part(at(source, path)) for path in identity.paths]
        found = "/".join(part for part in parts if part is not None)
        if None in parts or len(found) > MAX_TEXT_LENGTH:
            continue
        label = _part(at(source, identity.label_path)) if identity.label_path else None
        return Account(_qualified(provider, place, found, host), label)
    return None


def _part(found: object) -> str | None:
    """Returns an id as text; a number may have more digits than others' readers of JSON keep."""
    if isinstance(found, bool) or not isinstance(found, str | int):
        return None
    text = str(found).strip()
    return text if text and text.isprintable() and len(text) <= MAX_TEXT_LENGTH else None


def _qualified(provider: Provider, place: Place, found: str, host: str | None) -> str:
    """Returns the id with the host before it, where the same id is somebody else's at another host."""
    assert provider.connect is not None
    consent = provider.connect
    url = {
        "userinfo": consent.identity.url or provider.identity_url,
        "id_token": consent.issuer or provider.issuer,
    }.get(place)
    host = host or provider.default_host
    return f"{host}/{found}" if host and f"{{{HOST}}}" in (url or "") else found


def claims_of(token: object) -> Mapping[str, object] | None:
    """Returns what an id_token says, unverified; None for what is none."""
    parts = token.split(".") if isinstance(token, str) else []
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None


def issuer_of(provider: Provider, claims: Mapping[str, object], host: str | None) -> str | None:
    """Returns the issuer that an id_token must name, a claim of its own filled in; None: unknown.

    Microsoft has one issuer for each tenant: `https://login.microsoftonline.com/{tid}/v2.0`.
    """
    template = (provider.connect.issuer if provider.connect else None) or provider.issuer
    if template is None or "{" not in template:
        return template

    def filled(found: re.Match[str]) -> str:
        told = (host or provider.default_host) if found[1] == HOST else claims.get(found[1])
        fits = PLAIN_HOST if found[1] == HOST else PLAIN_WORD
        return told if isinstance(told, str) and fits.fullmatch(told) else "?"

    return PLACEHOLDER.sub(filled, template)


@value
class Expected:
    """What an id_token must fit: our app, its issuer where one is known, the nonce of its attempt.

    `nonce_must`: one without a nonce is refused, for nothing else ties the answer to the attempt.
    """

    client_id: str
    issuer: str | None
    nonce_hash: bytes | None
    nonce_must: bool


def claims_fault(
    claims: Mapping[str, object], expected: Expected, now_epoch_seconds: float
) -> str | None:
    """Returns why an id_token is none for this attempt; None: it is (OpenID Connect Core 3.1.3.7)."""
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if expected.client_id not in audiences:
        return "the id_token is for another app"
    if len(audiences) > 1 and claims.get("azp") not in {None, expected.client_id}:
        return "the id_token was given to another app"
    if expected.issuer is not None and claims.get("iss") != expected.issuer:
        return f"the id_token is of another issuer than {expected.issuer}"
    return _end_fault(claims.get("exp"), now_epoch_seconds) or _nonce_fault(claims, expected)


def callback_fault(
    consent: Consent, claims: Mapping[str, object], callback: Mapping[str, str]
) -> str | None:
    """Returns why a callback is not that of an id_token; None: the claims that there are confirm it.

    A callback passes through the browser, whose owner may put another account into it.
    """
    for name, claim in consent.callback_claims.items():
        if claim in claims and str(claims[claim]) != callback.get(name):
            return f"{name} of the callback is another than {claim} of the id_token"
    return None


def _end_fault(ends: object, now_epoch_seconds: float) -> str | None:
    if isinstance(ends, bool) or not isinstance(ends, int | float):
        return "the id_token has no end"
    over = ends + CLOCK_SKEW_SECONDS < now_epoch_seconds
    return "the id_token has expired" if over else None


def _nonce_fault(claims: Mapping[str, object], expected: Expected) -> str | None:
    nonce = claims.get("nonce")
    if expected.nonce_hash is None:
        return None
    if nonce is None:
        return "the id_token has no nonce" if expected.nonce_must else None
    of_ours = is_of(str(nonce), expected.nonce_hash)
    return None if of_ours else "the id_token has the nonce of another attempt"


def told_host(provider: Provider, text: object) -> str | None:
    """Returns the host that a callback or an answer names, alone or in a URL; None: none of its own.

    It must match the entry's pattern whole before a code or a token goes there (C24).
    """
    if not isinstance(text, str) or provider.host_pattern is None:
        return None
    host = text
    if "://" in text:
        try:
            parts = urlsplit(text)
        except ValueError:
            return None
        if parts.scheme not in {"https", "http"} or parts.path not in {"", "/"} or parts.query:
            return None
        host = parts.netloc
    fits = PLAIN_HOST.fullmatch(host) and re.fullmatch(provider.host_pattern, host)
    return host if fits else None


def is_signed(pairs: Pairs, field: str, secret: Secret) -> bool:
    """Whether the callback's field is the HMAC-SHA256 of all others in their order, in hex.

    Libraries differ in whether values are encoded for it: either is proof, for both need the secret.
    """
    given = next((text for name, text in pairs if name == field), "")
    others = sorted((n, text) for n, text in pairs if n not in {field, "signature"})
    messages = ("&".join(f"{n}={text}" for n, text in others), urlencode(others))
    key = secret.reveal().encode()
    made = [hmac.digest(key, message.encode(), "sha256").hex() for message in messages]
    # Bytes: a text with other letters than ASCII cannot be compared in constant time.
    return any(hmac.compare_digest(one.encode(), given.encode()) for one in made)

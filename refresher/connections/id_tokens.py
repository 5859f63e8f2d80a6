"""Reads an answer's id_token, and believes it only if it is for us, of its issuer, of this attempt.

What its claims must fit: `rules/accounts.py`. Its signature is checked where the entry names keys;
else it came straight from the token endpoint over TLS, which is proof enough (OpenID Connect Core 1.0
section 3.1.3.7, number 6).
"""

from __future__ import annotations

from collections.abc import Mapping

import jwt

from refresher.outbound.key_sets import ALGORITHMS, KeySets
from refresher.rules.accounts import (
    Expected,
    callback_fault,
    claims_fault,
    claims_of,
    issuer_of,
)
from refresher.rules.authorize import Party, uses_nonce, uses_pkce
from refresher.rules.connect import Problem, Trouble
from refresher.rules.held import Held


def believed(
    party: Party, held: Held, token: object, keys: KeySets, now_epoch_seconds: float
) -> Mapping[str, object] | Trouble | None:
    """Returns what an id_token says, None where there is none, or why it is not believed.

    Raises `KeysWanted` where the issuer's keys are to be fetched first, `KeysUnavailable` where they
    cannot be had now.
    """
    claims = claims_of(token)
    if claims is None:
        return None
    provider = party.provider
    expected = Expected(
        client_id=party.client.client_id,
        issuer=issuer_of(provider, claims, held.host),
        nonce_hash=held.nonce_hash if uses_nonce(provider, held.asked) else None,
        nonce_must=not uses_pkce(provider),
    )
    fault = claims_fault(claims, expected, now_epoch_seconds)
    if fault is None and party.consent.jwks_url is not None:
        fault = _signature_fault(str(token), party.url(party.consent.jwks_url), keys)
    if fault is None:
        fault = callback_fault(party.consent, claims, held.callback)
    if fault is None:
        return claims
    name = provider.known_as
    return Trouble(Problem.ACCOUNT_UNKNOWN, f"{name} told whose account it is, but {fault}")


def _signature_fault(token: str, url: str, keys: KeySets) -> str | None:
    try:
        key_id = jwt.get_unverified_header(token).get("kid")
        key = keys.key(url, key_id) if isinstance(key_id, str) else None
        if key is None:
            return "the id_token names no key of its issuer"
        jwt.PyJWS().decode(token, key, algorithms=ALGORITHMS)
    except jwt.PyJWTError as error:
        return f"the id_token is not signed by its issuer ({type(error).__name__})"
    return None

"""Whether what an entry says of assertions makes sense together, and whether an app can make them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from refresher.rules.proofs import Proofs
from refresher.rules.providers import SIGNING_CLIENT, SIGNING_GRANT, ClientAuth, Provider, Strategy

OURS = ("iat", "exp", "nbf", "jti")
"""Claims that no entry writes: each assertion has its own."""
_ANY = ("assertion_audience", "assertion_seconds", "signing_algorithm", "needs_key_id")
_DEFAULTS = {field.name: field.default for field in fields(Proofs)}


def proof_faults(provider: Provider) -> Iterator[str]:
    """Yields every contradiction about proofs, each as one sentence that begins with a field."""
    grant = provider.strategy in SIGNING_GRANT
    client = provider.client_auth in SIGNING_CLIENT
    if provider.assertion and not grant:
        yield (
            f'assertion is set, but strategy is "{provider.strategy}", which signs no grant: '
            'set strategy = "jwt_bearer", or mean client_assertion'
        )
    if provider.client_assertion and not client:
        yield (
            f'client_assertion is set, but client_auth is "{provider.client_auth}", which signs '
            'nothing: set client_auth = "private_key_jwt"'
        )
    if not (grant or client):
        for field in _ANY:
            if getattr(provider, field) != _DEFAULTS[field]:
                yield f"{field} is set, but neither strategy nor client_auth signs an assertion"
    for field in ("assertion", "client_assertion"):
        for name in OURS:
            if name in getattr(provider, field):
                yield f"{field} must not hold {name}: each has its own (see assertion_seconds)"
    yield from _algorithm_faults(provider, grant=grant, client=client)
    if provider.strategy is Strategy.GITHUB_APP and provider.client_auth is not ClientAuth.NONE:
        yield (
            f'client_auth is "{provider.client_auth}", but github_app proves itself by its JWT: '
            'set client_auth = "none"'
        )


def _algorithm_faults(provider: Provider, *, grant: bool, client: bool) -> Iterator[str]:
    algorithm = provider.signing_algorithm
    if algorithm is None or not (grant or client):
        return
    shared = provider.client_auth is ClientAuth.CLIENT_SECRET_JWT
    if algorithm.startswith("HS") and not shared:
        yield f'signing_algorithm is "{algorithm}", but what signs is the app\'s private key'
    elif not algorithm.startswith("HS") and shared and not grant:
        yield f'signing_algorithm is "{algorithm}", but the client secret signs: set "HS256"'

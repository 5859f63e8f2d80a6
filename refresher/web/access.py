"""Who asks: the API key of a request, its scope, its organization and its rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from refresher.rules.access import ApiKey, Refusal, Scope, presented
from refresher.web.problems import Problem
from refresher.web.state import State

CHALLENGE = b"www-authenticate"
REALM = 'Bearer realm="refresher"'
STRANGER = "unknown"
"""In the audit: whoever shows no key, or one that is none. All of them share a line."""
HOW = "send the header `Authorization: Bearer rfr_…`; `refresher keys create` makes a key"


async def authorize(state: State, needed: Scope | None, headers: Mapping[bytes, bytes]) -> ApiKey:
    """Returns the key of the request; raises 401, 403 or 429. Admin works on what everybody shares."""
    key = await authenticate(state, headers)
    if needed is not None and needed not in key.scopes:
        note_forbidden(state, key, f"needs {needed}")
        raise _forbidden(needed, f'this needs the scope "{needed}", which the key lacks')
    if needed is Scope.ADMIN and key.organization_id is not None:
        note_forbidden(state, key, "needs a key for all organizations")
        raise _forbidden(needed, "this needs a key for all organizations")
    wait = state.wait_seconds(key)
    if wait > 0:
        sentence = "this key sends more requests than REFRESHER_API_REQUESTS_PER_SECOND allows"
        raise Problem("rate_limited", sentence, retry_after_seconds=wait)
    return key


async def authenticate(state: State, headers: Mapping[bytes, bytes]) -> ApiKey:
    """Returns the key that a request shows; raises 401. Asks Postgres at most once a second a key."""
    given = headers.get(b"authorization")
    if given is None:
        _note_stranger(state, "no key")
        raise _unauthorized(f"no API key was sent: {HOW}")
    scheme, _, text = given.decode("latin-1").partition(" ")
    shown = presented(text.strip()) if scheme.lower() == "bearer" else None
    if shown is None:
        _note_stranger(state, "no key")
        raise _unauthorized(f"what was sent is no API key: {HOW}", invalid=True)
    verdict = state.lookups.remembered(shown) or await state.lookups.verdict(shown)
    if isinstance(verdict, Refusal):
        known = state.lookups.keyring.knows(shown.id)
        _note_stranger(state, verdict, shown.id if known else STRANGER)
    match verdict:
        case ApiKey():
            return verdict
        case Refusal.UNKNOWN:
            raise _unauthorized("this API key is not known", invalid=True)
        case Refusal.EXPIRED:
            raise _unauthorized("this API key has expired", invalid=True)
        case Refusal.REVOKED:
            raise _unauthorized("this API key is revoked", invalid=True)
        case _:
            assert_never(verdict)


def note_forbidden(state: State, key: ApiKey, why: str) -> None:
    """Counts a refusal for the audit."""
    state.refusals.note(key.id, key.organization_id, subject=f"403 {why}")


def _note_stranger(state: State, why: str, key_id: str = STRANGER) -> None:
    state.refusals.note(key_id, None, subject=f"401 {why}")


def _unauthorized(sentence: str, *, invalid: bool = False) -> Problem:
    challenge = REALM + (', error="invalid_token"' if invalid else "")
    return Problem("unauthorized", sentence, headers=[(CHALLENGE, challenge.encode())])


def _forbidden(scope: str, sentence: str) -> Problem:
    challenge = f'{REALM}, error="insufficient_scope", scope="{scope}"'
    return Problem("scope_missing", sentence, headers=[(CHALLENGE, challenge.encode())])

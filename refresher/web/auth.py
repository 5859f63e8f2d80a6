"""Who asks: the API key of a request, its scope, its organization and its rate.

Keys are looked up beside everything else: known ones on threads of their own, strangers few at a time.
So no request with a key that works waits behind a handler, nor behind somebody who tries keys. There is
no limit for each address: behind a proxy all of them come from one, and it would hit those who do no
harm.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, assert_never

from refresher.connections.api_keys import Keyring, KnownKey
from refresher.rules.access import ApiKey, Presented, Refusal, Scope, presented
from refresher.rules.limits import Allowance
from refresher.store.session import Database
from refresher.web.problems import RETRY_SECONDS, Problem

if TYPE_CHECKING:  # it has the look-ups
    from refresher.web.state import Shared

CHALLENGE = b"www-authenticate"
REALM = 'Bearer realm="refresher"'
STRANGER = "unknown"
"""In the audit: whoever shows no key, or one that is none. All of them share a line."""
HOW = "send the header `Authorization: Bearer rfr_…`; `refresher keys create` makes a key"
KNOWN_THREADS = 2
"""A millisecond each, and a known key is asked for about once a second."""
STRANGERS_PER_SECOND = 200.0
"""How many keys that no one has shown here before are looked up; one that is a key does not count."""


async def authorize(state: Shared, needed: Scope | None, headers: Mapping[bytes, bytes]) -> ApiKey:
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


async def authenticate(state: Shared, headers: Mapping[bytes, bytes]) -> ApiKey:
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


def note_forbidden(state: Shared, key: ApiKey, why: str) -> None:
    """Counts a refusal for the audit."""
    state.refusals.note(key.id, key.organization_id, subject=f"403 {why}")


def _note_stranger(state: Shared, why: str, key_id: str = STRANGER) -> None:
    state.refusals.note(key_id, None, subject=f"401 {why}")


def _unauthorized(sentence: str, *, invalid: bool = False) -> Problem:
    challenge = REALM + (', error="invalid_token"' if invalid else "")
    return Problem("unauthorized", sentence, headers=[(CHALLENGE, challenge.encode())])


def _forbidden(scope: str, sentence: str) -> Problem:
    challenge = f'{REALM}, error="insufficient_scope", scope="{scope}"'
    return Problem("scope_missing", sentence, headers=[(CHALLENGE, challenge.encode())])


class Lookups:
    """The keys that this process knows, and the threads that ask Postgres. For one event loop."""

    def __init__(self, database: Database) -> None:
        self.keyring = Keyring(database)
        self._known = ThreadPoolExecutor(KNOWN_THREADS, thread_name_prefix="keys")
        self._strangers = ThreadPoolExecutor(1, thread_name_prefix="strangers")
        rate = STRANGERS_PER_SECOND
        self._allowance = Allowance(rate, rate, time.monotonic())
        self._under_way: dict[str, asyncio.Task[KnownKey]] = {}

    async def verdict(self, shown: Presented) -> ApiKey | Refusal:
        """Returns the key, or why it is none; raises 429 where too many strangers try.

        Asks Postgres at most once a second for a key, however many show it.
        """
        verdict = self.remembered(shown)
        if verdict is None:
            return self.keyring.judged(await asyncio.shield(self._look_up(shown)), shown)
        return verdict

    def remembered(self, shown: Presented) -> ApiKey | Refusal | None:
        """Returns what is known without waiting; None where `verdict` must be awaited."""
        verdict = self.keyring.remembered(shown)
        if verdict is not None and self.keyring.is_ageing(shown.id):
            self._look_up(shown)  # beside the requests that use it: nobody who is known waits
        return verdict

    def close(self) -> None:
        """Ends the threads."""
        self._known.shutdown()
        self._strangers.shutdown()

    def _look_up(self, shown: Presented) -> asyncio.Task[KnownKey]:
        """Returns the look-up of this id that is under way, or begins one."""
        task = self._under_way.get(shown.id)
        if task is None:
            work = self._again(shown) if self.keyring.knows(shown.id) else self._try(shown)
            task = self._under_way[shown.id] = asyncio.get_running_loop().create_task(work)
            task.add_done_callback(lambda ended: self._end(shown.id, ended))
        return task

    def _end(self, key_id: str, task: asyncio.Task[KnownKey]) -> None:
        del self._under_way[key_id]
        if not task.cancelled():
            task.exception()  # who waits for it is told; nobody has to

    async def _again(self, shown: Presented) -> KnownKey:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._known, self.keyring.look_up, shown)

    async def _try(self, shown: Presented) -> KnownKey:
        wait = self._allowance.take(time.monotonic())
        if wait > 0:
            raise Problem(
                "rate_limited",
                "too many unknown API keys are being tried: try again",
                retry_after_seconds=max(wait, RETRY_SECONDS),
            )
        loop = asyncio.get_running_loop()
        seen = await loop.run_in_executor(self._strangers, self.keyring.look_up, shown)
        if seen.key is not None:
            self._allowance.give_back()
        return seen

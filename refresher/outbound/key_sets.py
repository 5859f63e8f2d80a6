"""Fetches a provider's public keys (JWKS, RFC 7517) and keeps them for an hour.

A key id that is not among them fetches them anew, at most once a minute: providers change keys without
a word, and nobody may make us ask for each made-up id.
"""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass

import jwt
import structlog

from refresher.outbound.egress import Egress
from refresher.outbound.sender import SendLimits, Wire
from refresher.rules.bodies import unpack

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
"""Signatures with a private key only: never "none", never a shared secret."""
KEEP_SECONDS = 3_600.0
ASK_AGAIN_SECONDS = 60.0
LIMITS = SendLimits(total_seconds=10.0, max_bytes=262_144, max_in_flight=1)
FAILED_SECONDS = 10.0
log = structlog.get_logger()


class KeysUnavailable(Exception):
    """The keys cannot be had now: nothing can be verified, and the sender should try again."""


class KeysWanted(Exception):
    """The keys at `url` must be fetched first, which takes as long as that server does."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url


@dataclass(frozen=True, slots=True)
class _Fetched:
    keys: dict[str, jwt.PyJWK]
    at: float


class KeySets:
    """Public keys by URL and key id. Safe to use from threads that run no event loop.

    `key` never waits, so that threads that serve may call it; `fetch` does, on a thread apart.
    """

    def __init__(self, egress: Egress) -> None:
        self._egress = egress
        self._lock = threading.Lock()
        self._asking: set[str] = set()
        self._fetched: dict[str, _Fetched] = {}
        self._failed_at: dict[str, float] = {}

    def key(self, url: str, key_id: str) -> jwt.PyJWK | None:
        """Returns a key, None where there is none of this id.

        Raises `KeysWanted` where they should be fetched first, `KeysUnavailable` where that is under
        way or failed just now.
        """
        known = self._fetched.get(url)
        age = time.monotonic() - known.at if known else KEEP_SECONDS
        stale = age >= KEEP_SECONDS
        wanted = stale or (known and key_id not in known.keys and age >= ASK_AGAIN_SECONDS)
        if wanted and self._may_ask(url):
            raise KeysWanted(url)
        if known is None or stale:
            raise KeysUnavailable(f"the keys at {url} are not there yet")
        return known.keys.get(key_id)

    def fetch(self, url: str) -> None:
        """Fetches the keys at this URL, unless another thread does; raises `KeysUnavailable`."""
        with self._lock:
            if not self._may_ask(url):
                return
            self._asking.add(url)
        try:
            self._fetched[url] = _Fetched(self._ask(url), time.monotonic())
        except KeysUnavailable as error:
            self._failed_at[url] = time.monotonic()
            log.warning("a signal cannot be verified", why=str(error))
            raise
        finally:
            self._asking.discard(url)

    def close(self) -> None:
        """Gives back the threads that look names up."""
        self._egress.close()

    def _may_ask(self, url: str) -> bool:
        """Whether nobody asks there now, nor did so just now: nobody waits in a line."""
        known = self._fetched.get(url)
        asked_at = [self._failed_at.get(url), known.at if known else None]
        soonest = time.monotonic() - FAILED_SECONDS
        return url not in self._asking and all(at is None or at <= soonest for at in asked_at)

    def _ask(self, url: str) -> dict[str, jwt.PyJWK]:
        try:
            found = jwt.PyJWKSet.from_json(asyncio.run(_fetch(self._egress, url)).decode())
        except (jwt.PyJWTError, ValueError) as error:
            raise KeysUnavailable(f"no keys from {url}: {error}") from None
        return {key.key_id: key for key in found.keys if key.key_id}


async def _fetch(egress: Egress, url: str) -> bytes:
    """Returns the body, within the limits of time and size; a redirect is an error."""
    from refresher.outbound.httpx_sender import HttpxSender  # noqa: PLC0415  seldom needed, and large

    sender = HttpxSender(LIMITS, egress)
    try:
        reply = await sender.send(Wire(None, url, {}, method="GET"))
    finally:
        await sender.close()
    if reply.status != 200 or reply.failure is not None:
        raise ValueError(reply.failure or f"status {reply.status}")
    unpacked = unpack(reply.body, reply.headers.get("content-encoding", ""))
    if unpacked.too_large or len(unpacked.body) > LIMITS.max_bytes:
        raise ValueError("too large")
    return unpacked.body

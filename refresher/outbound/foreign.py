"""Reads connections from other systems' APIs, page by page: Nango's and Composio's.

By the egress rules and within limits, like all that leaves. A 429 is waited out, a page that does not
come is asked for again, and what is no answer of that API ends it in a sentence without the key.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from refresher.errors import SourceUnreadable
from refresher.outbound.egress import Egress
from refresher.outbound.httpx_sender import HttpxSender
from refresher.outbound.sender import FORBIDDEN, JSON, SendLimits, Wire
from refresher.rules.answers import retry_after_seconds
from refresher.rules.connection import Reply, Secret

PAGE = 100
AT_ONCE = 8
TRIES = 4
LONGEST_WAIT_SECONDS = 120.0
LIMITS = SendLimits(total_seconds=60.0, max_bytes=33_554_432, max_in_flight=AT_ONCE)


class Api:
    """Asks one API; for a thread that runs no event loop. `close` when done."""

    def __init__(self, egress: Egress, base: str, headers: Mapping[str, str]) -> None:
        self._egress, self._base = egress, base.rstrip("/")
        self._headers = {"Accept": JSON, **headers}
        self._loop = asyncio.new_event_loop()
        self._sender = HttpxSender(LIMITS, egress)

    def close(self) -> None:
        """Closes its connections."""
        self._loop.run_until_complete(self._sender.close())
        self._loop.close()

    def get(self, path: str, **query: object) -> dict[str, Any]:
        """Returns one answer's object; raises `SourceUnreadable`."""
        return _object(self._loop.run_until_complete(self._asked(_with(path, query))))

    def get_all(self, paths: Sequence[str]) -> list[Reply]:
        """Returns the answers, asked for beside each other; only what has no answer raises."""

        async def all_of_them() -> list[Reply]:
            return list(await asyncio.gather(*(self._asked(path) for path in paths)))

        return self._loop.run_until_complete(all_of_them())

    async def _asked(self, path: str) -> Reply:
        reply = Reply()
        for attempt in range(TRIES):
            reply = await self._sender.send(
                Wire(None, self._base + path, self._headers, method="GET")
            )
            wait = _wait(reply, attempt)
            if wait is None:
                return reply
            await asyncio.sleep(wait)
        raise SourceUnreadable(f"{self._base} does not answer: {self._why(reply)}, {TRIES} times")

    def _why(self, reply: Reply) -> str:
        return reply.failure or f"status {reply.status}"


def _wait(reply: Reply, attempt: int) -> float | None:
    """Returns how long to wait before asking again, None where that is an answer to go on with."""
    if reply.failure == FORBIDDEN:
        raise SourceUnreadable(
            "the API's address is not one that requests may go to: "
            "REFRESHER_ALLOWED_PRIVATE_NETWORKS lets a private one be asked"
        )
    status = reply.status or 0
    if reply.failure is None and status != 429 and status < 500:
        return None
    told = retry_after_seconds(reply.headers, time.time())
    return min((2.0**attempt if told is None else told) + 0.1, LONGEST_WAIT_SECONDS)


def _with(path: str, query: Mapping[str, object]) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


def _object(reply: Reply) -> dict[str, Any]:
    if reply.status in {401, 403}:
        raise SourceUnreadable(f"the API refuses the key (status {reply.status})")
    try:
        found = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        found = None
    if reply.status != 200 or not isinstance(found, dict):
        what = "JSON" if isinstance(found, dict) else "no JSON object: is this the API's URL?"
        raise SourceUnreadable(f"the API answers with status {reply.status} and {what}")
    return found


def nango(egress: Egress, base: str, key: Secret) -> Iterator[bytes]:
    """Yields each connection with its credentials; Nango itself refreshes those that have ended."""
    api = Api(egress, base, {"Authorization": f"Bearer {key.reveal()}"})
    try:
        page = 0
        while listed := _listed(api.get("/connections", limit=PAGE, page=page), "connections"):
            for start in range(0, len(listed), AT_ONCE):
                some = listed[start : start + AT_ONCE]
                replies = api.get_all([_nango_path(one) for one in some])
                yield from map(_nango_row, some, replies)
            if len(listed) < PAGE:
                return
            page += 1
    finally:
        api.close()


def _nango_path(listed: Mapping[str, Any]) -> str:
    query = {"provider_config_key": listed.get("provider_config_key"), "refresh_token": "true"}
    return _with(f"/connection/{quote(str(listed.get('connection_id')), safe='')}", query)


def _nango_row(listed: dict[str, Any], reply: Reply) -> bytes:
    """Returns a connection as it came; one that Nango cannot give, with why."""
    if reply.status == 200:
        return bytes(reply.body)
    if reply.status in {401, 403}:
        _object(reply)
    try:
        told = orjson.loads(reply.body)["error"]["code"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        told = "no JSON"
    return orjson.dumps({**listed, "error": f"status {reply.status}, {told}"})


def composio(egress: Egress, base: str, key: Secret) -> Iterator[bytes]:
    """Yields each connected account, private and shared."""
    api = Api(egress, base, {"x-api-key": key.reveal()})
    try:
        cursor: object = None
        while True:
            query = {"limit": PAGE, "account_type": "ALL", "cursor": cursor}
            answer = api.get("/api/v3.1/connected_accounts", **query)
            yield from map(orjson.dumps, _listed(answer, "items"))
            before, cursor = cursor, answer.get("next_cursor")
            if not cursor or cursor == before:
                return
    finally:
        api.close()


def _listed(answer: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = answer.get(name)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise SourceUnreadable(f"the API's answer has no list of {name}: is this the API's URL?")
    return found

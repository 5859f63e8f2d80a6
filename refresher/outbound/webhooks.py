"""The only place that sends webhooks: a signed message in, an `Answer` out; a time-out is one too.

The same rules of where requests may go as for token endpoints (`outbound/egress.py`), no redirect is
followed, no cookie is kept, and of an answer's body only a little is read and thrown away. One event
loop a process; who calls stays synchronous and gets the answers as they arrive.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Generic, TypeVar

from refresher.outbound.egress import Egress
from refresher.outbound.loop import Arrivals, LoopThread
from refresher.rules.delivery import Answer

if TYPE_CHECKING:
    import httpx

K = TypeVar("K")
MOST_READ_BYTES = 16_384
"""Of an answer's body so much is read, so that the connection can be used again; no more."""
USER_AGENT = "refresher-webhooks"


@dataclass(frozen=True, slots=True)
class Message(Generic[K]):
    """One attempt, and the caller's key for it."""

    key: K
    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class SenderLimits:
    """Time limits of one attempt, in seconds, and how many may be under way in this process."""

    connect_seconds: float = 5.0
    total_seconds: float = 15.0
    max_in_flight: int = 200


class WebhookSender:
    """One event loop on a thread of its own, started at the first use (after any fork)."""

    def __init__(self, egress: Egress, limits: SenderLimits) -> None:
        self._egress, self._limits = egress, limits
        self._loop = LoopThread("webhooks", self._prepare, self._close_client)
        self._client: httpx.AsyncClient | None = None

    def stream(self, messages: Sequence[Message[K]]) -> Iterator[list[tuple[K, Answer]]]:
        """Sends all and yields their answers in groups, as they arrive: exactly one for each."""
        arrivals: Arrivals[tuple[K, Answer]] = Arrivals(len(messages))
        if not self._loop.call(self._launch, messages, arrivals):
            yield [(m.key, Answer(failure="not sent: this process is stopping")) for m in messages]
            return
        yield from arrivals.groups()

    def close(self) -> None:
        """Cancels what is still under way (its answers say so) and stops the loop, for good."""
        self._egress.close()
        self._loop.close()

    def _prepare(self) -> asyncio.AbstractEventLoop:
        self._client = _client(self._egress, self._limits)
        return asyncio.new_event_loop()

    async def _close_client(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    def _launch(self, messages: Sequence[Message[K]], arrivals: Arrivals[tuple[K, Answer]]) -> None:
        for message in messages:
            task = asyncio.get_running_loop().create_task(self._one(message))
            task.add_done_callback(partial(_arrive, arrivals, message.key))

    async def _one(self, message: Message[K]) -> Answer:
        started = time.monotonic()
        answer = await self._ask(message)
        return Answer(
            answer.status,
            answer.headers,
            answer.failure,
            answer.cut_off,
            time.monotonic() - started,
        )

    async def _ask(self, message: Message[K]) -> Answer:
        import httpx  # noqa: PLC0415  a slow import, and not before the fork

        limit = self._limits.total_seconds
        try:
            async with asyncio.timeout(limit):
                return await self._post(message)
        except (TimeoutError, httpx.TimeoutException):
            return Answer(failure=f"no answer within {limit:g} s")
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError):
            return Answer(failure="its URL cannot be used")
        except httpx.ConnectError as error:
            return Answer(failure=_unreached(error))
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            return Answer(failure=f"the connection broke ({type(error).__name__})")

    async def _post(self, message: Message[K]) -> Answer:
        assert self._client is not None
        request = self._client.build_request(
            "POST", message.url, content=message.body, headers=dict(message.headers)
        )
        response = await self._client.send(request, stream=True)
        try:
            read = 0
            async for chunk in response.aiter_raw():
                read += len(chunk)
                if read > MOST_READ_BYTES:
                    break
            return Answer(
                response.status_code, dict(response.headers), cut_off=read > MOST_READ_BYTES
            )
        finally:
            await response.aclose()


def _client(egress: Egress, limits: SenderLimits) -> httpx.AsyncClient:
    """Returns the client; raises `SettingsError` for proxies of the environment that are no URLs."""
    import httpx  # noqa: PLC0415  a slow import, and not before the fork

    from refresher.outbound.transport import Transport  # noqa: PLC0415  same

    pool = httpx.Limits(
        max_connections=limits.max_in_flight,
        max_keepalive_connections=limits.max_in_flight // 4 or 1,
        keepalive_expiry=30.0,
    )
    return httpx.AsyncClient(
        transport=Transport(egress, limits=pool),
        timeout=httpx.Timeout(limits.total_seconds, connect=limits.connect_seconds),
        follow_redirects=False,
        trust_env=False,  # the transport asks for proxies itself
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
    )


def _unreached(error: Exception) -> str:
    from refresher.outbound.transport import refusal_in  # noqa: PLC0415  see `_client`

    return refusal_in(error) or "no connection: name, route or TLS"


def _arrive(arrivals: Arrivals[tuple[K, Answer]], key: K, task: asyncio.Task[Answer]) -> None:
    arrivals.add((key, _answer_of(task)))


def _answer_of(task: asyncio.Task[Answer]) -> Answer:
    if task.cancelled():
        return Answer(failure="cut off: this process was stopping")
    error = task.exception()
    if error is not None:
        return Answer(failure=f"bug in the sender: {type(error).__name__}")
    return task.result()

"""Sends with httpx: the default, with proxies and custom CAs from the environment.

No cookies are kept (one connection's must never reach another's request), no redirect is followed (a
refresh token goes to the catalogue's URL and nowhere else), no more than the limit is read.
"""

from __future__ import annotations

import asyncio
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from refresher import points
from refresher.exchange import Limits
from refresher.rules.outcomes import Reply
from refresher.rules.providers import Body, TokenRequest

_NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
)


class HttpxSender:
    """One client with a pool of kept-alive connections."""

    def __init__(self, limits: Limits, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._limits = limits
        self._client = httpx.AsyncClient(
            transport=transport,
            timeout=httpx.Timeout(limits.total_seconds, connect=limits.connect_seconds),
            limits=httpx.Limits(
                max_connections=limits.max_in_flight,
                max_keepalive_connections=limits.max_in_flight,
                keepalive_expiry=30,
            ),
            follow_redirects=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            headers={"User-Agent": "refresher"},
        )

    async def send(self, request: TokenRequest) -> Reply:
        """Returns the reply within the total time; failures are named, without any URL or token."""
        try:
            async with asyncio.timeout(self._limits.total_seconds):
                return await self._send(request)
        except _NEVER_SENT as error:
            return Reply(failure=_name(error), sent=False)
        except (TimeoutError, httpx.TimeoutException):
            return Reply(failure="timeout")
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
            return Reply(failure=_name(error))

    async def close(self) -> None:
        """Closes the client's connections."""
        await self._client.aclose()

    async def _send(self, request: TokenRequest) -> Reply:
        async with self._client.stream(
            request.method,
            request.url,
            headers=dict(request.headers),
            extensions={"trace": _trace} if points.installed() else None,
            **_content(request),  # type: ignore[arg-type]
        ) as response:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > self._limits.max_bytes:
                    return Reply(failure="too_large")
            return Reply(response.status_code, dict(response.headers), bytes(body))


def _content(request: TokenRequest) -> dict[str, object]:
    match request.body:
        case Body.FORM:
            return {"data": dict(request.parameters)}
        case Body.JSON:
            return {"json": dict(request.parameters)}
        case Body.QUERY:
            return {"params": dict(request.parameters)}


async def _trace(event: str, _info: object) -> None:
    if event == "http11.send_request_body.complete":
        points.reach("sent")


def _name(error: Exception) -> str:
    return {"ConnectError": "connect", "ConnectTimeout": "connect_timeout"}.get(
        type(error).__name__, type(error).__name__
    )

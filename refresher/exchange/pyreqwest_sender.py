"""Sends with pyreqwest, a Rust HTTP client: some tens of times the speed of httpx (extra `fast`).

The same rules as `httpx_sender.py`: no cookies kept, no redirect followed, no more than the limit read.
Three differences. Roots of trust are the operating system's (SSL_CERT_FILE and SSL_CERT_DIR count in
both). The point `sent` is never reached: Rust does not say when a request has left, so tests that stop
a process there choose httpx. A request that is cancelled before its answer begins runs on until the
total limit; so time limits are the client's own, and only `Exchange.close`, at the end, cancels.
"""

from __future__ import annotations

from datetime import timedelta

import orjson
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import BuilderError, PyreqwestError
from pyreqwest.http import HeaderMap
from pyreqwest.proxy import ProxyBuilder
from pyreqwest.request import RequestBuilder, StreamRequest
from pyreqwest.response import Response

from refresher.errors import SettingsError
from refresher.exchange import sender as seam
from refresher.exchange.proxies import environment_proxies
from refresher.exchange.sender import Limits
from refresher.rules.outcomes import Reply
from refresher.rules.providers import Body, TokenRequest

_NEVER_CONNECTED = "client error (Connect)"
"""The one cause that proves that nothing has left.

The classes do not: `ConnectError` is also raised when a server hangs up without an answer, and
`ConnectTimeoutError` when it accepts and never answers. Should this text ever change, failures count
as sent, which costs a replay and never a token.
"""


class PyreqwestSender:
    """One client with a pool of kept-alive connections."""

    def __init__(self, limits: Limits) -> None:
        self._max_bytes = limits.max_bytes
        self._client = _client(limits)

    async def send(self, request: TokenRequest) -> Reply:
        """Returns the reply within the total time; failures are named, without any URL or token."""
        try:
            prepared = self._prepare(request)
        except ValueError:
            return Reply(failure=seam.UNSENDABLE, sent=False)
        try:
            async with prepared as response:
                return await self._read(response)
        except PyreqwestError as error:
            return _failed(error)

    async def close(self) -> None:
        """Closes the client's connections."""
        await self._client.close()

    def _prepare(self, request: TokenRequest) -> StreamRequest:
        builder = self._client.request(request.method, request.url)
        return _with_parameters(builder, request).headers(request.headers).build_streamed()

    async def _read(self, response: Response) -> Reply:
        body = bytearray()
        reader = response.body_reader
        while (chunk := await reader.read_chunk()) is not None:
            body += chunk
            if len(body) > self._max_bytes:
                return Reply(failure=seam.TOO_LARGE)
        return Reply(response.status, _headers(response.headers), bytes(body))


def _client(limits: Limits) -> Client:
    """Returns a client; raises `SenderUnusable` without roots of trust, `SettingsError` for a proxy."""
    builder = (
        ClientBuilder()
        .timeout(timedelta(seconds=limits.total_seconds))
        .connect_timeout(timedelta(seconds=limits.connect_seconds))
        .pool_idle_timeout(timedelta(seconds=seam.IDLE_SECONDS))
        .pool_max_idle_per_host(limits.max_in_flight)
        .default_cookie_store(enable=False)
        .follow_redirects(enable=False)
        .referer(enable=False)
        .user_agent(seam.USER_AGENT)
    )
    try:
        return _with_proxies(builder).build()
    except BuilderError as error:
        raise seam.SenderUnusable(
            f"pyreqwest cannot start ({_causes(error)[-1]}): install the system's ca-certificates, "
            "or point SSL_CERT_FILE to a bundle"
        ) from None


def _with_proxies(builder: ClientBuilder) -> ClientBuilder:
    """Adds the environment's proxies; pyreqwest's own look-up would pass over a broken one."""
    proxies = environment_proxies()
    if not proxies:
        return builder.no_proxy()
    makers = {"http": ProxyBuilder.http, "https": ProxyBuilder.https, "all": ProxyBuilder.all}
    for scheme, make in makers.items():
        if scheme in proxies:
            try:
                builder = builder.proxy(make(proxies[scheme]).no_proxy(proxies.get("no")))
            except (BuilderError, ValueError):
                raise SettingsError(f"{scheme.upper()}_PROXY names a proxy we cannot use") from None
    return builder


def _with_parameters(builder: RequestBuilder, request: TokenRequest) -> RequestBuilder:
    match request.body:
        case Body.FORM:
            return builder.form(request.parameters)
        case Body.JSON:
            if not any(name.lower() == "content-type" for name in request.headers):
                builder = builder.header("Content-Type", "application/json")
            return builder.body_bytes(orjson.dumps(dict(request.parameters)))
        case Body.QUERY:
            return builder.query(request.parameters)


def _headers(headers: HeaderMap) -> dict[str, str]:
    """Returns what can be read of them: an odd header must not cost us the tokens below it."""
    found: dict[str, str] = {}
    for name in headers:
        try:
            found[name] = ", ".join(headers.getall(name))
        except ValueError:
            continue
    return found


def _failed(error: PyreqwestError) -> Reply:
    timed_out = isinstance(error, TimeoutError)
    if isinstance(error, BuilderError):
        return Reply(failure=seam.UNSENDABLE, sent=False)
    if _NEVER_CONNECTED in _causes(error):
        return Reply(failure=seam.CONNECT_TIMEOUT if timed_out else seam.CONNECT, sent=False)
    return Reply(failure=seam.TIMEOUT if timed_out else seam.PROTOCOL)


def _causes(error: PyreqwestError) -> list[str]:
    """Returns the causes' texts, outermost first. Some hold the URL: never log the first of them."""
    details = getattr(error, "details", None) or {}
    return [cause["message"] for cause in details.get("causes") or ()] or [error.message]

"""Sends with pyreqwest, a Rust HTTP client: some tens of times the speed of httpx.

The same rules as `httpx_sender.py`: no cookies kept, no redirect followed, no more than the limit read.
Three differences. Roots of trust are the operating system's (SSL_CERT_FILE and SSL_CERT_DIR count in
both). The point `sent` is never reached: Rust does not say when a request has left, so tests that stop
a process there choose httpx. A request that is cancelled before its answer begins runs on until the
total limit; so time limits are the client's own, and only `Exchange.close`, at the end, cancels.

pyreqwest has no hook for looking names up, but a client can be told what a name means. So each name is
sent to with a client that holds the address which `egress.py` let through (`pinned_clients.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache, partial

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import BuilderError, PyreqwestError
from pyreqwest.http import Url
from pyreqwest.proxy import ProxyBuilder
from pyreqwest.request import StreamRequest
from pyreqwest.response import Response

from refresher.errors import EgressRefused, SettingsError
from refresher.outbound import sender as seam
from refresher.outbound.egress import Egress
from refresher.outbound.pinned_clients import Pin, Pins
from refresher.outbound.proxies import environment_proxies, proxy_for
from refresher.outbound.sender import SendLimits, Wire
from refresher.rules.outcomes import Reply
from refresher.rules.proving import ClientCertificate

MOST_TARGETS = 10_000
_NEVER_CONNECTED = "client error (Connect)"
"""The one cause that proves that nothing has left.

The classes do not: `ConnectError` is also raised when a server hangs up without an answer, and
`ConnectTimeoutError` when it accepts and never answers. Should this text ever change, failures count
as sent, which costs a replay and never a token.
"""


@dataclass(frozen=True, slots=True)
class _Target:
    """What a URL says of the way to its server; `name` is None for an address."""

    host: str
    name: str | None
    proxied: bool


class PyreqwestSender:
    """Clients with pools of kept-alive connections: one for addresses, one for proxies, and pins."""

    def __init__(
        self, limits: SendLimits, egress: Egress, certificate: ClientCertificate | None = None
    ) -> None:
        self._limits = limits
        self._egress = egress
        plain = partial(_plain, limits, certificate)
        self._straight = _build(plain().no_proxy())
        proxies = environment_proxies()
        self._proxied = _build(_with_proxies(plain(), proxies)) if proxies else None
        self._pins = Pins(egress, lambda pins: _build(_pinned(plain(), pins)))
        self._target = lru_cache(MOST_TARGETS)(lambda url: _target(url, proxies))

    async def send(self, wire: Wire) -> Reply:
        """Returns the reply within the total time; failures are named, without any URL or token."""
        try:
            target = self._target(wire.place)
        except ValueError:
            return Reply(failure=seam.UNSENDABLE, sent=False)
        if target.name is not None and not target.proxied:
            return await self._send_pinned(target.name, wire)
        if target.name is None and self._egress.known(target.host) is None:
            try:
                await self._egress.addresses(target.host)
            except EgressRefused:
                return Reply(failure=seam.FORBIDDEN, sent=False)
        proxied = self._proxied if target.proxied else None  # a proxy looks names up itself
        return await self._send_with(proxied or self._straight, wire)

    async def close(self) -> None:
        """Closes the clients' connections."""
        await self._pins.close()
        await self._straight.close()
        if self._proxied is not None:
            await self._proxied.close()

    async def _send_pinned(self, name: str, wire: Wire) -> Reply:
        """Sends to the address of `name`; to its next one when no connection to the first is had."""
        until = time.monotonic() + self._limits.total_seconds
        while True:
            found = self._pins.ready(name) or await self._find(name)
            if isinstance(found, Reply):
                return found
            left = until - time.monotonic()
            reply = await self._send_with(found.client, wire, left)
            if reply.sent or reply.failure == seam.UNSENDABLE or not self._pins.failed(found):
                return reply
            if until - time.monotonic() < self._limits.connect_seconds:
                return reply

    async def _find(self, name: str) -> Pin | Reply:
        try:
            async with asyncio.timeout(self._limits.connect_seconds):
                return await self._pins.get(name)
        except TimeoutError:
            failure = seam.CONNECT_TIMEOUT
        except EgressRefused:
            failure = seam.FORBIDDEN
        except seam.SenderUnusable:
            failure = seam.NO_SENDER
        except (OSError, UnicodeError):
            failure = seam.CONNECT
        return Reply(failure=failure, sent=False)

    async def _send_with(
        self, client: Client, wire: Wire, left_seconds: float | None = None
    ) -> Reply:
        body, arrived = b"", None
        try:
            async with _prepare(client, wire, left_seconds) as response:
                arrived = response
                while (chunk := await response.body_reader.read_chunk()) is not None:
                    body += bytes(chunk)
                    if len(body) > self._limits.max_bytes:
                        return self._limits.too_large(response.status, self._headers(response))
                return Reply(response.status, self._headers(response), body)
        except ValueError:
            return Reply(failure=seam.UNSENDABLE, sent=False)
        except PyreqwestError as error:
            failed = _failed(error)
            if arrived is None or not body:
                return failed
            return Reply(arrived.status, self._headers(arrived), body, failed.failure)

    def _headers(self, response: Response) -> dict[str, str]:
        """Returns those that are read: an odd header must not cost us the tokens below it."""
        found: dict[str, str] = {}
        for name in self._limits.read_headers:
            try:
                value = response.get_header(name)
            except ValueError:
                continue
            if value is not None:
                found[name] = value
        return found


def _target(url: str, proxies: Mapping[str, str]) -> _Target:
    """Returns the way to the server of `url`, read as pyreqwest reads it; raises `ValueError`."""
    parts = Url(url)
    host = (parts.host_str or "").strip("[]")
    proxy = proxy_for(proxies, parts.scheme, host, parts.port_or_known_default)
    return _Target(host, parts.domain, proxy is not None)


def _prepare(client: Client, wire: Wire, left_seconds: float | None) -> StreamRequest:
    builder = client.request(wire.method, wire.url).headers(wire.headers)
    if left_seconds is not None:
        builder = builder.timeout(timedelta(seconds=max(left_seconds, 0.001)))
    if wire.content is not None:
        builder = builder.body_bytes(wire.content)
    # What is read ahead is lost when the answer breaks off: so nothing is.
    return builder.streamed_read_buffer_limit(0).build_streamed()


def _plain(limits: SendLimits, certificate: ClientCertificate | None) -> ClientBuilder:
    own = ClientBuilder()
    return (
        (own if certificate is None else own.identity_pem(certificate.pem()))
        .timeout(timedelta(seconds=limits.total_seconds))
        .connect_timeout(timedelta(seconds=limits.connect_seconds))
        .pool_idle_timeout(timedelta(seconds=seam.IDLE_SECONDS))
        .pool_max_idle_per_host(limits.max_in_flight)
        .default_cookie_store(enable=False)
        .default_headers(seam.PLAIN)
        .gzip(enable=False)
        .brotli(enable=False)
        .zstd(enable=False)
        .deflate(enable=False)
        .follow_redirects(enable=False)
        .referer(enable=False)
        .user_agent(limits.user_agent)
    )


def _pinned(plain: ClientBuilder, pins: Mapping[str, str]) -> ClientBuilder:
    builder = plain.no_proxy()
    for name, address in pins.items():
        builder = builder.resolve(name, address, 0)  # 0: the URL's own port
    return builder


def _build(builder: ClientBuilder) -> Client:
    """Returns the client; raises `SenderUnusable` without roots of trust."""
    try:
        return builder.build()
    except BuilderError as error:
        raise seam.SenderUnusable(
            f"pyreqwest cannot start ({_causes(error)[-1]}): install the system's ca-certificates, "
            "or point SSL_CERT_FILE to a bundle"
        ) from None


def _with_proxies(builder: ClientBuilder, proxies: Mapping[str, str]) -> ClientBuilder:
    """Adds the environment's proxies; which request needs one, `proxy_for` says."""
    makers = {"http": ProxyBuilder.http, "https": ProxyBuilder.https, "all": ProxyBuilder.all}
    for scheme, make in makers.items():
        if scheme in proxies:
            try:
                builder = builder.proxy(make(proxies[scheme]))
            except (BuilderError, ValueError):
                raise SettingsError(f"{scheme.upper()}_PROXY names a proxy we cannot use") from None
    return builder


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

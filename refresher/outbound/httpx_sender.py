"""Sends with httpx: always there, and the one that can tell when a request has left.

No cookies are kept (one connection's must never reach another's request), no redirect is followed (a
refresh token goes to the catalogue's URL and nowhere else), no more than the limit is read, and only
addresses that `egress.py` lets through are connected to. Proxies and custom CAs come from the
environment. The fast twin: `pyreqwest_sender.py`.
"""

from __future__ import annotations

import asyncio
import ssl
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from refresher.errors import SettingsError
from refresher.outbound import sender as seam
from refresher.outbound.certified import as_file
from refresher.outbound.egress import Egress
from refresher.outbound.sender import SendLimits, Watcher, Wire
from refresher.outbound.transport import Transport, refusal_in
from refresher.rules.outcomes import Reply
from refresher.rules.proving import ClientCertificate

PER_CLIENT = 5
IDLE_PER_CLIENT = 10
_NEVER_SENT: dict[type[Exception], str] = {
    httpx.UnsupportedProtocol: seam.UNSENDABLE,
    httpx.ConnectTimeout: seam.CONNECT_TIMEOUT,
    httpx.ConnectError: seam.CONNECT,
    httpx.ProxyError: seam.CONNECT,  # a proxy that opens no tunnel
}


class HttpxSender:
    """Several clients of a few connections each.

    httpx's pool looks through all its connections for each request: with 200 under way, one client
    carries some 10 requests a second and forty carry 700.
    """

    def __init__(
        self,
        limits: SendLimits,
        egress: Egress,
        watcher: Watcher | None = None,
        certificate: ClientCertificate | None = None,
    ) -> None:
        self._limits = limits
        self._watcher = watcher
        count = -(-limits.max_in_flight // PER_CLIENT)
        self._clients = _clients(limits, egress, _trusted(certificate), count)
        self._busy = [0] * count

    async def send(self, wire: Wire) -> Reply:
        """Returns the reply within the total time; failures are named, without any URL or token."""
        try:
            prepared = _prepare(self._clients[0], wire)
        except (httpx.InvalidURL, ValueError):
            return Reply(failure=seam.UNSENDABLE, sent=False)
        chosen = self._choose(prepared.url.host)
        self._busy[chosen] += 1
        arrived = _Arrived(self._limits)
        try:
            async with asyncio.timeout(self._limits.total_seconds):
                return await self._exchange(self._clients[chosen], prepared, arrived)
        except tuple(_NEVER_SENT) as error:
            failure = seam.FORBIDDEN if refusal_in(error) else _NEVER_SENT[type(error)]
            return Reply(failure=failure, sent=False)
        except (TimeoutError, httpx.TimeoutException):
            return arrived.reply(seam.TIMEOUT)
        except (httpx.HTTPError, httpx.StreamError, OSError):
            return arrived.reply(seam.PROTOCOL)
        finally:
            self._busy[chosen] -= 1

    async def close(self) -> None:
        """Closes the clients' connections."""
        for client in self._clients:
            await client.aclose()

    def _choose(self, host: str) -> int:
        """Returns the client to send with: the host's own, so that connections are used again.

        While that one is busy, the next that is not.
        """
        count = len(self._clients)
        home = hash(host) % count
        for step in range(count):
            chosen = (home + step) % count
            if self._busy[chosen] < PER_CLIENT:
                return chosen
        return home

    async def _exchange(
        self, client: httpx.AsyncClient, request: httpx.Request, arrived: _Arrived
    ) -> Reply:
        if self._watcher is not None and self._watcher.installed():
            request.extensions = {**request.extensions, "trace": self._trace}
        response = await client.send(request, stream=True)
        try:
            arrived.response = response
            async for chunk in response.aiter_raw():
                arrived.body += chunk
                if len(arrived.body) > self._limits.max_bytes:
                    return arrived.too_large()
            return arrived.reply()
        finally:
            await response.aclose()

    async def _trace(self, event: str, _info: object) -> None:
        if self._watcher is not None and event == "http11.send_request_body.complete":
            self._watcher.reach("sent")


class _Arrived:
    """What has come of one answer so far, as it came over the wire."""

    def __init__(self, limits: SendLimits) -> None:
        self.response: httpx.Response | None = None
        self.body = bytearray()
        self._limits = limits

    def reply(self, failure: str | None = None) -> Reply:
        if self.response is None or (failure and not self.body):
            return Reply(failure=failure)
        return Reply(self.response.status_code, self._headers(), bytes(self.body), failure)

    def too_large(self) -> Reply:
        assert self.response is not None
        return self._limits.too_large(self.response.status_code, self._headers())

    def _headers(self) -> dict[str, str]:
        given = self.response.headers if self.response is not None else {}
        return {name: given[name] for name in self._limits.read_headers if name in given}


def _prepare(client: httpx.AsyncClient, wire: Wire) -> httpx.Request:
    headers = {**seam.PLAIN, **wire.headers}
    return client.build_request(wire.method, wire.url, headers=headers, content=wire.content)


def _trusted(certificate: ClientCertificate | None) -> ssl.SSLContext:
    """Returns whom we trust, and what we show; raises `SettingsError`, or `SSLError` for the latter."""
    try:
        trusted = httpx.create_ssl_context()
    except OSError as error:
        raise SettingsError(
            f"SSL_CERT_FILE or SSL_CERT_DIR cannot be used: {error.strerror or 'no certificate'}"
        ) from None
    if certificate is not None:
        with as_file(certificate) as path:
            trusted.load_cert_chain(path)
    return trusted


def _clients(
    limits: SendLimits, egress: Egress, trusted: ssl.SSLContext, count: int
) -> list[httpx.AsyncClient]:
    """Returns clients that share one TLS context; raises `SettingsError` for the environment."""
    try:
        return [_client(limits, egress, trusted) for _ in range(count)]
    except (httpx.InvalidURL, ValueError, ImportError) as error:
        raise SettingsError(
            f"httpx cannot use the proxies of the environment ({type(error).__name__}): correct "
            "HTTP_PROXY, HTTPS_PROXY and ALL_PROXY"
        ) from None


def _client(limits: SendLimits, egress: Egress, trusted: ssl.SSLContext) -> httpx.AsyncClient:
    connections = httpx.Limits(
        max_connections=None,  # _choose sees to it
        max_keepalive_connections=IDLE_PER_CLIENT,
        keepalive_expiry=seam.IDLE_SECONDS,
    )
    return httpx.AsyncClient(
        transport=Transport(egress, verify=trusted, limits=connections),
        trust_env=False,  # nor a password from .netrc
        timeout=httpx.Timeout(limits.total_seconds, connect=limits.connect_seconds),
        follow_redirects=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        headers={"User-Agent": limits.user_agent},
    )

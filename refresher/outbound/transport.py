"""A transport for httpx that connects only to addresses that `Egress` lets through.

For whatever sends to a URL that somebody else chose:

    async with httpx.AsyncClient(transport=Transport(egress)) as client: ...

The name is looked up and judged when a connection is made, and the connection goes to that very
address, while TLS still verifies the name. Redirects are httpx's business and off by default.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable

import httpcore
import httpx

from refresher.errors import EgressRefused
from refresher.outbound.egress import Egress
from refresher.outbound.proxies import environment_proxies, proxy_for


class Refused(httpcore.ConnectError):
    """The name leads nowhere that is allowed: nothing has left."""


def refusal_in(error: BaseException) -> str | None:
    """Returns why `error` came from `Egress`, or None when it has another reason."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, Refused | EgressRefused):  # the pool drops causes
            return str(cause)
        cause = cause.__cause__
    return None


class Transport(httpx.AsyncBaseTransport):
    """Goes straight and guarded, or through the proxy that the environment names for a host.

    Raises `SettingsError` for a proxy that is no URL. A host that is refused is an
    `httpx.ConnectError`; `refusal_in` tells it from others.
    """

    def __init__(
        self,
        egress: Egress,
        *,
        verify: ssl.SSLContext | None = None,
        limits: httpx.Limits | None = None,
    ) -> None:
        trusted, limits = verify or httpx.create_ssl_context(), limits or httpx.Limits()
        self._egress = egress
        self._proxies = environment_proxies()
        self._straight = _Straight(egress, trusted, limits)
        self._proxied = {
            proxy: httpx.AsyncHTTPTransport(verify=trusted, limits=limits, proxy=proxy)
            for scheme, proxy in self._proxies.items()
            if scheme != "no"
        }

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends `request` on its way out."""
        url = request.url
        proxy = proxy_for(self._proxies, url.scheme, url.host, url.port)
        if proxy is None:
            return await self._straight.handle_async_request(request)
        if self._egress.is_address(url.host):
            try:
                await self._egress.addresses(url.host)
            except EgressRefused as refused:
                raise httpx.ConnectError(str(refused)) from refused
        return await self._proxied[proxy].handle_async_request(request)

    async def aclose(self) -> None:
        """Closes the connections."""
        for transport in (self._straight, *self._proxied.values()):
            await transport.aclose()


class _Straight(httpx.AsyncHTTPTransport):
    def __init__(self, egress: Egress, trusted: ssl.SSLContext, limits: httpx.Limits) -> None:
        super().__init__(verify=trusted, limits=limits, trust_env=False)
        # httpx has no argument for it; the tests of `Transport` fail if this ever has no effect.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=trusted,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=_Backend(egress),
        )


class _Backend(httpcore.AsyncNetworkBackend):
    """Connects to what was judged. The pool above it keeps names, so TLS verifies the name."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Looks up, judges and connects, all within `timeout` seconds."""
        last: Exception | None = None
        try:
            async with asyncio.timeout(timeout) as limit:
                addresses = await self._addresses(host)
                for number, address in enumerate(addresses):
                    share = _share(limit, len(addresses) - number)
                    try:
                        return await self._network.connect_tcp(
                            address, port, share, local_address, socket_options
                        )
                    except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                        last = error
        except TimeoutError:
            raise httpcore.ConnectTimeout(f"no connection to {host} in time") from None
        raise last or httpcore.ConnectError(f"{host} has no address")

    async def sleep(self, seconds: float) -> None:
        """Sleeps."""
        await self._network.sleep(seconds)

    async def _addresses(self, host: str) -> tuple[str, ...]:
        try:
            return await self._egress.addresses(host)
        except EgressRefused as refused:
            raise Refused(str(refused)) from refused
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} cannot be looked up") from error


def _share(limit: asyncio.Timeout, left: int) -> float | None:
    """Returns the seconds for one of the `left` addresses: a dead one leaves time for the next."""
    until = limit.when()
    return None if until is None else (until - asyncio.get_running_loop().time()) / left

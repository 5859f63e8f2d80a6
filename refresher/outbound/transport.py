"""A transport for httpx that connects only to addresses that `Egress` lets through.

For whatever sends to a URL that somebody else chose:

    async with httpx.AsyncClient(transport=Transport(egress)) as client: ...

The name is looked up and judged when a connection is made, and the connection goes to that very
address, while TLS still verifies the name. Redirects are httpx's business and off by default.

Which proxies the environment names (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY) is read here for both
senders, so that they take the same way out, or say the same sentence.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpcore
import httpx

from refresher.errors import EgressRefused, SettingsError
from refresher.outbound.egress import Egress


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


SCHEMES = ("http", "https", "all")


def environment_proxies() -> dict[str, str]:
    """Returns proxy URLs by the scheme they serve, and the hosts to reach without one under `no`.

    Raises `SettingsError` for a proxy that is no URL: going out directly instead could break a rule
    of the network that we are in. The value is not shown, because proxies have passwords.
    """
    given = getproxies()
    found = {scheme: _url(scheme, given[scheme]) for scheme in SCHEMES if given.get(scheme)}
    excepted = [host.strip() for host in given.get("no", "").split(",") if host.strip()]
    if "*" in excepted:
        return {}
    return {**found, "no": ",".join(excepted)} if found and excepted else found


def proxy_for(proxies: Mapping[str, str], scheme: str, host: str, port: int | None) -> str | None:
    """Returns the proxy to `host`, or None for the straight way.

    NO_PROXY is read as curl and requests read it: a name stands for its subdomains too, `name:port`
    for that port only, and a network (10.0.0.0/8) for hosts that are written as addresses.
    """
    proxy = proxies.get(scheme) or proxies.get("all")
    excepted = proxies.get("no", "")
    if not proxy or not excepted:
        return proxy
    entries = [entry.strip().lower() for entry in excepted.split(",")]
    return None if any(_excepts(entry, host.lower(), port) for entry in entries) else proxy


def _excepts(entry: str, host: str, port: int | None) -> bool:
    """Whether an entry of NO_PROXY means this host."""
    try:
        return ip_address(host.strip("[]")) in ip_network(entry, strict=False)
    except ValueError:
        name = entry.lstrip(".")
        names = (host, f"{host}:{port}")
        return bool(name) and any(one == name or one.endswith(f".{name}") for one in names)


def _url(scheme: str, text: str) -> str:
    url = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        name = f"{scheme.upper()}_PROXY"
        raise SettingsError(f"{name} is no proxy's URL: give http://host:port, or unset it")
    return url

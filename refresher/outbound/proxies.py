"""Which proxies the environment names: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY.

Read here for both senders, so that they take the same way out, or say the same sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit
from urllib.request import getproxies

from refresher.errors import SettingsError

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

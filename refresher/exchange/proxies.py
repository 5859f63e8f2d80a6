"""Which proxies the environment names: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY.

Read in one place, so that both senders take the same way out, or say the same sentence.
"""

from __future__ import annotations

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

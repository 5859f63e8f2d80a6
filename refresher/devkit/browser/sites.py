"""What belongs together for a browser: origins, sites, and what a page tells the next about itself.

Pure. Registrable domains are taken to have two labels: enough for the names of tests.
"""

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}
_STANDARD_POLICY = "strict-origin-when-cross-origin"


def origin(url: str) -> str:
    """Returns scheme, host and port as browsers write them: usual ports are left out."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    is_usual = parts.port in {None, _PORTS.get(parts.scheme)}
    return f"{parts.scheme}://{host}{'' if is_usual else f':{parts.port}'}"


def site(url: str) -> tuple[str, str]:
    """Returns scheme and registrable domain; ports do not tell sites apart, schemes do."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return parts.scheme, host if _is_address(host) else ".".join(host.split(".")[-2:])


def is_loopback(url: str) -> bool:
    """Says whether a URL leads to this machine."""
    host = urlsplit(url).hostname or ""
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def relation(initiator: str | None, url_list: Iterable[str]) -> str:
    """Returns Sec-Fetch-Site for a request that `initiator` began, over all of its redirects."""
    if initiator is None:
        return "none"
    urls = list(url_list)
    if all(origin(url) == origin(initiator) for url in urls):
        return "same-origin"
    is_same = all(site(url) == site(initiator) for url in urls)
    return "same-site" if is_same else "cross-site"


def referer(policy: str, page: str, target: str) -> str | None:
    """Returns the Referer header that a page's Referrer-Policy allows, or None."""
    bare = page.partition("#")[0]
    is_own, is_down = origin(page) == origin(target), (page[:5], target[:5]) == ("https", "http:")
    match policy or _STANDARD_POLICY:
        case "no-referrer":
            return None
        case "same-origin":
            return bare if is_own else None
        case "origin":
            return f"{origin(page)}/"
        case "unsafe-url":
            return bare
        case _:
            return bare if is_own else None if is_down else f"{origin(page)}/"


def posted_origin(policy: str, page: str, target: str) -> str:
    """Returns the Origin header of a form's POST, which the page's Referrer-Policy can take away."""
    is_hidden = policy == "no-referrer" or (
        policy == "same-origin" and origin(page) != origin(target)
    )
    return "null" if is_hidden else origin(page)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True

"""What every answer carries, and where a request comes from: our own pages, a link, another site.

Cookies are `SameSite=Strict`, so a link from outside arrives without them: once, the page that answers
leads to itself, and that request brings them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from starlette.requests import cookie_parser

from refresher.rules.visitors import Network, is_own_form, origin_of
from refresher.settings import Settings
from refresher.web.connect.gate import Visitor

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SAFE: Mapping[str, str] = {
    "content-security-policy": POLICY,
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex, nofollow",
}
"""On everything that is answered here."""
SESSION, BOUNCED, SAID, CHOICES = "refresher", "bounced", "said", "choices"
"""The cookies, as they are called behind the prefix of a deployment."""


class Door:
    """How one deployment is reached: what is secure, which origin is ours, what cookies are called."""

    def __init__(self, settings: Settings) -> None:
        self._public_url = settings.public_url or ""
        self._proxies: Sequence[Network] = (*settings.trusted_proxies, *settings.dashboard_proxies)
        self._user_header = (settings.dashboard_user_header or "").lower().encode()
        self._from = settings.dashboard_proxies

    def is_secure(self, visitor: Visitor) -> bool:
        """Whether the browser came by https, to us or to a proxy in front of us."""
        if visitor.scheme == "https":
            return True
        told = visitor.headers.get(b"x-forwarded-proto", b"").split(b",")[-1].strip().lower()
        if told and _is_among(visitor.peer, self._proxies):
            return told == b"https"
        parts = urlsplit(self._public_url)
        return parts.scheme == "https" and _host(visitor) == parts.netloc.lower()

    def is_open_way(self, visitor: Visitor) -> bool:
        """Whether a key would travel in the clear, through more than this very machine."""
        return not self.is_secure(visitor) and not _is_here(_host(visitor))

    @staticmethod
    def is_from_here(visitor: Visitor) -> bool:
        """Whether a browser on this very machine asks."""
        peer = f"[{visitor.peer}]" if ":" in visitor.peer else visitor.peer
        return _is_here(_host(visitor)) and _is_here(peer)

    def is_own_form(self, visitor: Visitor) -> bool:
        """Whether a POST comes from a page of ours."""
        scheme = "https" if self.is_secure(visitor) else "http"
        own = origin_of(f"{scheme}://{_host(visitor)}")
        return is_own_form(visitor.headers, own)

    def person(self, visitor: Visitor) -> str | None:
        """Returns whom a proxy names; raises `WrongPeer` where it is none of those that may."""
        if not self._user_header:
            return None
        told = visitor.headers.get(self._user_header)
        if told is None:
            return None
        if not _is_among(visitor.peer, self._from):
            raise WrongPeer
        name = told.decode("utf-8", "replace").strip()
        if not name or len(name) > MOST_OF_A_PERSON or not name.isprintable():
            raise WrongPeer
        return name

    def cookie_name(self, visitor: Visitor, name: str) -> str:
        """Returns what a cookie is called: with a prefix that browsers keep to, where https is."""
        called = SESSION if name == SESSION else f"{SESSION}-{name}"
        return f"__Host-{called}" if self.is_secure(visitor) else called

    def cookie(self, visitor: Visitor, name: str) -> str | None:
        """Returns the value of a cookie of ours."""
        given = cookie_parser(visitor.headers.get(b"cookie", b"").decode("latin-1"))
        return given.get(self.cookie_name(visitor, name))

    def set_cookie(
        self, visitor: Visitor, name: str, value: str, *, seconds: int | None, strict: bool = True
    ) -> str:
        """Returns the header that gives a browser a cookie; 0 seconds: that takes it away."""
        kept = f"; Max-Age={seconds}" if seconds is not None else ""
        secure = "; Secure" if self.is_secure(visitor) else ""
        site = "Strict" if strict else "Lax"
        called = self.cookie_name(visitor, name)
        return f"{called}={value}; Path=/; HttpOnly; SameSite={site}{secure}{kept}"


MOST_OF_A_PERSON = 64


class WrongPeer(Exception):
    """Somebody names a person who may not: the request is refused, not taken for a guest's."""


def tells_where_from(visitor: Visitor) -> bool:
    """Whether a browser sent it: every one tells where a form is from (Fetch, "Origin" header)."""
    return not {b"sec-fetch-site", b"origin"}.isdisjoint(visitor.headers)


def is_from_outside(visitor: Visitor) -> bool:
    """Whether a link of another site led here, for a whole page."""
    headers = visitor.headers
    return (
        visitor.method in {"GET", "HEAD"}
        and headers.get(b"sec-fetch-site") == b"cross-site"
        and headers.get(b"sec-fetch-mode") == b"navigate"
    )


def _host(visitor: Visitor) -> str:
    return visitor.headers.get(b"host", b"").decode("latin-1").lower()


def _is_here(host: str) -> bool:
    """Whether a Host header names the machine that the browser runs on (W3C Secure Contexts, 3.1)."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _is_among(peer: str, networks: Sequence[Network]) -> bool:
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    plain = getattr(address, "ipv4_mapped", None) or address
    return any(plain in network for network in networks)

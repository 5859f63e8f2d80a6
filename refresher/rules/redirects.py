"""The redirect URI of an app: one text, for the authorize URL and the code's request (C6). Pure."""

from __future__ import annotations

import re
from hashlib import sha256
from urllib.parse import urlsplit

from refresher.rules.addresses import LOOPBACK
from refresher.rules.clients import ClientCredentials
from refresher.rules.providers import Provider

CALLBACK, SELF = "/connect/callback/", "/connect/self/"
OWN = "redirect_uri"
"""The value of an app that stands in the place of ours: an address of its owner that leads to us."""
_STRANGER = "stranger-7c1d.example.net"


def slug(provider: Provider, host: str | None) -> str:
    """Returns the last part of the redirect URI, which no other authorization server has (C12).

    Where anybody's server may be the host, each host has its own: else one of them could have the code
    of another sent to it.
    """
    if host is None or not has_own_hosts(provider):
        return provider.name
    return f"{provider.name}-{sha256(host.lower().encode()).hexdigest()[:8]}"


def has_own_hosts(provider: Provider) -> bool:
    """Whether anybody's server may be the host, so that each has a redirect URI of its own."""
    where = urlsplit(provider.authorize_url or "").netloc
    pattern = provider.host_pattern
    return where == "{host}" and pattern is not None and bool(re.fullmatch(pattern, _STRANGER))


def address(public_url: str, path: str) -> str:
    """Returns where one of our pages is."""
    return f"{public_url.rstrip('/')}{path}"


def redirect_uri(public_url: str, slug: str, client: ClientCredentials | None = None) -> str:
    """Returns what the app must be registered with: our callback, or the address that it brings."""
    own = client.placeholders.get(OWN) if client else None
    return own or address(public_url, f"{CALLBACK}{slug}")


def fault(provider: Provider, uri: str) -> str | None:
    """Returns why the provider takes no such redirect URI, as a sentence; None: it takes it."""
    rule = provider.connect.redirect_rule if provider.connect else "loopback_http"
    parts = urlsplit(uri)
    is_here = parts.hostname in LOOPBACK
    whose = provider.known_as
    if rule == "https" and parts.scheme != "https":
        return f"{whose} takes https:// alone for a redirect URI, and ours would be {uri}"
    if rule == "loopback_ip" and is_here and parts.hostname == "localhost":
        return f"{whose} takes 127.0.0.1 and not localhost for a redirect URI: {uri}"
    return None


def public_url_fault(public_url: str | None) -> str | None:
    """Returns why nobody can come back to this public URL, as a sentence; None: one can."""
    if public_url is None:
        return "REFRESHER_PUBLIC_URL is not set: it is where providers send people back to"
    parts = urlsplit(public_url)
    if parts.scheme == "https" or parts.hostname in LOOPBACK:
        return None
    return "REFRESHER_PUBLIC_URL must begin with https://, for people come back to it with codes"

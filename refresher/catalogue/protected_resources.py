"""What a resource server says of itself: RFC 9728, and how MCP servers use it (revision 2026-07-28).

Pure: what a server's URL is as a `resource` (RFC 8707), where its metadata stands, and which
authorization server counts of those that it names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit, urlunsplit

from refresher.catalogue.discovery import Unfit, answered, words
from refresher.catalogue.urls import told_url_faults
from refresher.rules.connection import Reply
from refresher.rules.placeholders import MAX_TEXT_VALUE

WELL_KNOWN = "/.well-known/oauth-protected-resource"
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class ResourceMetadata:
    """What counts of a resource server's metadata."""

    resource: str
    """what is sent as `resource`, exactly as the server writes it"""
    issuers: tuple[str, ...]
    scopes: tuple[str, ...] = ()
    source: str = ""
    """where it was read"""
    is_parent: bool = False
    """Whether `resource` is not the URL that was asked for, but one above it."""


def normalised(url: str, *, allow_loopback: bool) -> str:
    """Returns a server's URL as it is compared and sent; raises `Unfit` for what is none.

    Scheme and host in lower case, no port that the scheme means anyway, no fragment, and no slash of a
    path that is empty (RFC 8707 section 2).
    """
    for fault in told_url_faults("server_url", url, allow_loopback=allow_loopback):
        raise Unfit(fault)
    if len(url) > MAX_TEXT_VALUE:
        raise Unfit(f"server_url is longer than {MAX_TEXT_VALUE:,} characters")
    parts = urlsplit(url)
    path = "" if parts.path == "/" and not parts.query else parts.path
    return urlunsplit(parts._replace(netloc=_netloc(parts), path=path))


def places(server: str, named: str | None) -> tuple[str, ...]:
    """Returns where the metadata of a normalised server URL may stand, in the order to ask.

    `named` is what the server's challenge says, and must be on the server itself: RFC 9728 section 3.3
    protects nobody who asks a stranger. Raises `Unfit`.
    """
    if named is not None:
        if _origin(named) != _origin(server):
            raise Unfit(
                f"{server} says that its metadata stands on another server: that is not asked"
            )
        return (named,)
    parts = urlsplit(server)
    root = urlunsplit(parts._replace(path=WELL_KNOWN, query=""))
    if parts.path in {"", "/"}:
        return (root,)
    return urlunsplit(parts._replace(path=WELL_KNOWN + parts.path)), root


def read(
    server: str, place: str, reply: Reply, *, allow_loopback: bool = False
) -> ResourceMetadata:
    """Returns the metadata that was answered at `place` for a normalised server URL; raises `Unfit`.

    Its `resource` must be that URL, or one above it by whole segments of the path: what RFC 9728
    section 3.3 asks for is the former, what official SDKs serve and take is also the latter.
    """
    given = answered(place, reply)
    resource = given.get("resource")
    if not isinstance(resource, str) or next(_faults("resource", resource, allow_loopback), None):
        raise Unfit(f"{place} names no resource that could be asked for")
    same = normalised(resource, allow_loopback=allow_loopback)
    if not covers(same, server):
        raise Unfit(f"{place} is the metadata of another resource ({resource} instead of {server})")
    named = given.get("authorization_servers")
    issuers = words(named)
    if not issuers:
        raise Unfit(f"{place} names no authorization server")
    for issuer in issuers:
        for fault in _faults("authorization_servers", issuer, allow_loopback):
            raise Unfit(f"{place}: {fault}")
    return ResourceMetadata(
        resource, issuers, words(given.get("scopes_supported")), place, is_parent=same != server
    )


def chosen(found: ResourceMetadata, known: Collection[str]) -> str:
    """Returns the issuer that counts: the first at which we are registered, else the first."""
    return next((issuer for issuer in found.issuers if issuer in known), found.issuers[0])


def _faults(field: str, url: str, allow_loopback: bool) -> Iterator[str]:  # noqa: FBT001
    yield from told_url_faults(field, url, allow_loopback=allow_loopback)
    if len(url) > MAX_TEXT_VALUE:
        yield f"{field} is longer than {MAX_TEXT_VALUE:,} characters"


def covers(above: str, server: str) -> bool:
    """Whether a resource is this server, or above it by whole segments of the path."""
    if _origin(above) != _origin(server):
        return False
    if above == server:
        return True
    upper, path = urlsplit(above), urlsplit(server).path
    return not upper.query and (path + "/").startswith(upper.path.rstrip("/") + "/")


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme.lower(), _netloc(parts)


def _netloc(parts: SplitResult) -> str:
    host, port = (parts.hostname or "").lower(), parts.port
    shown = f"[{host}]" if ":" in host else host
    return shown if port in {None, _PORTS.get(parts.scheme.lower())} else f"{shown}:{port}"

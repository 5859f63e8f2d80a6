"""What a URL of an entry may be: https, no credentials, and only placeholders that it declares."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from urllib.parse import urlsplit

from refresher.rules.addresses import LOOPBACK
from refresher.rules.fillings import RESERVED
from refresher.rules.placeholders import HOST, NAME, PLACEHOLDER


def url_faults(
    field: str, url: str, *, allow_loopback: bool, placeholders: Collection[str] = ()
) -> Iterator[str]:
    """Yields what is wrong with a URL that tokens are sent to; `placeholders` are those declared."""
    known = {HOST, *placeholders}
    bare = PLACEHOLDER.sub(lambda found: "" if found[1] in known else found[0], url)
    foreign = re.search(r"\{[^}]*\}?|\}", bare)
    if foreign and foreign[0].strip("{}") in RESERVED:
        yield f"{field} has {foreign[0]}, which stands in values only: URLs are written down"
        return
    if foreign:
        yield f"{field} has {foreign[0]}, {undeclared(foreign[0])}"
        return
    if not url.isascii() or re.search(r"[\s\x00-\x1f\x7f\\\"<>^`|]", url):
        yield f"{field} holds a character that no URL may hold"
        return
    try:
        parts = urlsplit(PLACEHOLDER.sub(_stand_in, url))
        host, _ = parts.hostname, parts.port
    except ValueError:
        yield f"{field} is not a URL"
        return
    if parts.scheme not in {"https", "http"} or not host:
        yield f"{field} must begin with https:// and name a server"
        return
    if parts.scheme == "http":
        yield from _plain_http_faults(field, host, allow_loopback=allow_loopback)
    if parts.username is not None or parts.password is not None:
        yield f"{field} must not hold a user or a password"
    if "#" in url:
        yield f'{field} must not hold a fragment ("#…")'


def told_url_faults(field: str, url: str, *, allow_loopback: bool) -> Iterator[str]:
    """Yields what is wrong with a URL that somebody else's server tells: it has no placeholders."""
    if "{" in url or "}" in url:
        yield f"{field} holds a character that no URL may hold"
    else:
        yield from url_faults(field, url, allow_loopback=allow_loopback)


def undeclared(found: str) -> str:
    """Returns the end of a sentence about a placeholder that the entry does not declare."""
    name = found.strip("{}")
    if not NAME.fullmatch(name):
        return (
            "which is no placeholder: use {host}, or a name of a-z, 0-9 and _ of [….placeholders]"
        )
    return f'which is not declared: add placeholders = {{ {name} = "PATTERN" }}'


def _stand_in(found: re.Match[str]) -> str:
    return "host.example" if found[1] == HOST else "a"


def _plain_http_faults(field: str, host: str, *, allow_loopback: bool) -> Iterator[str]:
    if host not in LOOPBACK:
        yield f"{field} must begin with https://, for tokens travel there"
    elif not allow_loopback:
        yield f"{field} uses http:// to {host}, which REFRESHER_ALLOW_INSECURE_HOSTS forbids"

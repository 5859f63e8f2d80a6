"""What a URL of the catalogue may be, and what a host pattern may let through.

A refresh token is sent to whatever these allow, so they are strict: https, no credentials, and a
pattern that lists what is allowed. `rules.providers.resolve_url` checks every connection's host.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from urllib.parse import urlsplit

from refresher.rules.placeholders import HOST, NAME, PLACEHOLDER, PLAIN_HOST
from refresher.rules.providers import Provider

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
DANGEROUS_HOSTS = (
    *("", " ", "/", "a b", "a\n", "a\nb", "a\\b", "%2f", "a%2fb", "a:b", "a:b:80"),
    *("a/b", "a@b", "a#b", "a?b", "a.b/c", "a.b@c.d", "a.b#c", "a.b?c", "a/b:80", "a@b:80"),
)
"""A pattern that matches one of these is refused."""
FOREIGN_HOSTS = ("attacker.example", "localhost", "127.0.0.1", "169.254.169.254", "a-b.example:443")
"""Hosts that no pattern should match where the placeholder is the server's name."""


def url_faults(
    field: str, url: str, *, allow_loopback: bool, placeholders: Collection[str] = ()
) -> Iterator[str]:
    """Yields what is wrong with a URL that tokens are sent to; `placeholders` are those declared."""
    known = {HOST, *placeholders}
    bare = PLACEHOLDER.sub(lambda found: "" if found[1] in known else found[0], url)
    foreign = re.search(r"\{[^}]*\}?|\}", bare)
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


def host_faults(provider: Provider) -> Iterator[str]:
    """Yields what is wrong between the placeholder {host}, the pattern and the default host."""
    pattern = provider.host_pattern
    if not has_placeholder(provider):
        for field in ("host_pattern", "default_host", "host_example"):
            if getattr(provider, field):
                yield f"{field} is set, but no URL has the placeholder {{host}}"
                return
        return
    if not pattern:
        yield "host_pattern is missing: token_url has {host}, so say which hosts are allowed"
        return
    faults = list(pattern_faults("host_pattern", pattern))
    yield from faults
    for field in ("default_host", "host_example"):
        host = getattr(provider, field)
        if host and not faults and not _allows(pattern, host):
            yield f'{field} is "{host}", which host_pattern does not match'


def _allows(pattern: str, host: str) -> bool:
    return bool(PLAIN_HOST.fullmatch(host) and re.fullmatch(pattern, host))


def pattern_faults(field: str, pattern: str) -> Iterator[str]:
    """Yields what is wrong with a pattern for a URL: it must compile and list what it allows."""
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        yield f"{field} is not a regular expression: {error}"
        return
    bare = re.sub(r"\\.", "", pattern, flags=re.DOTALL)
    outside_classes = re.sub(r"\[\^?\]?[^\]]*\]", "", bare)
    if "." in outside_classes:
        yield rf'{field} has a bare ".", which matches any character: write "\." for a dot'
        return
    if "[^" in bare:
        yield f"{field} has [^…]: list the characters that are allowed, not those that are not"
        return
    caught = next((host for host in DANGEROUS_HOSTS if compiled.fullmatch(host)), None)
    if caught is not None:
        what = "the name of a host" if field == "host_pattern" else "one plain word of a URL"
        yield f"{field} matches {caught!r}, which is not {what}"
    elif compiled.fullmatch("a.example:443") and ":" not in bare:
        yield f"{field} matches a port: allow one by writing the colon"


def has_placeholder(provider: Provider) -> bool:
    """Returns whether a URL of this entry depends on the connection."""
    urls = (provider.token_url, provider.refresh_url, provider.revocation_url)
    return any("{host}" in url for url in urls if url)


def trusts_any_server(provider: Provider) -> bool:
    """Returns whether a stored row could send a refresh token to a server of its choice."""
    url = provider.refresh_url or provider.token_url
    server = url.removeprefix("https://").split("/")[0].split(":")[0]
    last = re.search(PLACEHOLDER.pattern + "$", server)
    if last is None:
        return False  # a tenant in the path, or a subdomain of the provider's own
    patterns = {HOST: provider.host_pattern, **provider.placeholders}
    pattern = patterns.get(last[1])
    return pattern is not None and any(re.fullmatch(pattern, host) for host in FOREIGN_HOSTS)

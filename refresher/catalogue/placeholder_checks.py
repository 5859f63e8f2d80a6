"""What an entry says of placeholders: their patterns and defaults, and which of them hold paths.

Pure: yields sentences. A refresh token goes where these let it, so a pattern lists what is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from refresher.rules.fillings import RESERVED, sent, tables
from refresher.rules.placeholders import HOST, NAME, named_in, value_fault
from refresher.rules.providers import Provider

DANGEROUS_HOSTS = (
    *("", " ", "/", "a b", "a\n", "a\nb", "a\\b", "%2f", "a%2fb", "a:b", "a:b:80"),
    *("a/b", "a@b", "a#b", "a?b", "a.b/c", "a.b@c.d", "a.b#c", "a.b?c", "a/b:80", "a@b:80"),
)
"""A pattern that matches one of these is refused."""
DANGEROUS_PATHS = tuple(word for word in DANGEROUS_HOSTS if "/" not in word)
"""The same for a path of several words; where its slashes may stand is judged of each value."""


def placeholder_faults(provider: Provider, urls: Mapping[str, str]) -> Iterator[str]:
    """Yields what is wrong with the declared placeholders; `urls` are by the field that has them."""
    in_urls = set(named_in(urls.values()))
    in_values = set(named_in(text for table in tables(provider) for text in table.values()))
    for name, pattern in provider.placeholders.items():
        if name == HOST:
            yield "placeholders has host, which has a field of its own: host_pattern"
        elif name in RESERVED:
            yield f"placeholders has {name}, which refresher fills in itself: choose another name"
        elif not NAME.fullmatch(name):
            yield f'placeholders has "{name}", which is no name: use a-z, 0-9 and "_"'
        elif name in in_urls:
            is_path = name in provider.path_placeholders
            yield from pattern_faults(f"placeholders.{name}", pattern, is_path=is_path)
        elif name in in_values:
            yield from _not_compiling(name, pattern)
        else:
            yield f"placeholders has {name}, but no URL, parameter, header or claim has {{{name}}}"
    yield from _path_faults(provider, urls)
    yield from _default_faults(provider, in_urls)


def _path_faults(provider: Provider, urls: Mapping[str, str]) -> Iterator[str]:
    for name in provider.path_placeholders:
        having = {field: url for field, url in urls.items() if f"{{{name}}}" in url}
        if name not in provider.placeholders:
            yield f"path_placeholders has {name}, which placeholders does not declare"
        elif not having:
            yield f"path_placeholders has {name}, but no URL has {{{name}}}"
        for field, url in having.items():
            if not re.search(rf"//[^/]+/(?:.*/)?\{{{name}\}}(?:[/?]|$)", url):
                yield f"{field} has {{{name}}}, which may hold slashes: it must stand between slashes"


def _default_faults(provider: Provider, in_urls: set[str]) -> Iterator[str]:
    texts = [text for table in sent(provider) for text in table.values()]
    alone = {f"{{{name}}}" for name in provider.placeholders}
    within = in_urls.union(named_in(text for text in texts if text not in alone))
    for name, value in provider.default_placeholders.items():
        pattern, is_path = provider.placeholders.get(name), name in provider.path_placeholders
        if pattern is None:
            of_host = ": the host's is default_host" if name == HOST else ""
            yield f"default_placeholders has {name}, which placeholders does not declare{of_host}"
        elif not value and not is_path and name in within:
            yield (
                f"default_placeholders.{name} is empty, which only one of path_placeholders may be, or "
                "one that is the whole of each value that it stands in"
            )
        elif value and not list(_not_compiling(name, pattern)):
            in_url = name in in_urls
            fault = value_fault(name, value, pattern, in_url=in_url, is_path=is_path)
            yield from [f"default_{fault}"] if fault else []


def pattern_faults(field: str, pattern: str, *, is_path: bool = False) -> Iterator[str]:
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
    dangerous = DANGEROUS_PATHS if is_path else DANGEROUS_HOSTS
    caught = next((host for host in dangerous if compiled.fullmatch(host)), None)
    if caught is not None:
        what = "the name of a host" if field == "host_pattern" else "one plain word of a URL"
        what = "a path of plain words" if is_path else what
        yield f"{field} matches {caught!r}, which is not {what}"
    elif compiled.fullmatch("a.example:443") and ":" not in bare:
        yield f"{field} matches a port: allow one by writing the colon"


def _not_compiling(name: str, pattern: str) -> Iterator[str]:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        yield f"placeholders.{name} is not a regular expression: {error}"

"""Whether an entry's placeholders hang together: each declared, with a pattern, and used. Pure.

What a URL may be is in `hosts.py`; what a connection's value may be, in `rules/placeholders.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from refresher.catalogue.hosts import pattern_faults, undeclared
from refresher.rules.placeholders import HOST, NAME, named_in
from refresher.rules.providers import Provider


def placeholder_faults(provider: Provider) -> Iterator[str]:
    """Yields what is wrong with the declared placeholders, and with those in parameters and headers."""
    in_urls = set(named_in(_urls(provider)))
    in_values = set(named_in((*provider.parameters.values(), *provider.headers.values())))
    for name, pattern in provider.placeholders.items():
        if name == HOST:
            yield "placeholders has host, which has a field of its own: host_pattern"
        elif not NAME.fullmatch(name):
            yield f'placeholders has "{name}", which is no name: use a-z, 0-9 and "_"'
        elif name in in_urls:
            yield from pattern_faults(f"placeholders.{name}", pattern)
        elif name in in_values:
            yield from _not_compiling(name, pattern)
        else:
            yield f"placeholders has {name}, but no URL, parameter or header has {{{name}}}"
    yield from _foreign(provider)


def _foreign(provider: Provider) -> Iterator[str]:
    """Yields the placeholders of parameters and headers that nobody declared."""
    known = {*provider.placeholders, *({HOST} if provider.host_pattern else ())}
    for field in ("parameters", "headers"):
        for key, text in getattr(provider, field).items():
            for name in named_in([text]):
                if name == HOST and HOST not in known:
                    yield f"{field}.{key} has {{host}}, but host_pattern is missing"
                elif name not in known:
                    yield f"{field}.{key} has {{{name}}}, {undeclared(name)}"


def _not_compiling(name: str, pattern: str) -> Iterator[str]:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        yield f"placeholders.{name} is not a regular expression: {error}"


def _urls(provider: Provider) -> Iterator[str]:
    for url in (provider.token_url, provider.refresh_url, provider.revocation_url):
        if url is not None:
            yield url

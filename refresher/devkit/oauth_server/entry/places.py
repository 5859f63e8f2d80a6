"""Where things stand, as an entry writes it: texts with placeholders, and ways into an answer."""

import re
from collections.abc import Iterator
from functools import cache
from urllib.parse import urlsplit

from refresher.rules.providers import Path, Provider

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
BUILT_IN = frozenset(
    {
        *("client_id", "client_secret", "access_token", "refresh_token", "token", "scope"),
        *("client_basic", "client_assertion", "assertion", "now", "uuid"),
        *(
            "redirect_uri",
            "state",
            "code",
            "code_challenge",
            "code_verifier",
            "nonce",
            "login_hint",
        ),
    }
)
"""Placeholders whose value nobody declares: it follows from the request."""


class NotAsWritten(ValueError):
    """A request is not what the entry says; the message is the sentence that tells why."""


def read_template(entry: Provider, template: str, came: str, what: str) -> dict[str, str]:
    """Returns the value that each placeholder of `template` has in `came`.

    Raises `NotAsWritten` where `came` is another text, or a value does not match its pattern.
    """
    found = _pattern(template, _patterns(entry)).fullmatch(came)
    if found is None:
        raise NotAsWritten(f"{what} is {_shown(came)}, and the entry says {template!r}")
    return {name.removeprefix("p_"): value for name, value in found.groupdict().items()}


def at_place(entry: Provider, url: str, places: tuple[str, ...]) -> dict[str, str] | None:
    """Returns the placeholders' values where one of `places` (host and path) is that of `url`."""
    parts = urlsplit(url)
    template = parts.netloc + parts.path
    for place in places:
        for text in _with_or_without(entry, template):
            found = _pattern(text, _patterns(entry)).fullmatch(place)
            if found is not None:
                return {name.removeprefix("p_"): value for name, value in found.groupdict().items()}
    return None


def _with_or_without(entry: Provider, template: str) -> Iterator[str]:
    """Yields a URL as it is, and without a base path that a connection need not have."""
    yield template
    bare = template
    for name in entry.path_placeholders:
        if entry.default_placeholders.get(name) == "":
            bare = bare.replace(f"/{{{name}}}", "")
    if bare != template:
        yield bare


def _patterns(entry: Provider) -> tuple[tuple[str, str], ...]:
    own = dict.fromkeys(BUILT_IN, ".*") | dict(entry.placeholders)
    return tuple((own | {"host": entry.host_pattern or "(?!)"}).items())


@cache
def _pattern(template: str, patterns: tuple[tuple[str, str], ...]) -> re.Pattern[str]:
    known, seen, parts, end = dict(patterns), set[str](), list[str](), 0
    for found in _PLACEHOLDER.finditer(template):
        name = found[1]
        parts.append(re.escape(template[end : found.start()]))
        inner = f"(?P<p_{name}>{known.get(name, '(?!)')})"
        parts.append(f"(?P=p_{name})" if name in seen else inner)
        seen.add(name)
        end = found.end()
    return re.compile("".join(parts) + re.escape(template[end:]), re.DOTALL)


def put(path: Path, value: object, into: dict[str, object]) -> None:
    """Puts a value at the end of a way into an answer; numbers step into lists."""
    here: object = into
    for key, following in zip(path, (*path[1:], None), strict=True):
        empty: object = [] if isinstance(following, int) else {}
        here = _step(here, key, value if following is None else empty, is_last=following is None)


def _step(here: object, key: str | int, value: object, *, is_last: bool) -> object:
    if isinstance(here, list):
        number = int(key)
        here.extend([None] * (max(number + 1, -number) - len(here)))
        if is_last or here[number] is None:
            here[number] = value
        return here[number]
    assert isinstance(here, dict)
    if is_last or not isinstance(here.get(str(key)), dict | list):
        here[str(key)] = value
    return here[str(key)]


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:60] + "…")

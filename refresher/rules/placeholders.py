"""Placeholders of an entry: `{host}`, and those that it declares, such as `{tenant}`, with a pattern.

A value belongs to a connection, else to its app, else to the entry, whose pattern must match it whole,
at the door and again for each request: a stored row cannot send a refresh token to somebody else's
server. In a URL it is one plain word besides, whatever the pattern allows, or several with a slash
between, where the entry says so. Values are filled in once: none is read for another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol

PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
HOST = "host"
MAX_VALUE_LENGTH = 253
MAX_TEXT_VALUE = 2_000
"""Where a value stands in no URL, such as a redirect URI in a parameter."""
PLAIN_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?(?::[0-9]{1,5})?")
"""What a host may look like, whatever an entry's pattern allows: no slash, no user, no query."""
PLAIN_WORD = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._~-]{0,251}[A-Za-z0-9_])?")
"""What any other value in a URL may look like: it stays within its segment or label."""
PLAIN_PATH = re.compile(rf"{PLAIN_WORD.pattern}(?:/{PLAIN_WORD.pattern})*")
"""The same for a path: such words with single slashes between, and none at its ends."""
SAMPLES = (
    *("acme", "ACME", "acme-1", "acme_1", "12345", "a1b2c3d4", "1", "eu", "us1", "acme.com"),
    "8eaef023-2b34-4da1-9baa-8bc8c9d6a490",
    "ann@acme.com",
)


class HasPlaceholders(Protocol):
    """What of a catalogue entry counts here: `rules.providers.Provider` has it."""

    @property
    def name(self) -> str:
        """What the entry is called."""

    @property
    def host_pattern(self) -> str | None:
        """What a host may look like."""

    @property
    def default_host(self) -> str | None:
        """The host of a connection that names none."""

    @property
    def host_example(self) -> str | None:
        """A host for a sentence."""

    @property
    def placeholders(self) -> Mapping[str, str]:
        """The pattern of each other placeholder."""

    @property
    def default_placeholders(self) -> Mapping[str, str]:
        """Values for connections and apps that bring none."""

    @property
    def path_placeholders(self) -> Collection[str]:
        """Those that may hold slashes."""


class UnbuildableRequest(ValueError):
    """The stored connection and the catalogue entry do not make a request; says why."""


def named_in(texts: Iterable[str]) -> list[str]:
    """Returns the names of the placeholders in `texts`, each once, in their order."""
    named = [PLACEHOLDER.findall(text) for text in texts if "{" in text]
    return list(dict.fromkeys(name for names in named for name in names)) if named else []


def fill(text: str, values: Mapping[str, str]) -> str:
    """Returns `text` with each placeholder's value in its place."""
    return PLACEHOLDER.sub(lambda found: values[found[1]], text)


def value_fault(
    name: str, value: str, pattern: str, *, in_url: bool, is_path: bool = False
) -> str | None:
    """Returns what is wrong with a connection's value, None for a good one."""
    most = MAX_VALUE_LENGTH if in_url else MAX_TEXT_VALUE
    if len(value) > most:
        return f"placeholders.{name} is longer than {most:,} characters"
    if not value.isascii() or not value.isprintable() or not re.fullmatch(pattern, value):
        return f'placeholders.{name} "{_shown(value)}" does not match the pattern {pattern}'
    if in_url and not (PLAIN_PATH if is_path else PLAIN_WORD).fullmatch(value):
        slashes = ", and single slashes between" if is_path else ""
        return (
            f'placeholders.{name} "{_shown(value)}" stands in a URL: it may have letters, digits, '
            f'".", "_", "~" and "-" only{slashes}'
        )
    return None


def app_value_fault(provider: HasPlaceholders, name: str, value: str) -> str | None:
    """Returns what is wrong with a value that an app brings for its connections."""
    if name == HOST:
        fits = PLAIN_HOST.fullmatch(value) and re.fullmatch(provider.host_pattern or "", value)
        return (
            None if fits else f'placeholders.host "{_shown(value)}" is no host of the provider\'s'
        )
    is_path = name in provider.path_placeholders
    return value_fault(name, value, provider.placeholders[name], in_url=is_path, is_path=is_path)


def example(pattern: str) -> str:
    """Returns a value that `pattern` matches, for a sentence; an ellipsis when none is at hand."""
    listed = pattern.split("|", maxsplit=1)[0].replace("\\", "")
    return next((sample for sample in (*SAMPLES, listed) if re.fullmatch(pattern, sample)), "…")


def _shown(value: str) -> str:
    return "".join(c for c in value[:64] if c.isprintable())


def filled(
    provider: HasPlaceholders,
    texts: Mapping[str, str],
    host: str | None,
    placeholders: Mapping[str, str] | None,
    ours: Callable[[str], str | None],
) -> Mapping[str, str]:
    """Returns parameters or headers with values filled in; `ours` knows those that we bring.

    A text that is one placeholder without a value is left out: RFC 6749 section 3.1 reads an empty
    parameter as none.
    """
    names = named_in(texts.values()) if texts else None
    if not names:
        return texts
    found = {name: value for name in names if (value := ours(name)) is not None}
    theirs = [name for name in names if name not in found]
    found |= values(provider, theirs, host, placeholders, in_url=False)
    made = {name: fill(text, found) for name, text in texts.items()}
    if all(found.values()):
        return made
    return {name: text for name, text in made.items() if text or not texts[name]}


def brought(
    provider: HasPlaceholders,
    host: str | None,
    placeholders: Mapping[str, str] | None,
    of_app: Mapping[str, str],
) -> tuple[str | None, Mapping[str, str]]:
    """Returns the host and the other values: the connection's, else the app's, else the entry's."""
    if not (of_app or provider.default_placeholders):
        return host, placeholders or {}
    given = {name: value for name, value in (placeholders or {}).items() if value}
    return host or of_app.get(HOST), {**provider.default_placeholders, **of_app, **given}


def values(
    provider: HasPlaceholders,
    names: Iterable[str],
    host: str | None,
    placeholders: Mapping[str, str] | None,
    *,
    in_url: bool,
) -> dict[str, str]:
    """Returns the value of each placeholder of these names, checked."""
    return {
        name: _host(provider, host)
        if name == HOST
        else _value(provider, name, (placeholders or {}).get(name), in_url=in_url)
        for name in names
    }


def without_empty(url: str, values: Mapping[str, str]) -> str:
    """Returns a URL without the segments whose path is empty: a server that has no base path."""
    for name in (name for name, value in values.items() if not value):
        url = url.replace(f"/{{{name}}}", "")
    return url


def _host(provider: HasPlaceholders, host: str | None) -> str:
    chosen, pattern = host or provider.default_host, provider.host_pattern
    if not chosen:
        such = f', such as "host": "{provider.host_example}"' if provider.host_example else ""
        raise UnbuildableRequest(
            f"host is missing: provider {provider.name} needs one for each connection{such} "
            f"(its pattern: {pattern})"
        )
    if not pattern or not PLAIN_HOST.fullmatch(chosen) or not re.fullmatch(pattern, chosen):
        raise UnbuildableRequest(
            f'host "{chosen}" does not match {provider.name}\'s pattern {pattern}'
        )
    return chosen


def _value(provider: HasPlaceholders, name: str, value: str | None, *, in_url: bool) -> str:
    pattern, is_path = provider.placeholders.get(name, ""), name in provider.path_placeholders
    if value == "" and provider.default_placeholders.get(name) == "":
        return ""
    if not value:
        raise UnbuildableRequest(
            f"placeholders.{name} is missing: provider {provider.name} needs one for each "
            f'connection, such as "placeholders": {{"{name}": "{example(pattern)}"}}'
        )
    fault = value_fault(name, value, pattern, in_url=in_url, is_path=is_path)
    if fault:
        raise UnbuildableRequest(f"{fault} (provider {provider.name})")
    return value

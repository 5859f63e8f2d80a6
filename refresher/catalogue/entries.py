"""What a loaded catalogue is: providers by name, where each came from, the apps of the user's file.

Values only. `loader.py` makes them; `rules/providers.py` says what a `Provider` is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from refresher.errors import UnknownProvider
from refresher.rules.connection import Secret
from refresher.rules.providers import Provider
from refresher.rules.signals import SignalSource

Origin = Literal["built-in", "file"]
DEFAULT_APP = "default"


@dataclass(frozen=True, slots=True)
class AppEntry:
    """Our OAuth client at one provider, as the user's file tells it."""

    provider: str
    client_id: str
    client_secret: Secret | None
    name: str = DEFAULT_APP
    secret_in_clear: bool = field(default=False, compare=False)
    """Whether the secret itself stands in the providers file."""
    secret_file: Path | None = field(default=None, compare=False)

    @property
    def key(self) -> str:
        """What the app is called: `google/default`."""
        return f"{self.provider}/{self.name}"


@dataclass(frozen=True, slots=True)
class Unusable:
    """A table whose secret cannot be had at present; the rest of the file goes on without it."""

    table: str
    why: str
    secret_file: Path | None = None
    app: tuple[str, str] | None = None
    """Provider and name of the app, None for a source of signals."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Providers by name, in the order of their names."""

    _providers: Mapping[str, Provider]
    _origins: Mapping[str, Origin]
    apps: tuple[AppEntry, ...] = ()
    signals: Mapping[str, SignalSource] = field(default_factory=dict)
    unusable: tuple[Unusable, ...] = ()

    def get(self, name: str) -> Provider | None:
        """Returns the provider of this name, or None."""
        return self._providers.get(name)

    def __getitem__(self, name: str) -> Provider:
        """Returns the provider of this name; raises `UnknownProvider` with a suggestion."""
        try:
            return self._providers[name]
        except KeyError:
            raise UnknownProvider(name, self.names) from None

    def __contains__(self, name: object) -> bool:
        return name in self._providers

    def __iter__(self) -> Iterator[str]:
        return iter(self._providers)

    def __len__(self) -> int:
        return len(self._providers)

    @property
    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(self._providers)

    @property
    def providers(self) -> tuple[Provider, ...]:
        """All providers, in the order of their names."""
        return tuple(self._providers.values())

    def those(self, names: Iterable[str]) -> list[Provider]:
        """Returns the providers of these names, without those that there are not."""
        return [self[name] for name in names if name in self]

    def origin(self, name: str) -> Origin:
        """Returns whether the entry is ours, or the user's file wrote or changed it."""
        self[name]
        return self._origins[name]

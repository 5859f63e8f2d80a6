"""What a loaded catalogue is: providers by name, where each came from, the apps of the user's file.

`loader.py` makes one; `rules/providers.py` says what a `Provider` is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Protocol

from refresher.errors import BrokenProvider, CatalogueError, UnknownProvider
from refresher.rules.clients import ClientCredentials
from refresher.rules.providers import Provider
from refresher.rules.signals import SignalSource

SLUG = re.compile(r"i-[0-9a-f]{16}")
"""What the provider of an issuer is called that a connect session named, and no entry does."""
Origin = Literal["built-in", "file", "discovered"]
DEFAULT_APP = "default"


@dataclass(frozen=True, slots=True)
class AppEntry:
    """Our OAuth client at one provider, as the user's file tells it."""

    provider: str
    client: ClientCredentials
    name: str = DEFAULT_APP
    in_clear: tuple[str, ...] = field(default=(), compare=False)
    """The secrets that stand in the providers file itself."""
    files: tuple[Path, ...] = field(default=(), compare=False)
    """Those that have its secrets, keys and certificate."""

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
class Broken:
    """A table that is wrong: nothing of it counts, and the others go on without it."""

    table: str
    why: str
    """A line for each fault, which names the file, the table and the field."""
    provider: str | None = None
    """The provider that is not there because of it; None for an app, a source of signals, a section."""


class Shelf(Protocol):
    """Where entries stand that are read when they are asked for."""

    @property
    def names(self) -> frozenset[str]:
        """Their names."""

    def provider(self, name: str) -> Provider:
        """Returns one, checked; raises `CatalogueError`."""


_NO_SIGNALS: Mapping[str, SignalSource] = MappingProxyType({})


class Catalogue:
    """Providers by name, in the order of their names; those of the shelf are read when asked for.

    An entry that is wrong is as good as none, and stands in `broken`. `look_again` tells what the
    user's file has by now: asked of it is whoever wants a provider that is not there. `resolver` makes
    an entry whole whose endpoints its issuer tells, `finder` knows the issuers without an entry.
    """

    def __init__(  # noqa: PLR0913  it is made of what a file may have
        self,
        providers: Mapping[str, Provider],
        origins: Mapping[str, Origin],
        apps: tuple[AppEntry, ...] = (),
        signals: Mapping[str, SignalSource] = _NO_SIGNALS,
        unusable: tuple[Unusable, ...] = (),
        *,
        broken: Sequence[Broken] = (),
        shelf: Shelf | None = None,
        again: Callable[[], Catalogue | None] = lambda: None,
    ) -> None:
        self._looked_up = {n: one for n, one in providers.items() if one.is_looked_up}
        self._providers = {n: one for n, one in providers.items() if n not in self._looked_up}
        self.resolver: Callable[[Provider], Provider] = lambda provider: provider
        self.finder: Callable[[str], Provider | None] = lambda _slug: None
        self._origins = dict(origins)
        self.apps, self.signals, self.unusable = apps, signals, unusable
        self._broken = tuple(broken)
        self._broken_on_shelf: dict[str, Broken] = {}
        self._shelf = shelf
        self._again = again

    def get(self, name: str) -> Provider | None:
        """Returns the provider of this name, or None."""
        return self._providers.get(name) or self._sought(name)

    def known_as(self, name: str) -> str:
        """Returns what people call a provider: its name where there is no entry."""
        found = self.get(name)
        return found.known_as if found else name

    def __getitem__(self, name: str) -> Provider:
        """Returns the provider of this name; raises `UnknownProvider` with a suggestion."""
        found = self.get(name)
        if found is not None:
            return found
        if name in self._missing:
            raise BrokenProvider(name)
        raise UnknownProvider(name, self.names)

    def __contains__(self, name: object) -> bool:
        if name in self._providers or name in self._looked_up:
            return True
        if isinstance(name, str) and SLUG.fullmatch(name):
            return self.finder(name) is not None
        return name in self._on_shelf - self._missing

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        here = {*self._providers, *self._looked_up, *self._on_shelf}
        return tuple(sorted(here - self._missing))

    @property
    def providers(self) -> tuple[Provider, ...]:
        """All providers, in the order of their names: reads each that nobody asked for yet."""
        return tuple(self.those(self.names))

    @property
    def looked_up(self) -> tuple[Provider, ...]:
        """Those whose endpoints an issuer's metadata tells, without them."""
        return tuple(self._looked_up.values())

    @property
    def usable(self) -> frozenset[str]:
        """The names of those that can be asked for tokens now: their endpoints are known."""
        unknown = {n for n, one in self._looked_up.items() if self.resolver(one).is_looked_up}
        return frozenset(self.names) - unknown

    @property
    def broken(self) -> tuple[Broken, ...]:
        """What is known to be wrong; of the built-in entries those that somebody asked for."""
        return (*self._broken, *self._broken_on_shelf.values())

    def those(self, names: Iterable[str]) -> list[Provider]:
        """Returns the providers of these names, without those that there are not."""
        found = (self.get(name) for name in names)
        return [provider for provider in found if provider is not None]

    def origin(self, name: str) -> Origin:
        """Returns whether the entry is ours, or the user's file wrote or changed it."""
        self[name]
        found = SLUG.fullmatch(name)
        return self._origins.get(name, "discovered" if found else "built-in")

    def look_again(self) -> None:
        """Takes in what the user's file has by now and lacked, or garbled; the rest stays as it is."""
        fresh = self._again()
        if fresh is None:
            return
        self._origins |= {n: "file" for n in fresh._origins if n not in self}  # noqa: SLF001
        self._providers = {**fresh._providers, **self._providers}  # noqa: SLF001
        self._looked_up = {**fresh._looked_up, **self._looked_up}  # noqa: SLF001
        self._broken = fresh.broken
        self.apps, self.unusable = fresh.apps, fresh.unusable
        self.signals = {**fresh.signals, **self.signals}

    @property
    def _on_shelf(self) -> frozenset[str]:
        return self._shelf.names if self._shelf else frozenset()

    @property
    def _missing(self) -> set[str | None]:
        return {one.provider for one in self.broken}

    def _sought(self, name: str) -> Provider | None:
        """Returns a provider that nobody asked for yet, or that was not there."""
        if SLUG.fullmatch(name) and name not in self._looked_up:
            return self.finder(name)
        if name not in self:
            self.look_again()
        if name in self._looked_up:
            return self.resolver(self._looked_up[name])
        if self._shelf is None or name in self._providers or name not in self:
            return self._providers.get(name)
        try:
            found = self._shelf.provider(name)
        except CatalogueError as error:
            self._broken_on_shelf[name] = Broken(f"built-in {name}", str(error), name)
            import structlog  # noqa: PLC0415  seldom used here, and large

            told = "an entry of the catalogue is wrong; others go on"
            structlog.get_logger().error(told, why=str(error))
            return None
        if found.is_looked_up:
            self._looked_up[name] = found
            return self.resolver(found)
        self._providers[name] = found
        return found

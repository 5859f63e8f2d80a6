"""What is kept of issuers' metadata, for the entries of one process; a minute old at most."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from refresher.catalogue.discovery import Metadata, resolved
from refresher.catalogue.generic import entry
from refresher.errors import DatabaseUnavailable
from refresher.rules.providers import ClientAuth, Provider
from refresher.store import issuers
from refresher.store.session import Database

KEEP_SECONDS = 60.0
ASK_AGAIN_SECONDS = 1.0
"""How soon to look again for what was not there yet."""


class KeptMetadata:
    """Makes whole an entry whose endpoints its issuer tells; asks nobody but the database.

    It also knows the issuers that connect sessions named, by their slugs.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, tuple[float, Provider]] = {}

    def __call__(self, provider: Provider) -> Provider:
        """Returns the entry with its endpoints, or as it is while they are not known yet."""
        return self._kept(provider.name, lambda: self._read(provider)) or provider

    def named(self, slug: str) -> Provider | None:
        """Returns the provider of an issuer that no entry names, whole; None where nobody named it."""
        return self._kept(slug, lambda: self._of_slug(slug))

    def _kept(self, name: str, read: Callable[[], Provider | None]) -> Provider | None:
        """Returns what was read lately; without a database what was whole before goes on."""
        until, found = self._known.get(name, (0.0, None))
        now = time.monotonic()
        if now < until:
            return found
        try:
            found = read()
        except DatabaseUnavailable:
            if found is None or found.is_looked_up:
                raise
        if found is not None:
            lasts = ASK_AGAIN_SECONDS if found.is_looked_up else KEEP_SECONDS
            self._known[name] = now + lasts, found
        return found

    def _of_slug(self, slug: str) -> Provider | None:
        with self._database.transaction() as db:
            kept = issuers.of_slug(db, slug)
        if kept is None or kept.document is None:
            return None
        bare = entry(kept.issuer, ClientAuth(kept.client_auth or ClientAuth.NONE))
        return resolved(bare, Metadata.of(kept.document))

    def _read(self, provider: Provider) -> Provider:
        with self._database.transaction() as db:
            kept = issuers.find(db, provider.issuer or "")
        if kept is None or kept.document is None:
            return provider
        return resolved(provider, Metadata.of(kept.document))


class Findings:
    """What was found out about servers lately, in this process; safe to use from every thread."""

    def __init__(self, most: int = 1_000) -> None:
        self._most = most
        self._known: dict[str, tuple[float, Any]] = {}

    def get(self, key: str) -> Any:
        """Returns what is known of it; None: nothing, or not any more."""
        until, found = self._known.get(key, (0.0, None))
        return found if time.monotonic() < until else None

    def put(self, key: str, found: object, seconds: float) -> None:
        """Remembers it so long; when there is too much, everything else is forgotten."""
        if len(self._known) >= self._most:
            self._known.clear()
        self._known[key] = time.monotonic() + seconds, found

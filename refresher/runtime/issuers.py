"""What is kept of issuers' metadata, for the entries of one process; a minute old at most."""

from __future__ import annotations

import time

from refresher.catalogue.discovery import Metadata, resolved
from refresher.errors import DatabaseUnavailable
from refresher.rules.providers import Provider
from refresher.store import issuers
from refresher.store.session import Database

KEEP_SECONDS = 60.0
ASK_AGAIN_SECONDS = 1.0
"""How soon to look again for what was not there yet."""


class KeptMetadata:
    """Makes whole an entry whose endpoints its issuer tells; asks nobody but the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, tuple[float, Provider]] = {}

    def __call__(self, provider: Provider) -> Provider:
        """Returns the entry with its endpoints, or as it is while they are not known yet."""
        until, found = self._known.get(provider.name, (0.0, provider))
        now = time.monotonic()
        if now < until:
            return found
        try:
            found = self._read(provider)
        except DatabaseUnavailable:
            if found.is_looked_up:
                raise
        lasts = ASK_AGAIN_SECONDS if found.is_looked_up else KEEP_SECONDS
        self._known[provider.name] = now + lasts, found
        return found

    def _read(self, provider: Provider) -> Provider:
        with self._database.transaction() as db:
            kept = issuers.find(db, provider.issuer or "")
        if kept is None or kept.document is None:
            return provider
        return resolved(provider, Metadata.of(kept.document))

"""Checks the issuers that entries name: whether their metadata is there, fresh, and where it was."""

from __future__ import annotations

from collections.abc import Iterator

from refresher.cli.doctor import Finding, fail, ok, warn
from refresher.errors import CatalogueError
from refresher.rules.providers import Provider
from refresher.runtime.services import catalogue_from
from refresher.settings import Settings
from refresher.store import issuers
from refresher.store.issuers import KeptIssuer
from refresher.store.session import Database


def check(settings: Settings, database: Database) -> Iterator[Finding]:
    """Yields a finding for each entry whose endpoints its issuer tells."""
    try:
        named = catalogue_from(settings).looked_up
    except CatalogueError:
        return  # told already, by the check of the providers
    for provider in named:
        with database.transaction() as db:
            kept = issuers.find(db, provider.issuer or "")
        yield _finding(provider, kept)


def _finding(provider: Provider, kept: KeptIssuer | None) -> Finding:
    name = provider.name
    if kept is not None and kept.proposed is not None:
        mend = f"`refresher providers confirm {name}`, if its operator says so"
        return fail("issuers", f"{name}: {kept.trouble}", mend)
    if kept is None or kept.document is None:
        why = kept.trouble if kept and kept.trouble else "no scheduler has asked it yet"
        message = f"the metadata of {provider.issuer} is not known, so {name} waits: {why}"
        return fail("issuers", message, "mend its issuer, or give it token_url")
    if kept.trouble is not None:
        message = f"{name}: what was read on {kept.read_at:%Y-%m-%d} goes on; {kept.trouble}"
        return warn("issuers", message, "mend its issuer, or give it token_url")
    return ok("issuers", f"{name}: the metadata of {provider.issuer} is known")

"""Checks the issuers that entries name: whether their metadata is there, fresh, and where it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

from refresher.catalogue.discovery import Unfit
from refresher.catalogue.generic import RESOURCE
from refresher.errors import CatalogueError
from refresher.insight.doctor import Finding, fail, ok, warn
from refresher.outbound.resource_servers import ask
from refresher.rules.providers import Provider
from refresher.rules.reasons import page_of
from refresher.runtime.parts import catalogue_from
from refresher.runtime.services import egress_from
from refresher.settings import Settings
from refresher.store import issuers
from refresher.store.issuers import KeptIssuer
from refresher.store.session import Database

MOST = 20
"""How many servers are asked, and issuers told of."""
MEND = "ask whoever runs it; the tokens of its accounts are refreshed as before"


def check(settings: Settings, database: Database) -> Iterator[Finding]:
    """Yields a finding for each entry whose endpoints its issuer tells."""
    try:
        named = catalogue_from(settings).looked_up
    except CatalogueError:
        return  # told already, by the check of the providers
    with database.transaction() as db:
        rest = issuers.without_entry(db, most=MOST)
        known = [(p.name, p.issuer, issuers.find(db, p.issuer or "")) for p in named]
    for name, issuer, kept in known:
        yield _finding(name, issuer, kept)
    for kept in rest:
        if kept.slug is not None and kept.trouble is not None:
            yield _finding(kept.slug, kept.issuer, kept)
    yield from _moved(settings, database, named)


def _moved(settings: Settings, database: Database, named: Sequence[Provider]) -> Iterator[Finding]:
    """Yields a finding for each MCP server that names another issuer than its connections have.

    They keep theirs: tokens and secrets go nowhere else because of what a server says (D5).
    """
    with database.transaction() as db:
        served = issuers.resources(db, most=MOST)
    listed = ((p.name, p.issuer or "", p.default_placeholders.get(RESOURCE)) for p in named)
    served = [*((n, i, r) for n, i, r in listed if r), *served]
    loopback = settings.allow_insecure_hosts == "loopback"
    with closing(egress_from(settings)) as egress:
        for name, issuer, resource in served[:MOST]:
            try:
                said = ask(egress, resource, allow_loopback=loopback).metadata.issuers
            except Unfit as error:
                message = f"{name}: {resource} tells nothing of itself: {error}"
                yield warn("issuers", message, MEND, page_of("providers", name))
                continue
            if issuer not in said:
                others = ", ".join(said)
                message = f"{resource} names other issuers now ({others}): {name} keeps {issuer}"
                mend = "connect its accounts again, if that is right"
                yield warn("issuers", message, mend, page_of("providers", name))


def _finding(name: str, issuer: str | None, kept: KeptIssuer | None) -> Finding:
    page = page_of("providers", name)
    if kept is not None and kept.proposed is not None:
        mend = f"`refresher providers confirm {name}`, if its operator says so"
        return fail("issuers", f"{name}: {kept.trouble}", mend, page)
    if kept is None or kept.document is None:
        why = kept.trouble if kept and kept.trouble else "no scheduler has asked it yet"
        message = f"the metadata of {issuer} is not known, so {name} waits: {why}"
        return fail("issuers", message, "mend its issuer, or give it token_url", page)
    if kept.trouble is not None:
        message = f"{name}: what was read on {kept.read_at:%Y-%m-%d} goes on; {kept.trouble}"
        return warn("issuers", message, "mend its issuer, or give it token_url", page)
    return ok("issuers", f"{name}: the metadata of {issuer} is known")

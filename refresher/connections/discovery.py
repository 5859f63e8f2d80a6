"""Reads the metadata of issuers anew, beside the work: no refresh ever waits for it.

Once a day, and every five minutes while that fails. What is kept goes on meanwhile. Metadata that would
send tokens to a host where they never went waits for a person: `refresher providers confirm`.
"""

from __future__ import annotations

import structlog

from refresher.catalogue.discovery import Metadata, Unfit, strangers
from refresher.outbound.metadata import fetch
from refresher.runtime.services import Services
from refresher.store import issuers
from refresher.store.issuers import KeptIssuer
from refresher.store.session import Db

log = structlog.get_logger()
KEEP_SECONDS = 86_400.0
RETRY_SECONDS = 300.0
LOOK_SECONDS = 60.0
"""How often the scheduler looks whether one is due."""


def look(services: Services) -> None:
    """Asks the issuers that are due, and keeps what they say."""
    named = {one.issuer for one in services.catalogue.looked_up if one.issuer}
    with services.database.transaction() as db:
        named.update(one.issuer for one in issuers.without_entry(db))
        if not named:
            return
        due = issuers.claim(db, named, keep_seconds=KEEP_SECONDS, retry_seconds=RETRY_SECONDS)
    before = {one.issuer: one for one in due}
    loopback = services.settings.allow_insecure_hosts == "loopback"
    for issuer, found in fetch(services.exchange.egress, before, allow_loopback=loopback):
        with services.database.transaction() as db:
            _keep(db, before[issuer], found)


def _keep(db: Db, before: KeptIssuer, found: Metadata | Unfit) -> None:
    issuer = before.issuer
    if isinstance(found, Unfit):
        issuers.failed(db, issuer, str(found))
        since = before.read_at.isoformat() if before.read_at else None
        log.warning("an issuer's metadata cannot be read", why=str(found), kept_since=since)
        return
    kept = Metadata.of(before.document) if before.document else None
    if foreign := strangers(issuer, kept, found):
        why = f"{issuer} says now that tokens go to {', '.join(foreign)}: confirm it if that is so"
        issuers.propose(db, issuer, found.plain(), why)
        log.error("an issuer's metadata names other servers: the kept one goes on", why=why)
        return
    issuers.keep(db, issuer, found.plain())
    if found != kept:
        log.info("an issuer's metadata is kept", issuer=issuer, token_url=found.token_url)

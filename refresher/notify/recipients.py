"""Who is told by mail, and what messages know of an organization, as people manage it.

API and dashboard store both here; the command line, which is the operator's own, has no quota and no
domains. Each deed stands in the audit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from refresher.errors import RefresherError
from refresher.rules.access import Actor
from refresher.rules.addresses import (
    RECONNECT_WORDS,
    address_fault,
    canonical,
    domain_fault,
    template_fault,
)
from refresher.rules.return_urls import list_fault
from refresher.settings import Settings
from refresher.store import recipients
from refresher.store.audit import note
from refresher.store.quotas import Limited, Quota
from refresher.store.recipients import Organization, Recipient
from refresher.store.session import Database, Db


class InvalidRecipient(RefresherError):
    """Nobody can be told at this address."""


class InvalidOrganization(RefresherError):
    """What is said of an organization cannot be."""


class NoSuchRecipient(RefresherError):
    """No recipient has this id, or it is another organization's."""


def put(
    database: Database,
    settings: Settings,
    by: Actor,
    organization_id: str | None,
    address: str,
    choices: Mapping[str, str],
) -> tuple[Recipient, bool]:
    """Has somebody told (None: of what concerns operators), True for a new one.

    An address that a mail server refused is tried again after this. Raises `InvalidRecipient`, or
    `QuotaReached` where the organization has as many as it may have.
    """
    fault = address_fault(address) or domain_fault(address, settings.recipient_domains)
    if fault:
        raise InvalidRecipient(f"address: it {fault}")
    quota = Quota(Limited.RECIPIENTS, organization_id, settings.quota_recipients)
    with database.transaction() as db:
        room = quota.room(db)
        stored, is_new = recipients.add(db, organization_id, canonical(address), choices)
        quota.keep(room, int(is_new))
        _note(db, by, "recipient_stored", stored)
    return stored, is_new


def find(database: Database, recipient_id: UUID, organization_id: str | None) -> Recipient:
    """Returns a recipient; raises `NoSuchRecipient`, also for another organization's."""
    with database.transaction() as db:
        return _found(recipients.find(db, recipient_id, organization_id))


def choose(
    database: Database, by: Actor, recipient_id: UUID, choices: Mapping[str, str | None]
) -> Recipient:
    """Changes how somebody is told; None goes back to what holds for all."""
    with database.transaction() as db:
        stored = _found(recipients.choose(db, recipient_id, by.organization_id, choices))
        _note(db, by, "recipient_changed", stored)
    return stored


def drop(database: Database, by: Actor, recipient_id: UUID) -> Recipient:
    """Has somebody told no more; what was still to be told is dropped."""
    with database.transaction() as db:
        gone = _found(recipients.drop(db, by.organization_id, recipient_id=recipient_id))
        _note(db, by, "recipient_deleted", gone)
    return gone


def put_organization(
    database: Database,
    settings: Settings,
    by: Actor,
    wanted: Organization,
) -> Organization:
    """Stores what is said of an organization as a whole: what is None or empty is forgotten."""
    page = wanted.reconnect_url
    if fault := template_fault(page, RECONNECT_WORDS) if page else None:
        raise InvalidOrganization(f"reconnect_url: it {fault}")
    name = wanted.name
    if name is not None and not (name.strip() and name.isprintable()):
        raise InvalidOrganization("name: it is empty or holds a control character")
    urls: Sequence[str] = wanted.return_urls
    if why := list_fault(urls, settings.connect_return_urls):
        raise InvalidOrganization(f"return_urls: {why}")
    changes = {"name": name, "reconnect_url": page}
    with database.transaction() as db:
        stored = recipients.set_organization(db, wanted.id, changes, return_urls=urls)
        note(db, by, "organization_stored", wanted.id, "organization")
    return stored


def _found(recipient: Recipient | None) -> Recipient:
    if recipient is None:
        raise NoSuchRecipient("no recipient has this id")
    return recipient


def _note(db: Db, by: Actor, action: str, recipient: Recipient) -> None:
    note(db, by, action, recipient.organization_id, f"recipient:{recipient.id}")

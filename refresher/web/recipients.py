"""Recipients: who is told by mail, of which organization's connections, and how."""

from __future__ import annotations

from uuid import UUID

from refresher.rules.access import Scope
from refresher.rules.mail_addresses import address_fault, canonical, domain_fault
from refresher.store import recipients
from refresher.store.audit import note
from refresher.store.quotas import Limited, Quota
from refresher.store.recipients import Recipient
from refresher.store.session import Db
from refresher.web import cursors, reading
from refresher.web.call import Answer, Call, Route
from refresher.web.owning import owner, page
from refresher.web.problems import Problem
from refresher.web.queries import RecipientQuery
from refresher.web.state import State
from refresher.web.telling_models import (
    Choices,
    RecipientBody,
    RecipientPage,
    RecipientShape,
    Removed,
)

ALL = "/v1/recipients"
ONE = f"{ALL}/{{recipient_id}}"
TAGS = ("recipients",)


def list_(state: State, call: Call) -> Answer:
    """Lists recipients by organization and address, the operators first."""
    query: RecipientQuery = call.query
    listing = ("recipients", query.organization_id, query.operators)
    place = cursors.read(listing, query.cursor, [str, str])
    after = (str(place[0]), str(place[1])) if place else ("", "")
    only = [call.key.organization_id, query.organization_id, "" if query.operators else None]
    with state.services.database.transaction() as db:
        found = recipients.page(db, only, after=after, limit=query.limit + 1)
    return page(listing, found, query.limit, lambda r: [r.organization_id or "", r.address])


def put(state: State, call: Call) -> Answer:
    """Has somebody told, or adds to what was chosen for who is told already."""
    whose, address = owner(call), call.body.address
    settings = state.services.settings
    fault = address_fault(address) or domain_fault(address, settings.recipient_domains)
    if fault:
        raise Problem("invalid_recipient", f"address: it {fault}")
    quota = Quota(Limited.RECIPIENTS, whose, settings.quota_recipients)
    with state.services.database.transaction() as db:
        room = quota.room(db)
        stored, is_new = recipients.add(db, whose, canonical(address), call.body.choices)
        quota.keep(room, int(is_new))
        _note(db, call, "recipient_stored", stored)
    return Answer(stored, 201 if is_new else 200)


def show(state: State, call: Call) -> Answer:
    """Shows one recipient."""
    with state.services.database.transaction() as db:
        return Answer(_found(recipients.find(db, _id(call), call.key.organization_id)))


def change(state: State, call: Call) -> Answer:
    """Changes how somebody is told."""
    with state.services.database.transaction() as db:
        changed = recipients.choose(db, _id(call), call.key.organization_id, call.body.choices)
        stored = _found(changed)
        _note(db, call, "recipient_changed", stored)
    return Answer(stored)


def delete(state: State, call: Call) -> Answer:
    """Has somebody told no more."""
    with state.services.database.transaction() as db:
        dropped = recipients.drop(db, call.key.organization_id, recipient_id=_id(call))
        gone = _found(dropped)
        _note(db, call, "recipient_deleted", gone)
    return Answer({"id": gone.id, "deleted": True})


def _id(call: Call) -> UUID:
    return reading.path_id(call.path, "recipient_id", "no_such_recipient")


def _found(recipient: Recipient | None) -> Recipient:
    if recipient is None:
        raise Problem("no_such_recipient", "no recipient has this id")
    return recipient


def _note(db: Db, call: Call, action: str, recipient: Recipient) -> None:
    note(db, call.key.actor, action, recipient.organization_id, f"recipient:{recipient.id}")


ROUTES = (
    Route(
        "GET",
        ALL,
        list_,
        "List who is told by mail",
        Scope.READ,
        {200: RecipientPage},
        query=RecipientQuery,
        problems=("invalid_cursor",),
        tags=TAGS,
    ),
    Route(
        "PUT",
        ALL,
        put,
        "Have somebody told by mail",
        Scope.WRITE,
        {200: RecipientShape, 201: RecipientShape},
        description="Unless chosen otherwise, what needs a person comes at once, the rest in a "
        "digest. An address that a mail server refused is tried again after this.",
        body=RecipientBody,
        idempotent=True,
        problems=("invalid_recipient", "organization_mismatch", "quota_reached"),
        tags=TAGS,
    ),
    Route("GET", ONE, show, "Show a recipient", Scope.READ, {200: RecipientShape}, tags=TAGS),
    Route(
        "PATCH",
        ONE,
        change,
        "Change how somebody is told",
        Scope.WRITE,
        {200: RecipientShape},
        body=Choices,
        idempotent=True,
        tags=TAGS,
    ),
    Route(
        "DELETE",
        ONE,
        delete,
        "Have somebody told no more",
        Scope.WRITE,
        {200: Removed},
        description="What was still to be told is dropped.",
        idempotent=True,
        tags=TAGS,
    ),
)

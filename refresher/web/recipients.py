"""Recipients: who is told by mail, of which organization's connections, and how."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from refresher.rules.addresses import address_fault, canonical, domain_fault
from refresher.store import recipients
from refresher.store.audit import note
from refresher.store.quotas import Limited, Quota
from refresher.store.recipients import Recipient
from refresher.store.session import Db
from refresher.web.dependencies import (
    ONCE,
    Answered,
    Caller,
    Id,
    Reader,
    Removed,
    Writer,
    with_problems,
)
from refresher.web.paging import Page, page, read_texts
from refresher.web.problems import Problem
from refresher.web.routes import ApiRoute
from refresher.web.shapes import Choices, RecipientBody, RecipientQuery

router = APIRouter(prefix="/v1/recipients", tags=["recipients"], route_class=ApiRoute)
RecipientId = Annotated[Id, Path(alias="recipient_id")]


@router.get("", openapi_extra=with_problems("invalid_cursor"))
def list_recipients(caller: Reader, query: Annotated[RecipientQuery, Query()]) -> Page[Recipient]:
    """List who is told by mail."""
    listing = ("recipients", query.organization_id, query.operators)
    place = read_texts(listing, query.cursor, 2)
    after = (place[0], place[1]) if place else ("", "")
    only = [caller.organization_id, query.organization_id, "" if query.operators else None]
    with caller.database.transaction() as db:
        found = recipients.page(db, only, after=after, limit=query.limit + 1)
    return page(listing, found, query.limit, lambda r: [r.organization_id or "", r.address])


@router.put(
    "",
    responses={201: {"model": Recipient}},
    dependencies=[ONCE],
    openapi_extra=with_problems("invalid_recipient", "organization_mismatch", "quota_reached"),
)
def put_recipient(caller: Writer, body: RecipientBody) -> Answered[Recipient]:
    """Have somebody told by mail.

    Unless chosen otherwise, what needs a person comes at once, the rest in a digest. An address that a
    mail server refused is tried again after this.
    """
    whose, settings = caller.owner(body), caller.services.settings
    fault = address_fault(body.address) or domain_fault(body.address, settings.recipient_domains)
    if fault:
        raise Problem("invalid_recipient", f"address: it {fault}")
    quota = Quota(Limited.RECIPIENTS, whose, settings.quota_recipients)
    with caller.database.transaction() as db:
        room = quota.room(db)
        stored, is_new = recipients.add(db, whose, canonical(body.address), _chosen(body))
        quota.keep(room, int(is_new))
        _note(db, caller, "recipient_stored", stored)
    return Answered(stored, 201 if is_new else 200)


@router.get("/{recipient_id}")
def show_recipient(caller: Reader, recipient_id: RecipientId) -> Recipient:
    """Show a recipient."""
    with caller.database.transaction() as db:
        return _found(recipients.find(db, recipient_id, caller.organization_id))


@router.patch("/{recipient_id}", dependencies=[ONCE])
def change_recipient(caller: Writer, recipient_id: RecipientId, body: Choices) -> Recipient:
    """Change how somebody is told."""
    with caller.database.transaction() as db:
        changed = recipients.choose(db, recipient_id, caller.organization_id, _chosen(body))
        stored = _found(changed)
        _note(db, caller, "recipient_changed", stored)
    return stored


@router.delete("/{recipient_id}", dependencies=[ONCE])
def delete_recipient(caller: Writer, recipient_id: RecipientId) -> Removed:
    """Have somebody told no more.

    What was still to be told is dropped.
    """
    with caller.database.transaction() as db:
        gone = _found(recipients.drop(db, caller.organization_id, recipient_id=recipient_id))
        _note(db, caller, "recipient_deleted", gone)
    return Removed(gone.id)


def _chosen(body: RecipientBody | Choices) -> dict[str, Any]:
    """Returns what was chosen, as it is stored: by the kind's word."""
    chosen: dict[str, Any] = body.model_dump()["choices"]
    return chosen


def _found(recipient: Recipient | None) -> Recipient:
    if recipient is None:
        raise Problem("no_such_recipient", "no recipient has this id")
    return recipient


def _note(db: Db, caller: Caller, action: str, recipient: Recipient) -> None:
    note(db, caller.actor, action, recipient.organization_id, f"recipient:{recipient.id}")

"""Recipients: who is told by mail, of which organization's connections, and how."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from refresher.notify import recipients as people
from refresher.store import recipients
from refresher.store.recipients import Recipient
from refresher.web.dependencies import (
    ONCE,
    Answered,
    Id,
    Reader,
    Removed,
    Writer,
    with_problems,
)
from refresher.web.paging import Page, page, read_texts
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
    stored, is_new = people.put(
        caller.database,
        caller.services.settings,
        caller.actor,
        caller.owner(body),
        body.address,
        _chosen(body),
    )
    return Answered(stored, 201 if is_new else 200)


@router.get("/{recipient_id}")
def show_recipient(caller: Reader, recipient_id: RecipientId) -> Recipient:
    """Show a recipient."""
    return people.find(caller.database, recipient_id, caller.organization_id)


@router.patch("/{recipient_id}", dependencies=[ONCE])
def change_recipient(caller: Writer, recipient_id: RecipientId, body: Choices) -> Recipient:
    """Change how somebody is told."""
    return people.choose(caller.database, caller.actor, recipient_id, _chosen(body))


@router.delete("/{recipient_id}", dependencies=[ONCE])
def delete_recipient(caller: Writer, recipient_id: RecipientId) -> Removed:
    """Have somebody told no more.

    What was still to be told is dropped.
    """
    return Removed(people.drop(caller.database, caller.actor, recipient_id).id)


def _chosen(body: RecipientBody | Choices) -> dict[str, Any]:
    """Returns what was chosen, as it is stored: by the kind's word."""
    chosen: dict[str, Any] = body.model_dump()["choices"]
    return chosen

"""Organizations: name and reconnect page for messages, and the pages that consents lead to."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field

from refresher.notify import recipients as people
from refresher.rules.intake_fields import MAX_TEXT_LENGTH
from refresher.store import recipients
from refresher.store.recipients import Organization
from refresher.web.dependencies import ONCE, Caller, Reader, Writer, with_problems
from refresher.web.paging import Page, page, read_texts
from refresher.web.problems import Problem
from refresher.web.routes import ApiRoute
from refresher.web.shapes import CLEAN, Given, Label, PageQuery, WebUrl

router = APIRouter(prefix="/v1/organizations", tags=["organizations"], route_class=ApiRoute)
OrganizationId = Annotated[
    str, Path(json_schema_extra={"minLength": 1, "maxLength": MAX_TEXT_LENGTH})
]
ONE = "/{organization_id:path}"  # an organization's id is the caller's, and may have a /


class OrganizationBody(Given):
    """What is said of an organization, as a whole; null or left out is forgotten."""

    name: Label | None = Field(None, description="As people know it.")
    reconnect_url: WebUrl | None = Field(
        None,
        description="Your page on which a person connects again, with {external_id}, "
        "{connection_id}, {provider} or {organization_id} in it. null: REFRESHER_RECONNECT_URL.",
    )
    return_urls: list[WebUrl] = Field(
        default_factory=list,
        max_length=50,
        description="Where else people return to after a consent, on the operator's origins.",
    )


@router.get("", openapi_extra=with_problems("invalid_cursor"))
def list_organizations(caller: Reader, query: Annotated[PageQuery, Query()]) -> Page[Organization]:
    """List the organizations that something was set for."""
    place = read_texts("organizations", query.cursor, 1)
    after, own = place[0] if place else "", caller.organization_id
    with caller.database.transaction() as db:
        found = recipients.organizations(db, own, after=after, limit=query.limit + 1)
    return page("organizations", found, query.limit, lambda one: [one.id])


@router.get(ONE)
def show_organization(caller: Reader, organization_id: OrganizationId) -> Organization:
    """Show an organization."""
    id_ = _known(caller, organization_id)
    with caller.database.transaction() as db:
        stored = recipients.organization(db, id_, caller.organization_id)
    return stored or Organization(id_, None, None)


@router.put(ONE, dependencies=[ONCE], openapi_extra=with_problems("invalid_organization"))
def put_organization(
    caller: Writer, organization_id: OrganizationId, body: OrganizationBody
) -> Organization:
    """Set an organization's name, reconnect page and return URLs.

    All as a whole: what is null or left out is forgotten.
    """
    id_ = _known(caller, organization_id)
    wanted = Organization(id_, body.name, body.reconnect_url, body.return_urls)
    return people.put_organization(caller.database, caller.services.settings, caller.actor, wanted)


def _known(caller: Caller, given: str) -> str:
    """Returns the id of the path; raises 404 unless the key may know it."""
    if not is_known(given, caller.organization_id):
        raise Problem("no_such_organization", "no organization has this id")
    return given


def is_known(given: str, own: str | None) -> bool:
    """Whether a key of this organization (None: of all) may know what this id names."""
    is_id = given.strip() and len(given) <= MAX_TEXT_LENGTH and re.fullmatch(CLEAN, given)
    return bool(is_id) and own in {None, given}

"""Organizations: what messages know of one, its name and its reconnect page."""

from __future__ import annotations

import re

from refresher.rules.access import Scope
from refresher.rules.intake_fields import MAX_TEXT_LENGTH
from refresher.rules.url_template import RECONNECT_WORDS, template_fault
from refresher.store import recipients
from refresher.store.audit import note
from refresher.store.recipients import Organization
from refresher.web import cursors
from refresher.web.call import Answer, Call, Route
from refresher.web.models import CLEAN
from refresher.web.owning import page
from refresher.web.problems import Problem
from refresher.web.queries import PageQuery
from refresher.web.state import State
from refresher.web.telling_models import OrganizationBody, OrganizationPage, OrganizationShape

ALL = "/v1/organizations"
ONE = f"{ALL}/{{organization_id}}"
TAGS = ("organizations",)


def list_(state: State, call: Call) -> Answer:
    """Lists the organizations that something was set for."""
    query: PageQuery = call.query
    place = cursors.read("organizations", query.cursor, [str])
    after = str(place[0]) if place else ""
    own = call.key.organization_id
    with state.services.database.transaction() as db:
        found = recipients.organizations(db, own, after=after, limit=query.limit + 1)
    return page("organizations", found, query.limit, lambda one: [one.id])


def show(state: State, call: Call) -> Answer:
    """Shows what was set for an organization; nothing was is an answer as well."""
    id_ = _id(call)
    with state.services.database.transaction() as db:
        stored = recipients.organization(db, id_, call.key.organization_id)
    return Answer(stored or Organization(id_, None, None))


def put(state: State, call: Call) -> Answer:
    """Sets name and reconnect page, both of them."""
    id_, given = _id(call), call.body
    fault = template_fault(given.reconnect_url, RECONNECT_WORDS) if given.reconnect_url else None
    if fault:
        raise Problem("invalid_organization", f"reconnect_url: it {fault}")
    if given.name is not None and not (given.name.strip() and given.name.isprintable()):
        raise Problem("invalid_organization", "name: it is empty or holds a control character")
    changes = {"name": given.name, "reconnect_url": given.reconnect_url}
    with state.services.database.transaction() as db:
        stored = recipients.set_organization(db, id_, changes)
        note(db, call.key.actor, "organization_stored", id_, "organization")
    return Answer(stored)


def _id(call: Call) -> str:
    """Returns the id of the path; raises 404 unless the key may know it."""
    given, own = call.path["organization_id"], call.key.organization_id
    is_id = given.strip() and len(given) <= MAX_TEXT_LENGTH and re.fullmatch(CLEAN, given)
    if not is_id or own not in {None, given}:
        raise Problem("no_such_organization", "no organization has this id")
    return given


ROUTES = (
    Route(
        "GET",
        ALL,
        list_,
        "List the organizations that something was set for",
        Scope.READ,
        {200: OrganizationPage},
        query=PageQuery,
        problems=("invalid_cursor",),
        tags=TAGS,
    ),
    Route(
        "GET", ONE, show, "Show an organization", Scope.READ, {200: OrganizationShape}, tags=TAGS
    ),
    Route(
        "PUT",
        ONE,
        put,
        "Set an organization's name and reconnect page",
        Scope.WRITE,
        {200: OrganizationShape},
        description="Both as a whole: what is null or left out is forgotten.",
        body=OrganizationBody,
        idempotent=True,
        problems=("invalid_organization",),
        tags=TAGS,
    ),
)

"""Answers of providers that we could not read: looking at what is kept, and reading it again."""

from __future__ import annotations

from uuid import UUID

from refresher.errors import UnknownProvider
from refresher.refresh import rereading
from refresher.rules.access import Actor, Scope
from refresher.store import answers
from refresher.web import cursors, reading
from refresher.web.answer_models import (
    AnswerPage,
    AnswerShape,
    RereadBody,
    RereadList,
    RereadShape,
)
from refresher.web.call import Answer, Call, Route
from refresher.web.owning import page
from refresher.web.problems import Problem
from refresher.web.queries import AnswerQuery
from refresher.web.state import State

ALL = "/v1/answers"
ONE = f"{ALL}/{{answer_id}}"
TAGS = ("answers",)


def list_(state: State, call: Call) -> Answer:
    """Lists the answers that are kept, the newest first."""
    query: AnswerQuery = call.query
    listing = ("answers", query.provider, query.connection_id, query.unread)
    place = cursors.read(listing, query.cursor, [str])
    with state.services.database.transaction() as db:
        found = answers.page(
            db,
            call.key.organization_id,
            provider=query.provider,
            connection_id=query.connection_id,
            unread_only=query.unread,
            after=UUID(str(place[0])) if place else None,
            limit=query.limit + 1,
        )
    return page(listing, found, query.limit, lambda one: [str(one.id)])


def show(state: State, call: Call) -> Answer:
    """Shows one kept answer, never what stands in it."""
    return Answer(rereading.find(state.services, _id(call), _doer(call)))


def reread(state: State, call: Call) -> Answer:
    """Reads one again, and stores what it grants."""
    return Answer(rereading.reread(state.services, _id(call), _doer(call)))


def reread_all(state: State, call: Call) -> Answer:
    """Reads all of a provider again."""
    try:
        done = rereading.reread_provider(state.services, call.body.provider, _doer(call))
    except UnknownProvider:
        sentence = "no provider has this name: GET /v1/providers lists all"
        raise Problem("no_such_provider", sentence) from None
    return Answer({"items": done})


def _id(call: Call) -> UUID:
    return reading.path_id(call.path, "answer_id", "no_such_answer")


def _doer(call: Call) -> Actor:
    return Actor(call.key.id, call.key.organization_id)


ROUTES = (
    Route(
        "GET",
        ALL,
        list_,
        "List the answers that could not be read",
        Scope.READ,
        {200: AnswerPage},
        description="They are kept sealed, and nothing of what stands in them is shown.",
        query=AnswerQuery,
        problems=("invalid_cursor",),
        tags=TAGS,
    ),
    # Before the routes of one, whose id it is not.
    Route(
        "POST",
        f"{ALL}/reread",
        reread_all,
        "Read all answers of a provider again",
        Scope.WRITE,
        {200: RereadList},
        body=RereadBody,
        idempotent=True,
        problems=("no_such_provider", "token_unavailable"),
        tags=TAGS,
    ),
    Route("GET", ONE, show, "Show such an answer", Scope.READ, {200: AnswerShape}, tags=TAGS),
    Route(
        "POST",
        f"{ONE}/reread",
        reread,
        "Read an answer again",
        Scope.WRITE,
        {200: RereadShape},
        description="Through today's providers file. Its tokens are stored, and the connection goes "
        "on; or `still_unread` says why not.",
        idempotent=True,
        problems=("token_unavailable", "invalid_connection"),
        tags=TAGS,
    ),
)

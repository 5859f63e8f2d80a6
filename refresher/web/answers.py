"""Answers of providers that we could not read: looking at what is kept, and reading it again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from refresher.errors import UnknownProvider
from refresher.refresh import rereading
from refresher.refresh.rereading import Reread
from refresher.store import answers
from refresher.store.answers import AnswerView
from refresher.web.catalogue import no_such_provider
from refresher.web.dependencies import ONCE, Id, Reader, Writer, with_problems
from refresher.web.paging import Items, Page, page, read_id
from refresher.web.routes import ApiRoute
from refresher.web.shapes import AnswerQuery, RereadBody

router = APIRouter(prefix="/v1/answers", tags=["answers"], route_class=ApiRoute)
AnswerId = Annotated[Id, Path(alias="answer_id")]


@router.get("", openapi_extra=with_problems("invalid_cursor"))
def list_answers(caller: Reader, query: Annotated[AnswerQuery, Query()]) -> Page[AnswerView]:
    """List the answers that could not be read.

    They are kept sealed, and nothing of what stands in them is shown.
    """
    listing = ("answers", query.provider, query.connection_id, query.unread)
    with caller.database.transaction() as db:
        found = answers.page(
            db,
            caller.organization_id,
            provider=query.provider,
            connection_id=query.connection_id,
            unread_only=query.unread,
            after=read_id(listing, query.cursor),
            limit=query.limit + 1,
        )
    return page(listing, found, query.limit, lambda one: [str(one.id)])


@router.post(
    "/reread",
    dependencies=[ONCE],
    openapi_extra=with_problems("no_such_provider", "token_unavailable"),
)
def reread_answers(caller: Writer, body: RereadBody) -> Items[Reread]:
    """Read all answers of a provider again."""
    try:
        return Items(rereading.reread_provider(caller.services, body.provider, caller.actor))
    except UnknownProvider:
        raise no_such_provider() from None


@router.get("/{answer_id}")
def show_answer(caller: Reader, answer_id: AnswerId) -> AnswerView:
    """Show such an answer."""
    return rereading.find(caller.services, answer_id, caller.actor)


@router.post(
    "/{answer_id}/reread",
    dependencies=[ONCE],
    openapi_extra=with_problems("token_unavailable", "invalid_connection"),
)
def reread_answer(caller: Writer, answer_id: AnswerId) -> Reread:
    """Read an answer again.

    Through today's providers file. Its tokens are stored, and the connection goes on; or
    `still_unread` says why not.
    """
    return rereading.reread(caller.services, answer_id, caller.actor)

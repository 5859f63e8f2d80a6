"""Resume links: made, listed and withdrawn with a key; `POST /v1/resume/{token}` uses one without."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from refresher.connections.resume_links import (
    LinkRefused,
    ResumeLink,
    make_link,
    open_links,
    use_link,
    withdraw_link,
)
from refresher.errors import NoSuchLink
from refresher.rules.resume_links import MAX_SECONDS, MIN_SECONDS
from refresher.store.inbound import LinkView
from refresher.web.dependencies import ONCE, ConnectionId, Id, Reader, Writer, with_problems
from refresher.web.paging import Items
from refresher.web.problems import Problem
from refresher.web.reading import json_in
from refresher.web.routes import ApiRoute
from refresher.web.shapes import Given, Yes
from refresher.web.visits import HEADERS, LinkPage, OpenRoute, Visit, Visited

DAY = 86_400.0
LinkId = Annotated[Id, Path(alias="link_id")]


class LinkOrder(Given):
    """How long a link lasts."""

    expires_in_seconds: Annotated[float, Field(strict=True, ge=MIN_SECONDS, le=MAX_SECONDS)] = DAY
    replaces_tokens: Yes = Field(
        default=False,
        description="Whether it takes tokens also while the connection works: then whoever has it may "
        "put another account in the place of this one.",
    )


class ResumeBody(BaseModel):
    """What may come along: new tokens, and whatever is to be written down."""

    model_config = ConfigDict(extra="allow")

    tokens: dict[str, Any] = Field(
        default_factory=dict,
        description="access_token, refresh_token, expires_in …, or the provider's whole answer as "
        "`answer`; to be stored.",
    )
    retry: bool = Field(default=False, description="Try tokens again that were refused.")


USUAL_LINK = LinkOrder()


@dataclass(frozen=True, slots=True)
class Resumed:
    """The connection goes on."""

    resumed: Literal[True]


class ResumeRoute(OpenRoute):
    """Takes the visits of whoever has a link; a browser is shown a page."""

    most_bytes = 262_144
    page = LinkPage(
        "Go on with this connection?",
        "It is not being refreshed at present. This makes it go on; the link works once.",
        "Go on",
        "It goes on.",
        "The connection is being refreshed. You can close this page.",
    )


router = APIRouter(prefix="/v1/connections/{id}", tags=["connections"], route_class=ApiRoute)
visits = APIRouter(prefix="/v1/resume", tags=["outside"], route_class=ResumeRoute)
EXTRA: dict[str, Any] = {
    "requestBody": {
        "required": False,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/ResumeBody"}},
        },
    },
    **with_problems(
        *("invalid_link", "link_expired", "link_used", "link_withdrawn", "not_waiting"),
        *("tokens_needed", "invalid_connection", "invalid_json", "invalid_body"),
        "unsupported_media_type",
    ),
}


@router.post("/resume-link", status_code=201, openapi_extra=with_problems("quota_reached"))
def make_resume_link(
    caller: Writer, connection_id: ConnectionId, body: LinkOrder = USUAL_LINK
) -> ResumeLink:
    """Make a resume link.

    A POST to it, without an API key, resumes the connection once: with an empty body, or a JSON object
    whose `tokens` (access_token, refresh_token, expires_in …) are stored, whose `retry` tries refused
    tokens again, and whose other members are written down.
    """
    return make_link(
        caller.services,
        connection_id,
        seconds=body.expires_in_seconds,
        by=caller.actor,
        replaces_tokens=body.replaces_tokens,
        most=caller.services.settings.quota_links,
    )


@router.get("/resume-links")
def list_resume_links(caller: Reader, connection_id: ConnectionId) -> Items[LinkView]:
    """List a connection's resume links.

    Those that may still be used, and those of the last weeks.
    """
    return Items(open_links(caller.database, connection_id, caller.actor))


@router.delete("/resume-links/{link_id}", dependencies=[ONCE])
def withdraw_resume_link(caller: Writer, connection_id: ConnectionId, link_id: LinkId) -> LinkView:
    """Withdraw a resume link.

    Whoever has it is told 410. One that was used stays used.
    """
    try:
        return withdraw_link(caller.database, connection_id, link_id, caller.actor)
    except NoSuchLink as none:
        raise Problem("no_such_link", str(none)) from None


@visits.get("/{token}", include_in_schema=False)
async def ask_to_resume(visit: Visited, token: str) -> Response:
    """Show the page with the button, the same for every link."""
    del visit, token
    return Response(ResumeRoute.page.asking(), headers=HEADERS)


@visits.post("/{token}", openapi_extra=EXTRA)
def use_resume_link(
    visit: Visited, token: Annotated[str, Path(json_schema_extra={"minLength": 1})]
) -> Resumed:
    """Use a resume link.

    Resumes the connection of the link, once. The body may be left out. A browser that opens the link
    shows a page with a button that does it; looking alone uses nothing up.
    """
    try:
        use_link(visit.state.services, token, _json(visit))
    except LinkRefused as refused:
        raise Problem(refused.code, str(refused)) from None
    return Resumed(True)  # noqa: FBT003  the field's one value


def _json(visit: Visit) -> object:
    """Returns the body; None when it is empty. Raises 400 or 415."""
    if not visit.body:
        return None
    kind = visit.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem("unsupported_media_type", "send the body as `Content-Type: application/json`")
    return json_in(visit.body)

"""Resume links: made, listed and withdrawn with a key; `POST /v1/resume/{token}` uses one without."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from refresher.connections.resume_links import (
    LinkRefused,
    NoSuchLink,
    make_link,
    open_links,
    use_link,
    withdraw_link,
)
from refresher.rules.access import Scope
from refresher.rules.resume_links import MAX_SECONDS, MIN_SECONDS
from refresher.web.call import Answer, Call, Route
from refresher.web.link_page import LinkPage
from refresher.web.models import Body, Shape
from refresher.web.open import Open, OpenRoute
from refresher.web.problems import Problem
from refresher.web.reading import json_in, path_id
from refresher.web.state import State

DAY = 86_400.0


class LinkOrder(Body):
    """How long a link lasts."""

    expires_in_seconds: Annotated[float, Field(ge=MIN_SECONDS, le=MAX_SECONDS)] = DAY
    replaces_tokens: bool = Field(
        default=False,
        description="Whether it takes tokens also while the connection works: then whoever has it may "
        "put another account in the place of this one.",
    )


class ResumeLink(Shape):
    """A link that resumes one connection, once. Whoever has it needs no API key: treat it as one."""

    id: UUID
    connection_id: UUID
    path: str = Field(description="To POST to, on this server.")
    url: str | None = Field(description="The same with REFRESHER_PUBLIC_URL, null without that.")
    expires_at: str


class SeenLink(Shape):
    """A link as it stands; the link itself is stored nowhere."""

    id: UUID
    connection_id: UUID
    state: Literal["open", "used", "withdrawn", "expired"] = Field(
        description="withdrawn as well when the key that made it is revoked."
    )
    made_by: str
    key_id: str | None = Field(description="The key that made it; null: somebody without a key.")
    made_at: datetime
    expires_at: datetime
    used_at: datetime | None
    withdrawn_at: datetime | None
    replaces_tokens: bool


class LinkList(Shape):
    """The links of a connection of the last weeks, the newest first."""

    items: list[SeenLink]


class ResumeBody(BaseModel):
    """What may come along: new tokens, and whatever is to be written down."""

    model_config = ConfigDict(extra="allow")

    tokens: dict[str, Any] = Field(
        default_factory=dict,
        description="access_token, refresh_token, expires_in …, or the provider's whole answer as "
        "`answer`; to be stored.",
    )
    retry: bool = Field(default=False, description="Try tokens again that were refused.")


class Resumed(Shape):
    """The connection goes on."""

    resumed: Literal[True]


def make(state: State, call: Call) -> Answer:
    """Makes a link."""
    services, key = state.services, call.key
    made = make_link(
        services,
        call.connection_id,
        seconds=call.body.expires_in_seconds,
        by=key.actor,
        replaces_tokens=call.body.replaces_tokens,
        most=services.settings.quota_links,
    )
    base = services.settings.public_url
    return Answer(
        {
            "id": made.id,
            "connection_id": made.connection_id,
            "path": made.path,
            "url": base and f"{base}{made.path}",
            "expires_at": made.expires_at.isoformat().replace("+00:00", "Z"),
        },
        201,
    )


def list_(state: State, call: Call) -> Answer:
    """Lists a connection's links."""
    found = open_links(state.services.database, call.connection_id, call.key.actor)
    return Answer({"items": found})


def withdraw(state: State, call: Call) -> Answer:
    """Withdraws a link."""
    id_ = path_id(call.path, "link_id", "no_such_link")
    database, by = state.services.database, call.key.actor
    try:
        return Answer(withdraw_link(database, call.connection_id, id_, by))
    except NoSuchLink as none:
        raise Problem("no_such_link", str(none)) from None


def use(state: State, given: Open) -> dict[str, object]:
    """Resumes the connection of a link. Tells nothing of it but that it goes on."""
    try:
        use_link(state.services, given.path["token"], _json(given))
    except LinkRefused as refused:
        raise Problem(refused.code, str(refused)) from None
    return {"resumed": True}


def _json(given: Open) -> object:
    """Returns the body; None when it is empty. Raises 400 or 415."""
    if not given.body:
        return None
    kind = given.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem("unsupported_media_type", "send the body as `Content-Type: application/json`")
    return json_in(given.body)


OPEN = (
    OpenRoute(
        "/v1/resume/{token}",
        use,
        262_144,
        "Use a resume link",
        "Resumes the connection of the link, once. The body may be left out. A browser that opens the "
        "link shows a page with a button that does it; looking alone uses nothing up.",
        {200: Resumed},
        {"application/json": ResumeBody},
        (
            *(
                "invalid_link",
                "link_expired",
                "link_used",
                "link_withdrawn",
                "not_waiting",
                "tokens_needed",
            ),
            *("invalid_connection", "invalid_json", "invalid_body", "unsupported_media_type"),
        ),
        ("outside",),
        page=LinkPage(
            "Go on with this connection?",
            "It is not being refreshed at present. This makes it go on; the link works once.",
            "Go on",
            "It goes on.",
            "The connection is being refreshed. You can close this page.",
        ),
    ),
)
ROUTES = (
    Route(
        "POST",
        "/v1/connections/{id}/resume-link",
        make,
        "Make a resume link",
        Scope.WRITE,
        {201: ResumeLink},
        description="A POST to it, without an API key, resumes the connection once: with an empty "
        "body, or a JSON object whose `tokens` (access_token, refresh_token, expires_in …) are stored, "
        "whose `retry` tries refused tokens again, and whose other members are written down.",
        body=LinkOrder,
        body_required=False,
        problems=("quota_reached",),
    ),
    Route(
        "GET",
        "/v1/connections/{id}/resume-links",
        list_,
        "List a connection's resume links",
        Scope.READ,
        {200: LinkList},
        description="Those that may still be used, and those of the last weeks.",
    ),
    Route(
        "DELETE",
        "/v1/connections/{id}/resume-links/{link_id}",
        withdraw,
        "Withdraw a resume link",
        Scope.WRITE,
        {200: SeenLink},
        description="Whoever has it is told 410. One that was used stays used.",
        idempotent=True,
    ),
)

"""`POST /v1/connections/{id}/resume-link` makes a link, `POST /v1/resume/{token}` uses it."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field

from refresher.resuming import LinkRefused, make_link, use_link
from refresher.rules.access import Scope
from refresher.rules.links import MAX_SECONDS, MIN_SECONDS
from refresher.store import audit
from refresher.store.audit import Deed
from refresher.web.call import Answer, Call, Route
from refresher.web.models import Body, Shape
from refresher.web.open import Open, OpenRoute
from refresher.web.problems import Problem
from refresher.web.state import State

DAY = 86_400.0


class LinkOrder(Body):
    """How long a link lasts."""

    expires_in_seconds: Annotated[float, Field(ge=MIN_SECONDS, le=MAX_SECONDS)] = DAY


class ResumeLink(Shape):
    """A link that resumes one connection, once. Whoever has it needs no API key: treat it as one."""

    id: UUID
    connection_id: UUID
    path: str = Field(description="To POST to, on this server.")
    url: str | None = Field(description="The same with REFRESHER_PUBLIC_URL, null without that.")
    expires_at: str


class ResumeBody(BaseModel):
    """What may come along: new tokens, and whatever is to be written down."""

    model_config = ConfigDict(extra="allow")

    tokens: dict[str, Any] = Field(
        default_factory=dict, description="access_token, refresh_token, expires_in …, to be stored."
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
        made_by=f"by API key {key.id}",
        organization_id=key.organization_id,
    )
    with services.database.transaction() as db:
        deed = Deed(
            key.id, "resume_link", key.organization_id, call.connection_id, subject=str(made.id)
        )
        audit.append(db, [deed])
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
    try:
        return orjson.loads(given.body)
    except ValueError:
        raise Problem("invalid_json", "the body is not JSON (RFC 8259)") from None


OPEN = (
    OpenRoute(
        "/v1/resume/{token}",
        use,
        262_144,
        "Use a resume link",
        "Resumes the connection of the link, once. The body may be left out.",
        {200: Resumed},
        {"application/json": ResumeBody},
        (
            *("invalid_link", "link_expired", "link_used", "not_waiting", "tokens_needed"),
            *("invalid_connection", "invalid_json", "invalid_body", "unsupported_media_type"),
        ),
        ("outside",),
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
    ),
)

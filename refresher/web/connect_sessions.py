"""Connect sessions: made, looked at, cancelled and completed with a key. The pages are `connect/`.

A session's link is answered once, when it is made, and is stored nowhere.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import Field

from refresher.connections import connect
from refresher.connections.discovered import with_provider
from refresher.rules.access import Scope
from refresher.rules.connect import Finish, Flow, Session, State
from refresher.rules.connect_view import SessionView, view
from refresher.store.connect import SessionFilter
from refresher.web.dependencies import NOT_ITS_OWN, ONCE, Caller, Connector, Id, with_problems
from refresher.web.paging import Page, page, read_id
from refresher.web.problems import Problem
from refresher.web.routes import ApiRoute
from refresher.web.shapes import Given, Needed, PageQuery, Scopes, Text, Visible, WebUrl, Yes

router = APIRouter(prefix="/v1/connect/sessions", tags=["connect"], route_class=ApiRoute)
SessionId = Annotated[Id, Path(alias="session_id")]
MAKING = (
    *("connect_disabled", "public_url_missing", "cannot_connect", "app_missing"),
    *("redirect_uri_refused", "return_url_refused", "connection_exists", "disabled"),
    *("organization_mismatch", "invalid_connection", "no_such_connection", "quota_reached"),
    *("discovery_refused", "too_many_waiting"),
)
"""The problems of beginning a session."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 1.0
"""Between two looks at a session whose end is waited for."""


class SessionOrder(Given):
    """What to connect, for whom, and where the person goes afterwards."""

    provider: Needed | None = Field(None, description="Left out for a reconnect.")
    organization_id: Needed | None = Field(None, description="Left out: that of the API key.")
    external_id: Needed | None = Field(
        None, description="Left out: the account's own id, where the provider tells it."
    )
    connection_id: UUID | None = Field(None, description="Instead of these: this one's reconnect.")
    server_url: Needed | None = Field(None, description="Instead of a provider: an MCP server's.")
    issuer: Needed | None = Field(None, description="Instead of a provider: an OpenID issuer.")
    app: Needed | None = None
    host: Needed | None = None
    placeholders: dict[str, Text] = Field(default_factory=dict)
    scopes: Scopes = Field(default_factory=list, description="Asked for besides the usual ones.")
    required_scopes: Scopes = Field(
        default_factory=list, description="Without these it comes to no connection."
    )
    parameters: dict[str, Text] = Field(
        default_factory=dict,
        description="Of the authorize URL; those that the provider's entry lists.",
    )
    account_hint: Needed | None = None
    for_whom: Needed | None = Field(None, description="Shown on the page: whose account is wanted.")
    return_url: WebUrl | None = Field(
        None, description="One of REFRESHER_CONNECT_RETURN_URLS, or of the organization's."
    )
    flow: Flow = Flow.REDIRECT
    finish: Finish = Finish.PAGE
    finish_challenge: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")] | None = Field(
        None, description="The S256 of a verifier that the application keeps (RFC 7636)."
    )
    expires_in_seconds: Annotated[float, Field(strict=True, ge=60, le=30 * 86_400)] | None = None
    if_exists: Literal["reconnect", "refuse"] = "reconnect"
    leave_in_between_steps: Yes = Field(
        default=False, description="No refresh until you register it as finished."
    )
    allow_account_change: Yes = Field(
        default=False, description="Take another account than the connection's; needs `write`."
    )


class Confirmation(Given):
    """What only the person's own browser, and only the application, have."""

    code: Visible = Field(description="`connect_code` of the return URL.")
    verifier: Annotated[str, Field(pattern=r"^[A-Za-z0-9._~-]{43,128}$")]


class SessionWait(Given):
    """How long the end of the session may be waited for."""

    wait_seconds: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)] = 0.0


class SessionQuery(PageQuery):
    """Which sessions, and which page of them."""

    organization_id: Text | None = None
    provider: Text | None = None
    state: State | None = None
    connection_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session, and its link: whoever has the link can connect an account, so treat it as a key."""

    id: UUID
    url: str = field(repr=False)
    state: State
    connection_id: UUID | None
    expires_at: datetime


@router.post("", status_code=201, openapi_extra=with_problems(*MAKING))
async def begin_connect_session(caller: Connector, body: SessionOrder) -> NewSession:
    """Begin a connect session.

    The answer's `url` is for the person whose account it is: open it in their browser. An account that
    is connected already is connected again. It is answered once, so there is no Idempotency-Key.
    """
    own = caller.organization_id
    if own is not None and body.organization_id not in {None, own}:
        raise Problem("organization_mismatch", NOT_ITS_OWN)
    if body.allow_account_change and Scope.WRITE not in caller.key.scopes:
        sentence = f"allow_account_change needs a key with the scope `{Scope.WRITE}`"
        raise Problem("scope_missing", sentence)
    # A server that nobody wrote an entry for is somebody else's, and may take its time.
    on = caller.outside if body.server_url or body.issuer else caller.in_thread
    seen, url = await on(_begin, caller, body)
    return NewSession(seen.id, url, seen.state, seen.connection_id, seen.expires_at)


def _begin(caller: Caller, body: SessionOrder) -> tuple[Session, str]:
    given = {**body.model_dump(), "organization_id": body.organization_id or caller.organization_id}
    order = connect.Order(**with_provider(caller.services, given, caller.actor))
    made = connect.make(caller.services, order, caller.actor)
    return made.session, made.url


@router.get("", openapi_extra=with_problems("invalid_cursor"))
def list_connect_sessions(
    caller: Connector, query: Annotated[SessionQuery, Query()]
) -> Page[SessionView]:
    """List connect sessions.

    The newest first, those of the last 30 days; never a link.
    """
    chosen = SessionFilter(**query.model_dump(exclude={"cursor", "limit"}))
    before = read_id(chosen, query.cursor)
    found = connect.listed(
        caller.services, chosen, caller.actor, before=before, limit=query.limit + 1
    )
    return page(chosen, [view(one) for one in found], query.limit, lambda one: [str(one.id)])


@router.get("/{session_id}")
async def show_connect_session(
    caller: Connector, session_id: SessionId, query: Annotated[SessionWait, Query()]
) -> SessionView:
    """Show a connect session.

    With `wait_seconds` the answer comes when the session has ended, or when so long is over.
    """
    until, pause = monotonic() + query.wait_seconds, FIRST_PAUSE_SECONDS
    while True:
        found = await caller.in_thread(connect.find, caller.services, session_id, caller.actor)
        left = until - monotonic()
        if found.state is State.ENDED or left <= 0 or caller.services.stopping.is_set():
            return view(found)
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)


@router.post("/{session_id}/cancel", dependencies=[ONCE])
def cancel_connect_session(caller: Connector, session_id: SessionId) -> SessionView:
    """Cancel a connect session.

    Its link leads nowhere from then on. One that has ended stays as it ended.
    """
    return view(connect.cancel(caller.services, session_id, caller.actor))


@router.post("/{session_id}/complete", openapi_extra=with_problems("not_confirmed"))
def complete_connect_session(
    caller: Connector, session_id: SessionId, body: Confirmation
) -> SessionView:
    """Complete a connect session of an application that has the last word.

    `code` came to the return URL, in the browser of whoever consented; `verifier` is in the session of
    the user for whom it was begun. Both together say that the two are one person: only then is the
    account connected. Within ten minutes.
    """
    done = connect.complete(caller.services, session_id, body.code, body.verifier, caller.actor)
    return view(done)

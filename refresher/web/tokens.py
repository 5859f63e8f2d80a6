"""The token route, the only one through which a token leaves; and refresh now.

`token_endpoint.py` serves the first two operations in front of FastAPI, through these same functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from refresher.connections.lifecycle import find, note
from refresher.refresh.on_demand import RefreshResult
from refresher.web.dependencies import (
    ONCE,
    Caller,
    ConnectionId,
    TokenReader,
    Writer,
    with_problems,
)
from refresher.web.problems import Problem, of
from refresher.web.routes import ApiRoute
from refresher.web.shapes import RefreshWish, TokenQuery, TokenWish

WAIT_SECONDS = 20.0
PATH = "/v1/connections/{id}/token"
USUAL_TOKEN, USUAL_REFRESH = TokenWish(), RefreshWish()
UNAVAILABLE = with_problems("no_such_slot", "token_unavailable", "token_unavailable_now")
router = APIRouter(tags=["tokens"], route_class=ApiRoute)


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A valid access token. `stale`: it is less fresh than was asked, and `reason` says why.

    `scopes` are those granted, or asked for where no answer told. `slot` is null for the main token.
    """

    access_token: str
    token_type: str
    expires_at: datetime | None
    expires_in_seconds: float | None
    scopes: Sequence[str]
    credential_version: int
    fingerprint: str
    stale: bool
    reason: str | None
    kept_fields: Mapping[str, str | int | float | bool]
    old_access_token_survives: bool
    slot: str | None


@router.get(PATH, openapi_extra=UNAVAILABLE)
async def get_token(
    caller: TokenReader, connection_id: ConnectionId, query: Annotated[TokenQuery, Query()]
) -> AccessToken:
    """Get a valid access token.

    A token that is fresh enough is answered at once. Otherwise it is refreshed first, or the refresh
    that is under way is waited for, for up to 20 seconds. An expired token is never answered.
    """
    ttl = query.min_ttl_seconds
    return await _token(caller, connection_id, query.slot, ttl, None, WAIT_SECONDS)


@router.post(PATH, openapi_extra=UNAVAILABLE)
async def request_token(
    caller: TokenReader, connection_id: ConnectionId, body: TokenWish = USUAL_TOKEN
) -> AccessToken:
    """Get a valid access token, and report one that was rejected.

    `rejected` is the fingerprint of a token that the resource server answered with 401. If it is the
    stored one's, that is refreshed, once however many report it; if it is an older one's, the stored
    one is answered.
    """
    ttl, wait = body.min_ttl_seconds, body.wait_seconds
    return await _token(caller, connection_id, body.slot, ttl, body.rejected, wait)


@router.post(
    "/v1/connections/{id}/refresh",
    dependencies=[ONCE],
    openapi_extra=with_problems("not_refreshable", "token_unavailable_now"),
)
async def refresh_connection(
    caller: Writer, connection_id: ConnectionId, body: RefreshWish = USUAL_REFRESH
) -> RefreshResult:
    """Refresh now.

    Ahead of everything that waits. Where another process is at it, its outcome is waited for.
    """
    database, by = caller.database, caller.actor
    seen = (await caller.in_thread(find, database, by, connection_id)).seen
    await caller.in_thread(note, database, by, "refresh_asked", seen)
    try:
        return await caller.state.on_demand.refresh_now_async(
            connection_id,
            wait_seconds=body.wait_seconds,
            organization_id=caller.organization_id,
        )
    except Exception as error:
        problem = of(error)
        if problem is None or problem.code != "token_unavailable":
            raise
        raise Problem("not_refreshable", problem.detail, reason=problem.reason) from error


async def _token(
    caller: Caller,
    connection_id: UUID,
    slot: str | None,
    min_ttl_seconds: float,
    rejected: str | None,
    wait_seconds: float,
) -> AccessToken:
    served = await caller.state.on_demand.fresh_token_async(
        connection_id,
        min_ttl_seconds=min_ttl_seconds,
        wait_seconds=wait_seconds,
        rejected=rejected,
        organization_id=caller.organization_id,
        slot=slot,
    )
    caller.state.note_read(caller.key, connection_id)
    return AccessToken(
        access_token=served.access_token.reveal(),
        token_type=served.token_type,
        expires_at=served.expires_at,
        expires_in_seconds=served.expires_in_seconds,
        scopes=served.scopes,
        credential_version=served.credential_version,
        fingerprint=served.fingerprint,
        stale=served.stale,
        reason=served.reason,
        kept_fields=served.kept_fields,
        old_access_token_survives=served.old_access_token_survives,
        slot=served.slot,
    )

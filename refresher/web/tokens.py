"""The token route, the only one through which a token leaves; and refresh now."""

from __future__ import annotations

from refresher.connections.lifecycle import find, note
from refresher.refresh.on_demand import RefreshResult, Served
from refresher.rules.access import Scope
from refresher.web.call import Answer, Call, Route
from refresher.web.models import AccessToken, Refreshed, RefreshWish, TokenWish
from refresher.web.problems import Problem, of
from refresher.web.queries import TokenQuery
from refresher.web.state import State

WAIT_SECONDS = 20.0


async def get_token(state: State, call: Call) -> Answer:
    """Returns the stored token, refreshed first when its life is too short."""
    return await _token(state, call, call.query.min_ttl_seconds, None, WAIT_SECONDS)


async def wish_token(state: State, call: Call) -> Answer:
    """The same, with a patience, and the report that a token was rejected."""
    wish: TokenWish = call.body
    return await _token(state, call, wish.min_ttl_seconds, wish.rejected, wish.wait_seconds)


async def refresh(state: State, call: Call) -> Answer:
    """Refreshes now, whatever the token's life, and tells how it ended."""
    database, by = state.services.database, call.key.actor
    seen = (await state.in_thread(find, database, by, call.connection_id)).seen
    await state.in_thread(note, database, by, "refresh_asked", seen)
    try:
        ending: RefreshResult = await state.on_demand.refresh_now_async(
            call.connection_id,
            wait_seconds=call.body.wait_seconds,
            organization_id=call.key.organization_id,
        )
    except Exception as error:
        problem = of(error)
        if problem is None or problem.code != "token_unavailable":
            raise
        raise Problem("not_refreshable", problem.detail, reason=problem.reason) from error
    return Answer(ending)


async def _token(
    state: State, call: Call, min_ttl_seconds: float, rejected: str | None, wait_seconds: float
) -> Answer:
    served = await state.on_demand.fresh_token_async(
        call.connection_id,
        min_ttl_seconds=min_ttl_seconds,
        wait_seconds=wait_seconds,
        rejected=rejected,
        organization_id=call.key.organization_id,
    )
    state.note_read(call.key, call.connection_id)
    return Answer(_shown(served))


def _shown(served: Served) -> dict[str, object]:
    return {
        "access_token": served.access_token.reveal(),
        "token_type": served.token_type,
        "expires_at": served.expires_at,
        "expires_in_seconds": served.expires_in_seconds,
        "scopes": served.scopes,
        "credential_version": served.credential_version,
        "fingerprint": served.fingerprint,
        "stale": served.stale,
        "reason": served.reason,
        "kept_fields": served.kept_fields,
    }


UNAVAILABLE = ("token_unavailable", "token_unavailable_now")
ROUTES = (
    Route(
        "GET",
        "/v1/connections/{id}/token",
        get_token,
        "Get a valid access token",
        Scope.TOKEN,
        {200: AccessToken},
        description="A token that is fresh enough is answered at once. Otherwise it is refreshed "
        "first, or the refresh that is under way is waited for, for up to 20 seconds. An expired "
        "token is never answered.",
        query=TokenQuery,
        problems=UNAVAILABLE,
        tags=("tokens",),
    ),
    Route(
        "POST",
        "/v1/connections/{id}/token",
        wish_token,
        "Get a valid access token, and report one that was rejected",
        Scope.TOKEN,
        {200: AccessToken},
        description="`rejected` is the fingerprint of a token that the resource server answered "
        "with 401. If it is the stored one's, that is refreshed, once however many report it; if it "
        "is an older one's, the stored one is answered.",
        body=TokenWish,
        body_required=False,
        problems=UNAVAILABLE,
        tags=("tokens",),
    ),
    Route(
        "POST",
        "/v1/connections/{id}/refresh",
        refresh,
        "Refresh now",
        Scope.WRITE,
        {200: Refreshed},
        description="Ahead of everything that waits. Where another process is at it, its outcome "
        "is waited for.",
        body=RefreshWish,
        body_required=False,
        idempotent=True,
        problems=("not_refreshable", "token_unavailable_now"),
        tags=("tokens",),
    ),
)

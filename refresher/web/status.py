"""Numbers, and who asks."""

from __future__ import annotations

from refresher.rules.access import Scope
from refresher.store import connections
from refresher.web.call import Answer, Call, Route
from refresher.web.models import Stats, WhoAmI
from refresher.web.state import State


def stats(state: State, call: Call) -> Answer:
    """Counts the connections of the key's organization, or of all."""
    with state.services.database.transaction() as db:
        return Answer(connections.numbers(db, call.key.organization_id))


async def whoami(state: State, call: Call) -> Answer:
    """Tells what the key may do."""
    del state
    key = call.key
    return Answer(
        {
            "key_id": key.id,
            "name": key.name,
            "organization_id": key.organization_id,
            "scopes": sorted(key.scopes),
            "expires_at": key.expires_at,
        }
    )


ROUTES = (
    Route(
        "GET",
        "/v1/stats",
        stats,
        "Count connections by state",
        Scope.READ,
        {200: Stats},
        tags=("status",),
    ),
    Route(
        "GET",
        "/v1/whoami",
        whoami,
        "Tell what this API key may do",
        None,
        {200: WhoAmI},
        tags=("status",),
    ),
)

"""A provider with slots, as Slack and Globus have them, and what is asked of a place that has it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from refresher.rules.served import Served
from refresher.store import connections
from refresher.store.connections import Filter
from tests.connections.registration.kit import NAMES, Place
from tests.outbound.servers import Received

ENDPOINTS = 'token_url = "{url}/token"\nrevocation_url = "{url}/revoke"\n'
APART = ENDPOINTS + 'slots.user = { path = ["authed_user"] }'
LISTED = (
    ENDPOINTS + '[providers.acme.slots.transfer]\npath = ["other_tokens"]\n'
    'where = { resource_server = "transfer.api" }'
)
TOGETHER = ENDPOINTS + 'slots.csrf = { path = ["more", "csrf"], refreshed = "together" }'
USER = {
    "id": "U1",
    "scope": "search:read",
    "access_token": "user-1",
    "refresh_token": "user-refresh-1",
    "expires_in": 7200,
}
ANSWER: dict[str, Any] = {
    "ok": True,
    "access_token": "bot-1",
    "refresh_token": "bot-refresh-1",
    "expires_in": 3600,
    "authed_user": USER,
}
"""What Slack answers to the code: https://docs.slack.dev/authentication/using-token-rotation."""


def rotating(request: Received) -> tuple[int, object]:
    """Rotates the token that came, and answers at the top whichever it was."""
    kind, _, number = request.form["refresh_token"].rpartition("-refresh-")
    after = int(number) + 1
    pair = {"access_token": f"{kind}-{after}", "refresh_token": f"{kind}-refresh-{after}"}
    return 200, {**pair, "ok": True, "expires_in": 3600}


def user_is_dead(request: Received) -> tuple[int, object]:
    """Refuses the user's grant, and no other."""
    if request.form["refresh_token"].startswith("user"):
        return 400, {"error": "invalid_grant"}
    return rotating(request)


def slot_of(place: Place, id_: UUID, slot: str = "user", min_ttl_seconds: float = 0.0) -> Served:
    """Returns the token of a slot, as a caller gets it."""
    return place.on_demand.fresh_token(id_, min_ttl_seconds=min_ttl_seconds, slot=slot)


def text(served: Served) -> str:
    """Returns the token itself."""
    return served.access_token.reveal()


def count(place: Place) -> int:
    """Returns how many rows there are, those of slots too."""
    with place.services.database.transaction() as db:
        return connections.count(db, Filter(slots=True))


def whole(place: Place, **fields: Any) -> UUID:
    """Hands in a connection with the provider's whole answer."""
    return place.take({**NAMES, "answer": ANSWER, **fields})

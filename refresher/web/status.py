"""Numbers, and who asks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter

from refresher.rules.access import Scope
from refresher.store import connections
from refresher.store.connections import Numbers
from refresher.web.dependencies import AnyKey, Reader
from refresher.web.routes import ApiRoute

router = APIRouter(prefix="/v1", tags=["status"], route_class=ApiRoute)


@dataclass(frozen=True, slots=True)
class WhoAmI:
    """The API key that asks. `organization_id` null: every organization."""

    key_id: str
    name: str
    organization_id: str | None
    scopes: list[Scope]
    expires_at: datetime | None


@router.get("/stats")
def show_stats(caller: Reader) -> Numbers:
    """Count connections by state."""
    with caller.database.transaction() as db:
        return connections.numbers(db, caller.organization_id)


@router.get("/whoami")
async def who_am_i(caller: AnyKey) -> WhoAmI:
    """Tell what this API key may do."""
    key = caller.key
    return WhoAmI(key.id, key.name, key.organization_id, sorted(key.scopes), key.expires_at)

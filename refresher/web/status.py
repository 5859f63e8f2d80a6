"""Numbers, those of the last hours and days, and who asks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query

from refresher.insight import history
from refresher.rules.access import Scope
from refresher.store import connections
from refresher.store.connections import Numbers
from refresher.store.sample_history import History
from refresher.web.catalogue import known_provider
from refresher.web.dependencies import AnyKey, Reader, with_problems
from refresher.web.problems import Problem
from refresher.web.routes import ApiRoute
from refresher.web.shapes import HistoryQuery

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


@router.get("/stats/history", openapi_extra=with_problems("no_such_provider"))
def show_history(caller: Reader, query: Annotated[HistoryQuery, Query()]) -> History:
    """Tell what the last hours or days came to.

    Rates, lateness and times to answer, of all providers or of one, from samples of 15 seconds; null
    where none was taken. Needs a key for all organizations, of whose work all of them are.
    """
    if caller.organization_id is not None:
        raise Problem("scope_missing", "this needs a key for all organizations")
    if query.provider is not None:
        known_provider(caller, query.provider)
    return history.history(caller.services, query.hours, query.provider)


@router.get("/whoami")
async def who_am_i(caller: AnyKey) -> WhoAmI:
    """Tell what this API key may do."""
    key = caller.key
    return WhoAmI(key.id, key.name, key.organization_id, sorted(key.scopes), key.expires_at)

"""Pauses: what is left alone for a while, and its end. They are everybody's: for keys of all."""

from __future__ import annotations

from refresher.errors import UnknownProvider
from refresher.rules.access import Scope
from refresher.store import audit, pause_list
from refresher.store.audit import AuditEntry
from refresher.store.pause_list import Chosen
from refresher.web.call import Answer, Call, Route
from refresher.web.pause_models import PauseList, PausesEnded
from refresher.web.problems import Problem
from refresher.web.queries import PauseQuery
from refresher.web.state import State

TAGS = ("catalogue",)


def list_pauses(state: State, call: Call) -> Answer:
    """Lists the pauses that stand."""
    del call
    with state.services.database.transaction() as db:
        return Answer({"items": pause_list.held(db)})


def end_pauses(state: State, call: Call) -> Answer:
    """Ends a provider's pauses, and has what waited for them tried."""
    query: PauseQuery = call.query
    name = call.path["name"]
    try:
        state.services.catalogue[name]
    except UnknownProvider:
        sentence = "no provider has this name: GET /v1/providers lists all"
        raise Problem("no_such_provider", sentence) from None
    with state.services.database.transaction() as db:
        ended = pause_list.end(db, Chosen(name, host=query.host, app_name=query.app))
        audit.append(db, [AuditEntry(call.key.id, "unpaused", subject=f"provider:{name}")])
    return Answer({"ended": [f"{pause.scope}:{pause.key}" for pause in ended]})


ROUTES = (
    Route(
        "GET",
        "/v1/pauses",
        list_pauses,
        "List what is left alone for a while",
        Scope.ADMIN,
        {200: PauseList},
        description="Needs a key for all organizations: a pause may hold several.",
        for_all_organizations=True,
        tags=TAGS,
    ),
    Route(
        "DELETE",
        "/v1/providers/{name}/pauses",
        end_pauses,
        "End a provider's pauses",
        Scope.ADMIN,
        {200: PausesEnded},
        description=(
            "What waited for them is tried at once, dead tokens first. If the trouble lasts, the same "
            "pauses come back. Needs a key for all organizations."
        ),
        query=PauseQuery,
        for_all_organizations=True,
        idempotent=True,
        problems=("no_such_provider",),
        tags=TAGS,
    ),
)

"""`refresher connections refresh`: one refresh now, by the same door as every other: the claim.

The way is that of `refresh/on_demand`, which the HTTP API and the SDK take as well; here is what a
person is told about it.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from refresher.cli import session, working
from refresher.cli.arguments import Id, find, view_of
from refresher.cli.output import CannotDo, Json, command, done, instant, note
from refresher.errors import TokenUnavailable
from refresher.rules import reasons
from refresher.rules.connection import ParkReason
from refresher.rules.history import SUCCESSES
from refresher.rules.refresh_words import because
from refresher.rules.served import RefreshResult
from refresher.rules.unavailable import SENTENCES, Why
from refresher.rules.words import span
from refresher.runtime.services import Services
from refresher.store import audit, lookup
from refresher.store.connections import OperatorView

PATIENCE_SECONDS = 5.0


app = typer.Typer()


@command(
    app, "refresher connections refresh 7b0d2a4e", "refresher connections refresh 7b0d2a4e --json"
)
def refresh(
    connection: Id,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait for another's.")] = 60.0,
    json: Json = False,
) -> None:
    """Refresh one connection now, ahead of everything that waits, and tell how it ended.

    Where another process is refreshing it at this moment, waits for that one's outcome instead. The
    exit code is 0 when a fresh token is stored.
    """
    with working.services() as services:
        given = find(services.database, connection)
        with services.database.transaction() as db:
            root = lookup.root_of(db, given) or given
            audit.about(db, session.actor(), "refresh_asked", given)
        if root != given:
            note(f"It shares the grant of {root}; that is what is refreshed.")
        ending = _refresh(services, root, timeout)
        _tell(services, root, ending, json=json)
    if ending.outcome not in SUCCESSES:
        raise typer.Exit(1)


def _refresh(services: Services, root: UUID, timeout: float) -> RefreshResult:
    """Refreshes in this process, or waits for who is at it."""
    with working.on_demand_held(services) as on_demand:
        while True:
            try:
                return on_demand.refresh_now(root, wait_seconds=timeout)
            except TokenUnavailable as error:
                if error.code != Why.STILL_REFRESHING or not on_demand.busy:
                    raise CannotDo(_why_not(services, root, error)) from error
                timeout = PATIENCE_SECONDS  # with our own refresh, which has limits of its own


def _why_not(services: Services, root: UUID, error: TokenUnavailable) -> str:
    code = error.code
    if code == Why.PACED:
        wait = span(error.retry_after_seconds or 0.0)
        return f"{root}: {SENTENCES[Why.PACED]}; it is refreshed in {wait}"
    if code == Why.STILL_REFRESHING:
        return (
            f"{root} is still being refreshed by another process; `refresher events {root}` "
            "shows when it has ended"
        )
    if code == ParkReason.MISSING:
        return f"{root} has no schedule row: import it again"
    advice = reasons.mend_of(code, view_of(services.database, root))
    return f"{root} is parked ({code}): {advice or 'resume it first'}"


def _tell(services: Services, root: UUID, ending: RefreshResult, *, json: bool) -> None:
    view = view_of(services.database, root)
    told = {
        "id": root,
        "outcome": ending.outcome,
        "by_us": ending.by_us,
        "reason": ending.reason,
        "http_status": ending.http_status,
        "elapsed_seconds": ending.elapsed_seconds,
        "expires_at": view.expires_at,
        "next_due_at": view.due_at,
        "parked_reason": view.parked_reason,
    }
    who = "" if ending.by_us else " by another process"
    sentence = f"{root}: {ending.outcome}{who}{because(ending, view.postponed_by)}"
    done(told, f"{sentence}; {_next(view)}.", json=json)


def _next(view: OperatorView) -> str:
    if view.parked_reason:
        return f"parked: {reasons.mend_of(view.parked_reason, view)}"
    ends = f"the token ends at {instant(view.expires_at)}, " if view.expires_at else ""
    return (
        f"{ends}next refresh at {instant(view.due_at)}" if view.due_at else f"{ends}nothing is due"
    )

"""`refresher connections refresh`: one refresh now, by the same door as every other: the claim.

Whoever finds the row leased waits for that lease's outcome. There is no second lock and no second path:
the steps are those of `refresher/refresh.py`, run in this process.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from refresher.cli import opening, reasons
from refresher.cli.finding import Id, find
from refresher.cli.output import Json, emit, examples, instant, note
from refresher.cli.refusal import Refused

if TYPE_CHECKING:
    from refresher.rules.connection import Claim
    from refresher.store.connections import ConnectionView
    from refresher.store.lookup import LeaseSeen
    from refresher.wiring import Services

LOOK_AGAIN_SECONDS = 0.1
GOOD = frozenset({"refreshed", "adopted"})


@dataclass(frozen=True, slots=True)
class Ending:
    """How one refresh ended; `by_us` is false when another process was at it already."""

    outcome: str
    by_us: bool
    reason: str | None = None
    http_status: int | None = None
    elapsed_seconds: float | None = None


def register(group: typer.Typer) -> None:
    """Adds `refresh`."""
    epilog = examples(
        "refresher connections refresh 7b0d2a4e", "refresher connections refresh 7b0d2a4e --json"
    )
    group.command("refresh", epilog=epilog)(refresh)


def refresh(
    connection: Id,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait for another's.")] = 60.0,
    json: Json = False,
) -> None:
    """Refresh one connection now, ahead of everything that waits, and tell how it ended.

    Where another process is refreshing it at this moment, waits for that one's outcome instead. The
    exit code is 0 when a fresh token is stored.
    """
    from refresher.store import connections

    with opening.services() as services:
        given = find(services.database, connection)
        with services.database.transaction() as db:
            root = connections.root_of(db, given) or given
        if root != given:
            note(f"It shares the grant of {root}; that is what is refreshed.")
        ending = _refresh(services, root, time.monotonic() + timeout)
        _tell(services, root, ending, json=json)
    if ending.outcome not in GOOD:
        raise typer.Exit(1)


def _refresh(services: Services, root: UUID, until: float) -> Ending:
    """Claims and refreshes, or waits for who did; tries again when a lease ended without outcome."""
    from refresher.dispatch import claim_now

    while True:
        claim = claim_now(services, root)
        if claim is not None:
            return _run(services, claim)
        ending = _await_other(services, root, until)
        if ending is not None:
            return ending
        if time.monotonic() > until:
            raise Refused(
                f"{root} is still being refreshed by another process; `refresher events {root}` "
                "shows when it has ended"
            )
        time.sleep(LOOK_AGAIN_SECONDS)


def _run(services: Services, claim: Claim) -> Ending:
    """Does the refresh here. Our liveness lock lets others go on at once should we be killed."""
    from refresher.cli.holding import signals_held
    from refresher.liveness import Heartbeat
    from refresher.refresh import refresh as refresh_claims

    heartbeat = Heartbeat(services, "command")
    with signals_held("the refresh has ended", services.stopping.set):
        heartbeat.start()
        try:
            tally = refresh_claims(services, [claim])
        finally:
            heartbeat.stop()
    if tally["spooled"]:
        raise Refused(
            "PostgreSQL went away before the fresh token could be stored; it is kept, sealed, and "
            "the next scheduler that reaches PostgreSQL stores it"
        )
    kind = next((kind for kind, count in tally.items() if count), "stale")
    return _ended(services, claim.connection_id, claim.lease_token, by_us=True) or Ending(
        kind, True
    )


def _await_other(services: Services, root: UUID, until: float) -> Ending | None:
    """Waits while the row is leased to another; returns that lease's outcome, None without one."""
    seen = _lease(services, root)
    if seen is None or seen.state == "parked":
        _refuse_parked(root, seen)
    assert seen is not None
    now: LeaseSeen | None = seen
    while now is not None and (now.state, now.lease_token) == ("leased", seen.lease_token):
        if time.monotonic() > until:
            return None
        time.sleep(LOOK_AGAIN_SECONDS)
        now = _lease(services, root)
    return _ended(services, root, seen.lease_token, by_us=False) if seen.state == "leased" else None


def _lease(services: Services, root: UUID) -> LeaseSeen | None:
    from refresher.store import lookup

    with services.database.transaction() as db:
        return lookup.lease(db, root)


def _ended(services: Services, root: UUID, lease_token: int, *, by_us: bool) -> Ending | None:
    from refresher.rules.events import WITHOUT_OUTCOME
    from refresher.store import lookup

    with services.database.transaction() as db:
        event = lookup.outcome(db, root, lease_token)
    if event is None or event.kind in WITHOUT_OUTCOME:
        return None
    return Ending(event.kind, by_us, event.reason, event.http_status, event.elapsed_seconds)


def _refuse_parked(root: UUID, seen: LeaseSeen | None) -> None:
    if seen is None:
        raise Refused(f"{root} has no schedule row: import it again")
    mend = reasons.mend(seen.parked_reason, root) or "resume it first"
    raise Refused(f"{root} is parked ({seen.parked_reason}): {mend}")


def _tell(services: Services, root: UUID, ending: Ending, *, json: bool) -> None:
    from refresher.store import connections

    with services.database.transaction() as db:
        view = connections.show(db, root)
    seen = _lease(services, root)
    assert view is not None
    if json:
        emit(
            {
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
        )
        return
    who = "" if ending.by_us else " by another process"
    sentence = f"{root}: {ending.outcome}{who}{_because(ending, seen)}"
    typer.echo(f"{sentence}; {_next(view)}.")


def _because(ending: Ending, seen: LeaseSeen | None) -> str:
    if ending.outcome in GOOD:
        return ""
    paused = seen.postponed_by if seen else None
    why = ending.reason or (f"{paused} is paused" if paused else None)
    return f" ({why})" if why else ""


def _next(view: ConnectionView) -> str:
    if view.parked_reason:
        return f"parked: {reasons.mend(view.parked_reason, view.id)}"
    ends = f"the token ends at {instant(view.expires_at)}, " if view.expires_at else ""
    return (
        f"{ends}next refresh at {instant(view.due_at)}" if view.due_at else f"{ends}nothing is due"
    )

"""`refresher connections list`: by filters, by how they stand, or by what somebody types."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Annotated, Literal
from uuid import UUID

import typer

from refresher.cli import session
from refresher.cli.arguments import SHORTEST_PREFIX, HealthWord, check_names, printable
from refresher.cli.output import (
    SHOWN,
    Json,
    WrongUse,
    command,
    distance,
    done,
    emit,
    is_narrow,
    note,
    table,
)
from refresher.rules.connection import ParkReason
from refresher.rules.standing_word import Health, with_failures
from refresher.rules.words import many
from refresher.store import connections, finding, lists
from refresher.store.connections import Filter, OperatorView
from refresher.store.finding import Unsearchable
from refresher.store.lists import Chosen, Found
from refresher.store.looking import looking
from refresher.store.session import Database

PAGE = 1_000
LOOK_SECONDS = 10.0
COLUMNS = [
    "id", "organization", "provider", "external id", "health", "state", "next", "token ends",
]  # fmt: skip
SPARE = ("state", "organization", "token ends", "next")
"""What a narrow terminal can do without, the first first."""


State = Literal["scheduled", "leased", "parked", "idle"]
"""The states of a schedule row; scheduled and idle are one, as people and as the API call it."""
Query = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="Only what this may mean: an external id, a name, an id."),
]
Reason = Annotated[
    ParkReason | None,
    typer.Option(metavar="REASON", help=f"Only rows parked so: {', '.join(ParkReason)}."),
]
Expired = Annotated[
    bool, typer.Option("--expired", help="Only those to be refreshed whose token is dead.")
]
Failing = Annotated[bool, typer.Option("--failing", help="Only those whose last attempts failed.")]
Slots = Annotated[bool, typer.Option("--slots", help="Also the tokens beside the main ones.")]

app = typer.Typer()


@command(
    app,
    "refresher connections list --provider google --state parked",
    "refresher connections list --health reconnect_required",
    "refresher connections list --query 4487",
    "refresher connections list --failing",
    "refresher connections list --expired --count",
    "refresher connections list --reason reconnect_required --json | jq -r .id",
    name="list",
)
def list_(
    query: Query = None,
    organization: Annotated[str | None, typer.Option(help="Only this organization's.")] = None,
    provider: Annotated[str | None, typer.Option(help="Only this provider's.")] = None,
    state: Annotated[State | None, typer.Option(help="Only rows in this state.")] = None,
    reason: Reason = None,
    health: HealthWord = None,
    expired: Expired = False,
    failing: Failing = False,
    slots: Slots = False,
    count: Annotated[bool, typer.Option("--count", help="Print only how many there are.")] = False,
    after: Annotated[UUID | None, typer.Option(help="Go on behind this id.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many.")] = 50,
    json: Json = False,
) -> None:
    """List connections by their ids, with --health by what is due: how they stand; never tokens.

    The health is a word of --health; behind `retrying` stand the failures since the last success.
    --query finds external ids and names by their beginning, ids by 4 digits or more, the exact one
    first.
    """
    chosen = Filter(
        organization_id=printable(organization),
        provider=printable(provider),
        state="idle" if state == "scheduled" else state,
        parked_reason=reason.value if reason else None,
        expired=expired,
        failing=failing,
        slots=slots,
    )
    with session.looking() as database:
        if query is not None:
            _refuse_beside(health, chosen, after, count=count)
            _list_found(database, query, chosen.organization_id, limit=limit, json=json)
        elif stand := _standing(health, chosen, after):
            _list_standing(database, stand, limit=limit, count=count, json=json)
        elif count:
            _count(database, chosen, json=json)
        else:
            _list(database, chosen, limit=limit, after=after, json=json)


def _list(
    database: Database, chosen: Filter, *, limit: int, after: UUID | None, json: bool
) -> None:
    listed, last = _listed(_pages(database, chosen, limit=limit, after=after), json=json)
    if not listed:
        _say_none(database, chosen)
    if listed == limit:
        note(f"There may be more: --after {last}")


def _listed(found: Iterator[OperatorView], *, json: bool) -> tuple[int, UUID | None]:
    """Prints connections; returns how many there were, and the last one's id."""
    count, last = 0, None
    rows: list[list[object]] = []
    for view in found:
        count, last = count + 1, view.id
        if json:
            emit({"health": view.health, **asdict(view)})
        else:
            rows.append(_row(view))
    if rows:
        table(COLUMNS, rows, spare=SPARE)
        typer.echo(f"\n{many(count, 'connection')}.")
    return count, last


def _count(database: Database, chosen: Filter, *, json: bool) -> None:
    with database.transaction() as db:
        found = connections.count(db, chosen)
    _tell_count(found, json=json)


def _tell_count(found: int, *, json: bool) -> None:
    done({"count": found}, str(found), json=json)


def _standing(health: Health | None, chosen: Filter, after: UUID | None) -> Chosen | None:
    """Returns the choice by a word, None without one; raises `WrongUse` for filters beside it."""
    if health is None:
        return None
    if after or chosen.state or chosen.parked_reason or chosen.expired or chosen.failing:
        raise WrongUse(
            "--health goes without --state, --reason, --expired, --failing and --after: it says as much"
        )
    return Chosen(
        health,
        chosen.provider,
        organization_id=chosen.organization_id,
        slots=chosen.slots,
        sees_deleted=True,
    )


def _refuse_beside(
    health: Health | None, chosen: Filter, after: UUID | None, *, count: bool
) -> None:
    """Raises `WrongUse` for what a search does not go with."""
    if health or after or count or replace(chosen, organization_id=None) != Filter():
        raise WrongUse(
            "--query goes with --organization, --limit and --json alone: type more of it"
        )


def _list_found(
    database: Database, text: str, organization_id: str | None, *, limit: int, json: bool
) -> None:
    """Lists what a text may mean, the exact one first."""
    try:
        with looking(database, LOOK_SECONDS) as db:
            found = finding.search(db, text, organization_id, limit=limit, sees_deleted=True)
            views = connections.views_of(db, [row.id for row in found.rows])
    except Unsearchable as error:
        raise WrongUse(f"--query: {error}") from None
    _listed(iter(views), json=json)
    if not views:
        meant = check_names(database, organization=organization_id)
        note(f'No connection fits "{text.strip()}"{meant or ""}. {finding.FINDS}')
    elif found.is_cut:
        note("There may be more: type more of it.")


def _count_standing(database: Database, chosen: Chosen) -> int:
    return sum(len(found.ids) for found in _pages_standing(database, chosen, 10**9))


def _pages_standing(database: Database, chosen: Chosen, limit: int) -> Iterator[Found]:
    """Yields what there is in the order of the list, each look bounded."""
    after = None
    while limit > 0:
        with database.transaction() as db:
            found = lists.ids(db, chosen, after=after, limit=min(limit, PAGE))
        yield found
        limit, after = limit - len(found.ids), found.after
        if after is None:
            return


def _list_standing(
    database: Database, chosen: Chosen, *, limit: int, count: bool, json: bool
) -> None:
    """Lists in the order of what is due, or of ids where nothing is; or counts."""
    if count:
        _tell_count(_count_standing(database, chosen), json=json)
        return

    def views() -> Iterator[OperatorView]:
        for found in _pages_standing(database, chosen, limit):
            with database.transaction() as db:
                yield from connections.views_of(db, found.ids)

    listed, _ = _listed(views(), json=json)
    if not listed:
        _say_none(database, Filter(chosen.organization_id, chosen.provider, state=chosen.health))
    if listed == limit:
        note(f"There may be more: --limit {10 * limit}")


def _say_none(database: Database, chosen: Filter) -> None:
    """Says why a list is empty; a name that nothing has is a typo, and gets a suggestion."""
    meant = check_names(database, organization=chosen.organization_id, provider=chosen.provider)
    whose = f" of {chosen.provider}" if chosen.provider else ""
    narrowed = replace(chosen, provider=None) != type(chosen)()
    note(f"There is no connection{whose}{' like that' if narrowed else ''}{meant or ''}.")


def _pages(
    database: Database, chosen: Filter, *, limit: int, after: UUID | None
) -> Iterator[OperatorView]:
    """Yields connections, read a thousand at a time so that a million do not fill the memory."""
    while limit > 0:
        with database.transaction() as db:
            page = connections.views(db, chosen, after=after, limit=min(limit, PAGE))
        yield from page
        if len(page) < PAGE:
            return
        limit, after = limit - len(page), page[-1].id


def _row(view: OperatorView) -> list[object]:
    state = SHOWN.get(view.state, view.state)
    return [
        str(view.id)[:SHORTEST_PREFIX] if is_narrow() else view.id,
        view.organization_id,
        view.provider,
        f"{view.external_id}, {view.slot}" if view.slot else view.external_id,
        with_failures(view.health, view.attempt),
        f"parked: {view.parked_reason}" if view.parked_reason else state,
        distance(view.due_at),
        distance(view.expires_at),
    ]

"""What arguments mean: connections by their ids, instants, spans of time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Annotated
from uuid import UUID

import typer

from refresher.cli.output import WrongUse, note
from refresher.errors import (
    CatalogueError,
    NoSuchConnection,
    UnknownProvider,
    did_you_mean,
)
from refresher.rules import times
from refresher.rules.standing_word import Health
from refresher.store import connections, lookup
from refresher.store.connections import OperatorView
from refresher.store.finding import ends
from refresher.store.lookup import Match
from refresher.store.session import Database

SHORTEST_PREFIX = 8
MOST_SHOWN = 5
Id = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        help="A connection: its id, the first 8 or more characters of it, or its external id.",
    ),
]
HealthWord = Annotated[
    Health | None,
    # A terminal would break the words of the type wherever its column ends.
    typer.Option(
        "--health", metavar="WORD", help=f"Only those that stand so: {', '.join(Health)}."
    ),
]


def printable(text: str | None) -> str | None:
    """Returns the text of a filter as it is; raises `WrongUse` for what no stored name can have."""
    if text is not None and not text.isprintable():
        raise WrongUse("a filter contains a control character, which no stored name has")
    return text


def find(database: Database, given: str) -> UUID:
    """Returns the id of the one connection that `given` means; raises `NoSuchConnection`.

    A living connection is preferred to a deleted one, an external id to the beginning of an id.
    """
    given = given.strip()
    # Postgres takes no NUL in a text, and no id has a control character.
    if not given.isprintable() or not given:
        raise NoSuchConnection("no connection has an empty id, or one with control characters")
    found = _matches(database, given)
    living = [match for match in found if not match.deleted]
    if len(living or found) > 1:
        raise WrongUse(_ambiguous(given, living or found))
    if not found:
        raise NoSuchConnection(f'no connection is called "{given}"{_hint(database, given)}')
    return (living or found)[0].id


def find_root(database: Database, given: str, told: str = "this is how that one stands") -> UUID:
    """Returns whose grant the connection that is meant uses; another's than its own is told."""
    found = find(database, given)
    with database.transaction() as db:
        root = lookup.root_of(db, found) or found
    if root != found:
        note(f"It shares the grant of {root}; {told}.")
    return root


def view_of(database: Database, connection_id: UUID) -> OperatorView:
    """Returns a connection that is there: `find` has found it."""
    with database.transaction() as db:
        view = connections.show(db, connection_id)
    assert view is not None
    return view


def _matches(database: Database, given: str) -> list[Match]:
    ends = _ends(given)
    with database.transaction() as db:
        found = lookup.with_external_id(db, given, limit=MOST_SHOWN + 1)
        if ends and (ends[0] == ends[1] or not found):
            found = lookup.between(db, *ends, limit=MOST_SHOWN + 1) or found
    return found


def _ends(given: str) -> tuple[UUID, UUID] | None:
    return ends(given, SHORTEST_PREFIX)


def _ambiguous(given: str, matches: Sequence[Match]) -> str:
    shown = ", ".join(
        f"{m.id} ({m.provider}, organization {m.organization_id})" for m in matches[:MOST_SHOWN]
    )
    more = " and more" if len(matches) > MOST_SHOWN else ""
    return f'"{given}" may mean {shown}{more}: give a whole id'


def _hint(database: Database, given: str) -> str:
    with database.transaction() as db:
        similar = lookup.external_ids_beginning(db, given[:2])
    nearest = get_close_matches(given, similar, n=1, cutoff=0.6)
    if nearest:
        return f' (did you mean "{nearest[0]}"?)'
    if re.fullmatch(rf"[0-9a-f-]{{1,{SHORTEST_PREFIX - 1}}}", given.lower()):
        return f": the beginning of an id needs {SHORTEST_PREFIX} characters or more"
    return "; `refresher connections list` shows all"


def check_names(
    database: Database, *, organization: str | None = None, provider: str | None = None
) -> str | None:
    """Returns a hint at an organization that was meant; raises `UnknownProvider` for a mistyped one.

    Asked only where nothing was found: a provider that connections or the catalogue name is none.
    """
    with database.transaction() as db:
        providers = lookup.names(db, "provider") if provider else []
        organizations = lookup.names(db, "organization_id") if organization else []
    if provider and provider not in providers:
        _refuse_unknown(provider, providers)
    if organization is None or organization in organizations:
        return None
    return did_you_mean(organization, organizations) or None


def _refuse_unknown(provider: str, used: Sequence[str]) -> None:
    from refresher.runtime.parts import catalogue_from  # noqa: PLC0415  a typo is rare, it is large
    from refresher.settings import load  # noqa: PLC0415

    try:
        known = {*catalogue_from(load()).names, *used}
    except CatalogueError:
        known = {provider}
    if provider not in known:
        raise UnknownProvider(provider, known)


def read_time(option: str, given: str, now: datetime, *, is_utc: bool = False) -> datetime:
    """Returns the instant that an option means: ISO 8601, or a distance such as `10m ago`.

    An instant without an offset is refused, unless `is_utc` says how it is meant.
    """
    try:
        return times.instant(given, now, UTC if is_utc else None)
    except times.NoTime as error:
        raise WrongUse(f'{option} "{given}" {error}') from None


def read_span(option: str, given: str) -> float:
    """Returns the seconds of a span such as `2h`."""
    seconds = times.span(given)
    if seconds is None:
        raise WrongUse(f"{option} must be a number with its unit: 90s, 30min, 2h or 7d")
    return seconds

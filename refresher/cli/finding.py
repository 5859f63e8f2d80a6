"""Tells which connection a person means: a whole id, its first eight characters, or an external id."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Annotated
from uuid import UUID

import typer

from refresher.cli import opening
from refresher.cli.refusal import WrongUse
from refresher.errors import CatalogueError, NoSuchConnection, UnknownProvider, did_you_mean
from refresher.runtime.services import catalogue_from
from refresher.store import lookup
from refresher.store.lookup import Match
from refresher.store.session import Database

SHORTEST_PREFIX = 8
WHOLE_ID = 32
MOST_SHOWN = 5
Id = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        help="A connection: its id, the first 8 or more characters of it, or its external id.",
    ),
]


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


def _matches(database: Database, given: str) -> list[Match]:
    digits = given.replace("-", "").lower()
    whole = len(digits) == WHOLE_ID
    with database.transaction() as db:
        found = lookup.with_external_id(db, given, limit=MOST_SHOWN + 1)
        if _is_hexadecimal(digits) and len(digits) >= SHORTEST_PREFIX and (whole or not found):
            first, last = UUID(digits.ljust(WHOLE_ID, "0")), UUID(digits.ljust(WHOLE_ID, "f"))
            found = lookup.between(db, first, last, limit=MOST_SHOWN + 1) or found
    return found


def _is_hexadecimal(digits: str) -> bool:
    return re.fullmatch(rf"[0-9a-f]{{1,{WHOLE_ID}}}", digits) is not None


def _ambiguous(given: str, matches: list[Match]) -> str:
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
    digits = given.replace("-", "").lower()
    if _is_hexadecimal(digits) and len(digits) < SHORTEST_PREFIX:
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
        try:
            known = {*catalogue_from(opening.read_settings()).names, *providers}
        except CatalogueError:
            known = {provider}
        if provider not in known:
            raise UnknownProvider(provider, known)
    if organization is None or organization in organizations:
        return None
    return did_you_mean(organization, organizations) or None

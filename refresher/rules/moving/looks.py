"""Tells which system a row is from, so that a file of another one is refused in a sentence. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from refresher.errors import InvalidConnection
from refresher.rules.moving.names import System
from refresher.rules.moving.theirs import Row

MARKS: Mapping[System, tuple[frozenset[str], ...]] = {
    System.NANGO: (frozenset({"connection_id", "provider_config_key"}),),
    System.AUTHJS: (
        frozenset({"provider", "providerAccountId"}),
        frozenset({"provider", "provider_account_id"}),
    ),
    System.PYTHON_SOCIAL_AUTH: (frozenset({"provider", "uid", "extra_data"}),),
    System.DJANGO_ALLAUTH: (frozenset({"provider", "uid", "token"}),),
    System.SUPABASE: (
        frozenset({"provider_token"}),
        frozenset({"provider_refresh_token"}),
        frozenset({"identity_data", "provider"}),
    ),
    System.COMPOSIO: (frozenset({"toolkit", "auth_config", "status"}),),
}
"""The fields that a row of each has, in one of its forms."""
_PAGES = ("items", "connections", "data")
_OURS = frozenset({"organization_id", "provider", "external_id"})


def refuse_other(system: System, row: Row) -> None:
    """Raises `InvalidConnection` for a row of another system, or one that lacks what all have."""
    if fits(system, row):
        return
    if row.keys() >= _OURS:
        raise InvalidConnection("it is a line of our own import format: leave --from out")
    page = next((name for name in _PAGES if isinstance(row.get(name), list)), None)
    if page is not None:
        raise InvalidConnection(
            f"it is a page of an API's answer: jq -c '.{page}[]' makes lines of it"
        )
    other = next((one for one in System if fits(one, row)), None)
    if other is not None:
        raise InvalidConnection(f"it looks like an export of {other}: say --from {other}")
    lacks = min((mark - row.keys() for mark in MARKS[system]), key=len)
    raise InvalidConnection(
        f"it is no export of {system} that we know: {', '.join(sorted(lacks))} "
        f"{'is' if len(lacks) == 1 else 'are'} missing"
    )


def fits(system: System, row: Row) -> bool:
    """Whether a row has the fields of this system."""
    return any(mark <= row.keys() for mark in MARKS[system])

"""Decides what a connection that is handed in comes to: a new one, a reconnect, or an update.

Only tokens make a reconnect. Without them nothing changes that concerns the grant: no expiry, no
version, no state. And a stored token goes to no other place than the one that it was handed in for: who
changes host, app or a placeholder brings new tokens. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from refresher.errors import InvalidConnection, did_you_mean
from refresher.rules.fillings import check_values
from refresher.rules.placeholders import UnbuildableRequest
from refresher.rules.providers import Provider, Strategy
from refresher.rules.registration import NewConnection

NO_TOKEN = (
    "no token came: hand access_token and refresh_token over, or the provider's whole answer; or say "
    "in_between_steps while the OAuth dance goes on"
)


class Arrival(StrEnum):
    """What is done with a connection that was handed in."""

    NEW = "new"
    RECONNECT = "reconnect"
    UPDATE = "update"


@dataclass(frozen=True, slots=True)
class Existing:
    """A connection as it was stored when it was handed in again."""

    has_access_token: bool
    has_refresh_token: bool
    app_name: str
    host: str | None = None
    placeholders: Mapping[str, str] = field(default_factory=dict)
    root_id: UUID | None = None
    in_between_steps: bool = False
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Ruling:
    """What to do; `moved` names what of the place of the grant changes, None when nothing does."""

    kind: Arrival
    moved: str | None = None


def judge(
    new: NewConnection, provider: Provider, before: Existing | None, of_app: Collection[str] = ()
) -> Ruling:
    """Returns what the hand-over comes to; raises `InvalidConnection` with one sentence.

    `of_app` are the placeholders that its app brings.
    """
    check_placeholders(new, provider, before, of_app)
    moved = _moved(new, provider, before) if before else None
    if before is None or before.deleted:
        return _as_new(new, provider, before, moved)
    if moved and (new.has_tokens or before.has_access_token or before.has_refresh_token):
        _check_moved(new, provider, before, moved)
        return Ruling(Arrival.RECONNECT, moved)
    if new.has_tokens or new.restored or new.root_id not in {None, before.root_id}:
        return Ruling(Arrival.RECONNECT)
    if before.in_between_steps and new.in_between_steps is False and _lacks_means(provider, before):
        raise InvalidConnection(NO_TOKEN)
    return Ruling(Arrival.UPDATE)


def check_placeholders(
    new: NewConnection, provider: Provider, before: Existing | None, of_app: Collection[str] = ()
) -> None:
    """Raises `InvalidConnection` where the provider's host or placeholders lack a good value.

    `of_app` are those that its app brings, and that it need not. A sibling needs none: its root's
    requests are the only ones.
    """
    for name in new.placeholders or {}:
        if name not in provider.placeholders:
            known = provider.placeholders
            which = f"it has {', '.join(sorted(known))}" if known else "it has none"
            raise InvalidConnection(
                f'placeholders has "{name[:64]}", which provider {provider.name} does not have'
                f"{did_you_mean(name, known)}: {which}"
            )
    told = new.host or new.placeholders or new.has_tokens or before is None
    if new.root_id is None and told:
        _resolve(new, provider, before, of_app)


def _resolve(
    new: NewConnection, provider: Provider, before: Existing | None, of_app: Collection[str]
) -> None:
    host = new.host or (before.host if before else None)
    values = {**(before.placeholders if before else {}), **(new.placeholders or {})}
    try:
        check_values(provider, host, values, of_app)
    except UnbuildableRequest as error:
        raise InvalidConnection(str(error)) from error


def _as_new(
    new: NewConnection, provider: Provider, before: Existing | None, moved: str | None
) -> Ruling:
    told = new.has_tokens or new.in_between_steps or new.root_id or new.restored
    if not (told or provider.is_minted):
        raise InvalidConnection(NO_TOKEN)
    if before is None:
        return Ruling(Arrival.NEW)
    if moved:
        _check_moved(new, provider, before, moved)
    return Ruling(Arrival.RECONNECT, moved)


def _moved(new: NewConnection, provider: Provider, before: Existing) -> str | None:
    """Returns which part of the grant's place changes."""
    host = before.host or provider.default_host
    if provider.host_pattern and new.host is not None and new.host != host:
        return "host"
    if new.app is not None and new.app != before.app_name:
        return "app"
    stored = before.placeholders
    changed = (n for n, v in (new.placeholders or {}).items() if stored.get(n) != v)
    name = next(changed, None)
    return f"placeholders.{name}" if name else None


def _check_moved(new: NewConnection, provider: Provider, before: Existing, moved: str) -> None:
    """Raises where a token that is stored for another place would be sent to the new one."""
    if provider.is_minted:
        return  # no stored token is ever sent
    lacks_refresh = before.has_refresh_token and new.refresh_token is None
    lacks_access = before.has_access_token and not before.has_refresh_token and not new.has_tokens
    own_grant = provider.strategy is Strategy.LONG_LIVED_EXCHANGE
    lacks_access |= own_grant and before.has_access_token and new.access_token is None
    if lacks_refresh or lacks_access:
        needed = "refresh_token" if lacks_refresh else "access_token"
        raise InvalidConnection(
            f"{moved} changes, so a new {needed} must come along: the stored one is not sent to "
            "another place than the one that it was handed in for"
        )


def _lacks_means(provider: Provider, before: Existing) -> bool:
    stored = before.has_access_token or before.has_refresh_token
    return not stored and not provider.is_minted

"""Reads the lines of an export, and decides what becomes of each where it is imported. Pure.

An import line that a person writes hands tokens over, and what comes of it begins today. A line of an
export is a connection as it stood: it goes on where it was, paused where it was paused, and nothing of
it is news to anybody.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from refresher.errors import InvalidConnection
from refresher.rules import intake_fields as fields
from refresher.rules.connection import ParkReason, Secret, Status, as_token
from refresher.rules.export_format import (
    OF_EACH_TOKEN,
    OF_THE_WHOLE,
    SECRETS,
    Header,
    Tokens,
    parked_there,
)
from refresher.rules.kept_fields import KeptFields
from refresher.rules.registration import read
from refresher.rules.slot_intake import bare

if TYPE_CHECKING:
    from refresher.rules.registration import NewConnection


@dataclass(frozen=True, slots=True)
class Restored:
    """How a connection stood when it was exported, beyond what an import line says.

    `parked`: its row waits for a person. `created_at` and the account are those of a whole connection,
    never of a slot.
    """

    exported_at: datetime = field(compare=False)
    issued_at: datetime | None
    expires_at: datetime | None
    lifetime_seconds: float | None
    refresh_token_expires_at: datetime | None
    grant_ends_at: datetime | None
    status: Status
    status_cause: str | None
    parked: ParkReason | None
    paused_at: datetime | None
    disabled_at: datetime | None
    created_at: datetime | None = None
    account: str | None = None
    account_label: str | None = None

    @property
    def is_at_rest(self) -> bool:
        """Whether something keeps it from being refreshed."""
        at_rest = self.paused_at or self.disabled_at or self.parked
        return bool(at_rest) or self.status is not Status.ACTIVE


_EXPORTED = frozenset({*OF_THE_WHOLE, *OF_EACH_TOKEN, *SECRETS, "slots", "sealed"})
_AS_IMPORTED = frozenset(
    {
        *("organization_id", "provider", "external_id", "root_external_id", "name", "app", "host"),
        *("placeholders", "metadata", "scopes", "in_between_steps"),
    }
)
"""Fields of an export that mean what they mean on any import line, and are read as there."""
_ONLY_EXPORTED = _EXPORTED - _AS_IMPORTED


def read_line(given: Mapping[str, Any], header: Header) -> NewConnection:
    """Returns the connection of a line whose tokens are in the clear; raises `InvalidConnection`."""
    new = read({name: value for name, value in given.items() if name not in _ONLY_EXPORTED})
    if header.tokens is Tokens.NONE:
        return replace(new, in_between_steps=None)
    slots = _object(given, "slots") or {}
    return replace(
        new,
        slots=tuple(_slot(new, name, told, header) for name, told in sorted(slots.items())),
        **_of_token(given),
        restored=_restored(given, header),
    )


def _slot(new: NewConnection, name: str, told: object, header: Header) -> NewConnection:
    if not isinstance(told, dict):
        raise InvalidConnection(f"slots.{name[:64]} must be an object")
    scopes = fields.scopes(told.get("scopes"))
    slot = bare(new, name, **_of_token(told), scopes=scopes)
    return replace(slot, restored=_restored(told, header))


def _of_token(given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what is read as it was stored, in whatever form a provider gave it."""
    kept = {**(_object(given, "kept_fields") or {}), **(_object(given, "kept_secrets") or {})}
    return {
        "access_token": _token(given, "access_token"),
        "refresh_token": _token(given, "refresh_token"),
        "granted_scopes": _texts(given, "granted_scopes"),
        "kept": _scalars(kept) or None,
        "expires_at": fields.instant(given, "expires_at"),
    }


def _restored(given: Mapping[str, Any], header: Header) -> Restored:
    try:
        status = Status(given.get("status", Status.ACTIVE))
    except ValueError:
        raise InvalidConnection("status must be active or reconnect_required") from None
    return Restored(
        header.exported_at,
        issued_at=fields.instant(given, "issued_at"),
        expires_at=fields.instant(given, "expires_at"),
        lifetime_seconds=_number(given, "lifetime_seconds"),
        refresh_token_expires_at=fields.instant(given, "refresh_token_expires_at"),
        grant_ends_at=fields.instant(given, "grant_ends_at"),
        status=status,
        status_cause=_text(given, "status_cause"),
        parked=parked_there(given.get("parked_reason")),
        paused_at=fields.instant(given, "paused_at"),
        disabled_at=fields.instant(given, "disabled_at"),
        created_at=fields.instant(given, "created_at"),
        account=_text(given, "account"),
        account_label=_text(given, "account_label"),
    )


def counted_from(new: NewConnection, now: datetime) -> NewConnection:
    """Returns the connection with the ends of its grant counted from now on, as if just handed in."""
    stood = new.restored
    if stood is None:
        return new

    def left(end: datetime | None) -> float | None:
        return None if end is None else (end - now).total_seconds()

    return replace(
        new,
        refresh_token_expires_in_seconds=left(stood.refresh_token_expires_at),
        grant_ends_in_seconds=left(stood.grant_ends_at),
    )


@dataclass(frozen=True, slots=True)
class Take:
    """It is stored as the line says."""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """It stands here as the line says."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """It is left as it is, for this reason."""

    reason: str


Verdict = Take | Unchanged | Refuse


@dataclass(frozen=True, slots=True)
class Here:
    """What stands where a line arrives: the connection, None if deleted, and when it changed last."""

    connection: NewConnection | None
    changed_at: datetime


def verdict(
    new: NewConnection, header: Header, here: Here | None, *, force: bool = False
) -> Verdict:
    """Returns what becomes of a line. What changed here since the export is newer than that.

    Without tokens it describes what there is: it makes nothing, and changes no state.
    """
    there = here.connection if here else None
    if header.tokens is Tokens.NONE:
        if there is None:
            return Refuse(
                "there is no such connection here, and this export has no tokens that it could begin "
                "with: make one with --seal-to"
            )
        return Unchanged() if _described(new) == _described(there) else Take()
    if there == new:
        return Unchanged()
    if here and here.changed_at > header.exported_at and not force:
        what = "it changed" if there else "it was deleted"
        return Refuse(
            f"{what} here on {here.changed_at:%Y-%m-%d at %H:%M:%SZ}, after the export was made: "
            "--force takes what the export has"
        )
    return Take()


def _described(one: NewConnection) -> tuple[object, ...]:
    return one.name, one.app, one.host, one.placeholders, one.metadata, one.scopes


def _token(given: Mapping[str, Any], name: str) -> Secret | None:
    token = as_token(given.get(name))
    if token is None and given.get(name) is not None:
        raise InvalidConnection(f"{name} is no token")
    return token


def _text(given: Mapping[str, Any], name: str) -> str | None:
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidConnection(f"{name} must be a text")
    return value


def _texts(given: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    value = given.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise InvalidConnection(f"{name} must be a list of texts")
    return tuple(value)


def _number(given: Mapping[str, Any], name: str) -> float | None:
    value = given.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise InvalidConnection(f"{name} must be a number of seconds")
    return float(value)


def _object(given: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    value = given.get(name)
    if value is not None and not isinstance(value, dict):
        raise InvalidConnection(f"{name} must be an object")
    return value


def _scalars(kept: Mapping[str, Any]) -> KeptFields:
    if not all(isinstance(value, str | int | float) for value in kept.values()):
        raise InvalidConnection("kept_fields must hold texts, numbers, true and false")
    return kept

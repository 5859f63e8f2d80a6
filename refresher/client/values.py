"""What the SDK hands back, read from JSON or from the store's own views alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from refresher.rules.connection import Secret
from refresher.rules.served import RefreshResult, Served

_IDS = {"id", "connection_id", "root_id", "slot_of", "event_id"}
INSTANTS = ("_at", "_until", "_since")
"""How fields are called that hold an instant."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection and its schedule, without tokens.

    `state` is `idle`, `leased` (being refreshed), `parked` (with `parked_reason`) or `none`; `status`
    is `active` or `reconnect_required`. `scopes` were asked for; `granted_scopes` is None until an
    answer has told, and what it lacks is in `missing_scopes`. `note` tells what a call did not do.
    `slots` are the tokens beside the main one, by name: `id`, `status`, `state` and more of each.
    `account_label` is what people call the account; `account_known`: a reconnect can tell another one.
    `health` is how it stands in one word: `fresh`, `retrying`, `reconnect_required` and so on.
    """

    id: UUID
    organization_id: str
    provider: str
    external_id: str
    status: str
    state: str
    credential_version: int
    name: str | None = None
    root_id: UUID | None = None
    status_cause: str | None = None
    parked_reason: str | None = None
    due_at: datetime | None = None
    attempt: int = 0
    expires_at: datetime | None = None
    lifetime_seconds: float | None = None
    refresh_token_expires_at: datetime | None = None
    grant_ends_at: datetime | None = None
    scopes: tuple[str, ...] = ()
    granted_scopes: tuple[str, ...] | None = None
    missing_scopes: tuple[str, ...] = ()
    kept_fields: Mapping[str, str | int | float | bool] | None = None
    in_between_steps: bool = False
    paused_at: datetime | None = None
    disabled_at: datetime | None = None
    deleted_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    note: str | None = None
    slot: str = ""
    slot_of: UUID | None = None
    slots: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    account_known: bool = False
    account_label: str | None = None
    health: str | None = None
    metadata: Mapping[str, object] | None = None
    app: str | None = None
    host: str | None = None
    placeholders: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a connection's history. `next_due_at` is None when it left the schedule."""

    id: int
    connection_id: UUID
    occurred_at: datetime
    kind: str
    credential_version: int | None = None
    attempt: int | None = None
    http_status: int | None = None
    elapsed_seconds: float | None = None
    lateness_seconds: float | None = None
    expired_seconds: float | None = None
    reason: str | None = None
    next_due_at: datetime | None = None


def made(kind: type[T], given: Mapping[str, Any]) -> T:
    """Returns a value of `kind` from a document; fields that a newer server adds are passed over.

    Raises `KeyError`, `TypeError` or `ValueError` for a document that is none of that kind.
    """
    names = [f.name for f in fields(kind) if f.name in given]  # type: ignore[arg-type]
    return kind(**{name: _value(name, given[name]) for name in names})


def served(connection_id: UUID, given: Mapping[str, Any]) -> Served:
    """Returns the token of a token answer."""
    ends, left = given["expires_at"], given["expires_in_seconds"]
    return Served(
        connection_id=connection_id,
        root_id=UUID(given.get("root_id") or str(connection_id)),
        access_token=Secret(_text(given["access_token"])),
        expires_at=None if ends is None else datetime.fromisoformat(ends),
        expires_in_seconds=None if left is None else float(left),
        scopes=tuple(given["scopes"]),
        credential_version=int(given["credential_version"]),
        stale=bool(given.get("stale")),
        reason=given.get("reason"),
        detail=given.get("detail"),
        token_type=given.get("token_type") or "Bearer",
        kept_fields=given.get("kept_fields") or {},
        old_access_token_survives=given.get("old_access_token_survives", True),
        slot=given.get("slot"),
    )


def ending(given: Mapping[str, Any]) -> RefreshResult:
    """Returns how a refresh ended."""
    return made(RefreshResult, given)


def _value(name: str, value: Any) -> Any:
    if isinstance(value, str) and name.endswith(INSTANTS):
        return datetime.fromisoformat(value)
    if isinstance(value, str) and name in _IDS:
        return UUID(value)
    return tuple(value) if isinstance(value, list) else value


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("no token")
    return value

"""Reads the slots of a connection that is handed in: by name, or out of the provider's whole answer.

Pure. Each slot that is refreshed apart comes to a `NewConnection` of its own, which is judged, sealed
and scheduled like any other. One that comes together with the main token is kept with that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from refresher.errors import InvalidConnection
from refresher.rules import intake_fields as fields
from refresher.rules.answers import read_slots
from refresher.rules.connection import Grant
from refresher.rules.providers import Provider
from refresher.rules.slots import as_kept, unknown
from refresher.rules.words import no_field

if TYPE_CHECKING:
    from refresher.rules.registering import Existing
    from refresher.rules.registration import NewConnection

MAX_SLOTS = 20
FIELDS = (
    *("access_token", "refresh_token", "expires_in", "expires_at", "refresh_token_expires_in"),
    *("scopes", "granted_scopes"),
)
"""What an import line may say of a slot, with the meaning that it has for the main token."""


def read_named(new: NewConnection, given: object) -> tuple[NewConnection, ...]:
    """Returns the slots of `slots: {"user": {…}}`; raises `InvalidConnection` with its field."""
    if not isinstance(given, dict) or not all(isinstance(v, dict) for v in given.values()):
        raise InvalidConnection(
            'slots must be an object of tokens by name, such as {"user": {"access_token": "…"}}'
        )
    if len(given) > MAX_SLOTS:
        raise InvalidConnection(f"slots has more than {MAX_SLOTS} names")
    return tuple(_named(new, name, told) for name, told in given.items())


def _named(new: NewConnection, name: str, told: Mapping[str, object]) -> NewConnection:
    try:
        return _read(new, name, told)
    except InvalidConnection as error:
        raise InvalidConnection(f"slots.{name[:64]}: {error}") from None


def _read(new: NewConnection, name: str, told: Mapping[str, object]) -> NewConnection:
    strange = next((field for field in told if field not in FIELDS), None)
    if strange is not None:
        raise InvalidConnection(no_field(strange[:64], FIELDS))
    if told.get("expires_in") is not None and told.get("expires_at") is not None:
        raise InvalidConnection("give expires_in or expires_at, not both")
    slot = bare(
        new,
        name,
        access_token=fields.token(told, "access_token"),
        refresh_token=fields.token(told, "refresh_token"),
        expires_in_seconds=fields.seconds(told, "expires_in"),
        expires_at=fields.instant(told, "expires_at"),
        refresh_token_expires_in_seconds=fields.seconds(told, "refresh_token_expires_in") or None,
        scopes=fields.scopes(told.get("scopes")),
        granted_scopes=fields.scopes(told.get("granted_scopes"), "granted_scopes"),
    )
    if not slot.has_tokens:
        raise InvalidConnection("access_token and refresh_token are missing")
    return slot


def bare(new: NewConnection, name: str, **own: object) -> NewConnection:
    """Returns a slot of the connection: at the same place, with nothing else of it."""
    nothing = ("name", "root_external_id", "scopes", "metadata", "in_between_steps", "answer")
    mine = {**dict.fromkeys(nothing), "kept": None, **own}
    return replace(new, slot=name, slots=(), **mine)  # type: ignore[arg-type]


def of_answer(
    new: NewConnection, provider: Provider, answer: Mapping[str, object], now_epoch_seconds: float
) -> tuple[NewConnection, ...]:
    """Returns the slots that the provider's answer has besides those that were named.

    A token that became the main one, for want of another, is no slot as well: two rows would spend one
    refresh token.
    """
    named = {slot.slot for slot in new.slots}
    found = read_slots(provider, answer, now_epoch_seconds, "apart")
    mine = {new.access_token, new.refresh_token} - {None}
    more = (
        _granted(new, name, grant)
        for name, grant in found.items()
        if name not in named and not mine & {grant.access_token, grant.refresh_token}
    )
    return (*new.slots, *more)


def _granted(new: NewConnection, name: str, grant: Grant) -> NewConnection:
    return bare(
        new,
        name,
        access_token=grant.access_token,
        refresh_token=grant.refresh_token,
        expires_in_seconds=grant.expires_in_seconds,
        expires_at=None,
        refresh_token_expires_in_seconds=grant.refresh_token_expires_in_seconds or None,
        granted_scopes=grant.scopes,
        kept=grant.kept,
    )


def fitting(new: NewConnection, provider: Provider, now_epoch_seconds: float) -> NewConnection:
    """Returns the connection with the slots that its provider has; those that come together are kept.

    Raises `InvalidConnection` for a slot that the provider does not have.
    """
    apart: list[NewConnection] = []
    for slot in new.slots:
        if slot.slot not in provider.slots:
            whose = f"provider {provider.name}"
            raise InvalidConnection(f"slots: {unknown(slot.slot, provider.slots, whose)}")
        if provider.slots[slot.slot].refreshed == "apart":
            apart.append(slot)
        else:
            new = _kept(new, slot, now_epoch_seconds)
    return replace(new, slots=tuple(apart))


def _kept(new: NewConnection, slot: NewConnection, now_epoch_seconds: float) -> NewConnection:
    token = slot.access_token
    if token is None or slot.refresh_token is not None or not new.has_tokens:
        raise InvalidConnection(
            f"slots.{slot.slot} is refreshed together with the main token: hand its access_token in "
            "with that, and no refresh_token"
        )
    ends = slot.expires_at.timestamp() if slot.expires_at else None
    if slot.expires_in_seconds is not None:
        ends = now_epoch_seconds + slot.expires_in_seconds
    return replace(
        new, kept={**(new.kept or {}), **as_kept(slot.slot, token, ends, slot.granted_scopes)}
    )


def at_its_place(slot: NewConnection, main: Existing | None) -> NewConnection:
    """Returns a slot where the connection is that it belongs to, as far as the line does not tell."""
    if main is None:
        return slot
    return replace(
        slot,
        host=slot.host or main.host,
        app=slot.app or main.app_name,
        placeholders={**main.placeholders, **(slot.placeholders or {})},
    )

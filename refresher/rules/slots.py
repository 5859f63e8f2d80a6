"""Several tokens in one connection: the slots beside its main token, such as Slack's user token.

An entry of the catalogue names them (`slots`) and says where the provider's whole answer has them. One
that is refreshed apart is a connection of its own, with its own row in the schedule; one that comes
together with each answer is stored among the kept secrets of the main token (`kept_fields.py`), in the
same commit. Pure, and raises on no input.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID, uuid5

from refresher.errors import did_you_mean
from refresher.rules import bodies
from refresher.rules.connection import Secret
from refresher.rules.kept_fields import SLOT, KeptFields
from refresher.rules.providers import Provider, Slot

Refreshed = Literal["apart", "together"]


def slot_id(main_id: UUID, name: str) -> UUID:
    """Returns the id of the row of a connection's slot, whether there is one or not."""
    return uuid5(main_id, name)


def names(provider: Provider, refreshed: Refreshed) -> list[str]:
    """Returns the slots of this provider that are refreshed so."""
    return [name for name, slot in provider.slots.items() if slot.refreshed == refreshed]


def unknown(name: str, known: Collection[str], whose: str = "it") -> str:
    """Returns the sentence about a slot that there is not, with those that there are."""
    those = ", ".join(sorted(known)) or "none"
    return f'no slot is called "{name[:64]}"{did_you_mean(name, known)}: {whose} has {those}'


def objects(
    provider: Provider, answer: Mapping[str, object], refreshed: Refreshed
) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Yields what the answer has of each slot that is refreshed so: its name, and its fields."""
    for name, slot in provider.slots.items():
        if slot.refreshed == refreshed and (found := _found(slot, answer)):
            yield name, found


def _found(slot: Slot, answer: Mapping[str, object]) -> Mapping[str, object] | None:
    """Returns the object at the slot's place; of a list, the first one that is as `where` says."""
    there = bodies.at(answer, slot.path)
    for one in there if isinstance(there, list) else [there]:
        fields = bodies.as_object(one)
        if fields and all(fields.get(key) == value for key, value in slot.where.items()):
            return fields
    return None


@dataclass(frozen=True, slots=True)
class SlotToken:
    """The token of a slot that came together with the main one; no end of its own is the main one's."""

    access_token: Secret
    ends_epoch_seconds: float | None
    scopes: tuple[str, ...] | None


def as_kept(
    name: str, token: Secret, ends_epoch_seconds: float | None, scopes: tuple[str, ...] | None
) -> KeptFields:
    """Returns the kept field that is a slot's token; its name makes it a secret."""
    told = {"access_token": token.reveal(), "ends": ends_epoch_seconds, "scopes": scopes}
    return {SLOT + name: json.dumps(told)}


def together(kept_secrets: Secret) -> dict[str, SlotToken]:
    """Returns the slots among the kept secrets of a connection."""
    fields: dict[str, str] = json.loads(kept_secrets.reveal())
    return {
        name.removeprefix(SLOT): _token(json.loads(value))
        for name, value in fields.items()
        if name.startswith(SLOT)
    }


def _token(told: Mapping[str, Any]) -> SlotToken:
    scopes = None if told["scopes"] is None else tuple(told["scopes"])
    return SlotToken(Secret(told["access_token"]), told["ends"], scopes)

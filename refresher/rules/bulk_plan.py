"""The order of a bulk job: which connections, how many at most, and the signed plan of its preview.

A plan is what somebody saw before they said yes: deed, filters, instant and number, signed with a key
that is derived from an encryption key (HMAC-SHA256, RFC 2104) for the API key that looked, for a
quarter of an hour. Pure: no clock, no dice.
"""

from __future__ import annotations

import hmac
import json
import shlex
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from refresher.rules.bulk import Deed

PURPOSE = b"refresher bulk plan 1"
"""What a signing key is derived for: it signs nothing else."""
PLAN_SECONDS = 900.0
MOST_CHOSEN = 200
"""So many may be chosen one by one."""
MOST = 10_000
"""So many are counted, and done without the number being typed."""
_KEY_ID, _SIGNATURE = 4, 32
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which connections: these, or all that match; None leaves a condition away.

    `health` is a word of health. Those that were chosen one by one must match as well.
    """

    ids: tuple[UUID, ...] = ()
    health: str | None = None
    provider: str | None = None
    app: str | None = None
    organization_id: str | None = None

    def as_json(self) -> dict[str, object]:
        """Returns the conditions that are given, as plain values."""
        given = {name: value for name, value in asdict(self).items() if value}
        return given | ({"ids": [str(id_) for id_ in self.ids]} if self.ids else {})

    @classmethod
    def from_json(cls, stored: Mapping[str, object]) -> Selection:
        """Returns what `as_json` gave."""
        ids = stored.get("ids") or ()
        assert isinstance(ids, list | tuple)
        texts = {f.name: stored.get(f.name) for f in fields(cls) if f.name != "ids"}
        return cls(ids=tuple(UUID(id_) for id_ in ids), **texts)  # type: ignore[arg-type]

    def command(self, deed: Deed) -> str:
        """Returns the command line that does the same."""
        options = {
            "--health": self.health,
            "--provider": self.provider,
            "--app": self.app,
            "--organization": self.organization_id,
        }
        given = [f"{name} {shlex.quote(value)}" for name, value in options.items() if value]
        return " ".join(["refresher connections bulk", deed.value, *given])


@dataclass(frozen=True, slots=True)
class Plan:
    """What a preview showed. `id` makes one job of a form that is sent twice.

    `number` is how many it is done to; None: more than are counted, so that a number is to be typed.
    """

    id: UUID
    deed: Deed
    selection: Selection
    as_of: datetime
    number: int | None


class PlanFault(StrEnum):
    """Why a plan is not taken."""

    INVALID = "invalid"
    STALE = "stale"
    ANOTHERS = "anothers"


FAULTS: Mapping[PlanFault, str] = {
    PlanFault.INVALID: "this plan was not made here: look at the preview again",
    PlanFault.STALE: "this preview is older than 15 minutes: look again, and say so then",
    PlanFault.ANOTHERS: "this preview was made with another API key: look at your own",
}
"""Each in a sentence."""


def sign(plan: Plan, whose: str, key_id: bytes, key: bytes) -> str:
    """Returns the plan as text for a form; `whose` is the API key's id, or the actor's."""
    told = {
        "id": str(plan.id),
        "deed": plan.deed.value,
        "selection": plan.selection.as_json(),
        "as_of": (plan.as_of - _EPOCH) // timedelta(microseconds=1),
        "number": plan.number,
        "whose": whose,
    }
    text = json.dumps(told, separators=(",", ":"), sort_keys=True).encode()
    return urlsafe_b64encode(key_id + hmac.digest(key, text, "sha256") + text).decode().rstrip("=")


def read(text: str, keys: Mapping[bytes, bytes], whose: str, now: datetime) -> Plan | PlanFault:
    """Returns the plan that one of `keys` signed for `whose`, or why it is none."""
    try:
        whole = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (NotBase64, ValueError):
        return PlanFault.INVALID
    key_id, signed = whole[:_KEY_ID], whole[_KEY_ID + _SIGNATURE :]
    # An unknown key is compared too, with one that signed nothing: no clock tells the two apart.
    expected = hmac.digest(keys.get(key_id, b"\x00" * 32), signed, "sha256")
    genuine = hmac.compare_digest(expected, whole[_KEY_ID : _KEY_ID + _SIGNATURE])
    if not genuine or key_id not in keys:
        return PlanFault.INVALID
    told = json.loads(signed)
    if told["whose"] != whose:
        return PlanFault.ANOTHERS
    as_of = _EPOCH + timedelta(microseconds=told["as_of"])
    if (now - as_of).total_seconds() > PLAN_SECONDS:
        return PlanFault.STALE
    selection = Selection.from_json(told["selection"])
    return Plan(UUID(told["id"]), Deed(told["deed"]), selection, as_of, told["number"])


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done, to how many at most."""

    deed: Deed
    selection: Selection
    as_of: datetime
    most: int
    plan_id: UUID | None = None


class OrderFault(StrEnum):
    """Why a yes does not count."""

    NOBODY = "nobody"
    TOO_MANY = "too_many"
    NOT_TYPED = "not_typed"
    WRONG_NUMBER = "wrong_number"


def fault_of(plan: Plan, typed: int | None, *, for_all: bool) -> OrderFault | None:
    """Returns what stands against an order, None where nothing does.

    `typed` is the number as somebody typed it: asked for with what cannot be undone, and with more
    than are counted; then it is how many it may be at most, and only a key `for_all` organizations may.
    """
    if plan.number == 0:
        return OrderFault.NOBODY
    if plan.number is None:
        if not for_all:
            return OrderFault.TOO_MANY
        if typed is None:
            return OrderFault.NOT_TYPED
        return None if typed > MOST else OrderFault.WRONG_NUMBER
    if typed is None:
        return OrderFault.NOT_TYPED if plan.deed is Deed.DELETE else None
    return None if typed == plan.number else OrderFault.WRONG_NUMBER


def order(plan: Plan, typed: int | None) -> Order:
    """Returns the order of a plan against which nothing stands."""
    most = typed if plan.number is None else plan.number
    assert most is not None
    return Order(plan.deed, plan.selection, plan.as_of, most, plan.id)

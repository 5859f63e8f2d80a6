"""Runs a recorded attempt's decisions again through today's rules, and tells what would differ.

Pure: nothing is sent and nothing is written. What differs, differs because rules, settings or the
catalogue changed since; `Replayed.note` says so where there is nothing to decide again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from refresher.rules import guards
from refresher.rules import policy as when
from refresher.rules.connection import ParkReason
from refresher.rules.decision import Decision, decide
from refresher.rules.history import WITHOUT_OUTCOME, PastEvent
from refresher.rules.outcomes import classify
from refresher.rules.policy import Policy
from refresher.rules.providers import Provider
from refresher.rules.recording import Facts, as_before, as_outline, as_recorded, as_reply

SAME_SECONDS = 0.5
"""Two due times this close are one: the clock of the commit is not that of the reply."""
OVERTAKEN = frozenset({"fenced", "adopted"})


@dataclass(frozen=True, slots=True)
class Compared:
    """One value of a decision: as it was recorded, and as it would be today."""

    name: str
    recorded: object
    today: object

    @property
    def differs(self) -> bool:
        """Whether it would be another today; due times may be half a second off."""
        a, b = self.recorded, self.today
        if isinstance(a, float) and isinstance(b, float):
            return abs(a - b) > SAME_SECONDS
        return a != b


@dataclass(frozen=True, slots=True)
class Replayed:
    """What was compared; `note` explains where that is not all, or nothing."""

    compared: tuple[Compared, ...] = ()
    note: str | None = None

    @property
    def differs(self) -> bool:
        """Whether anything would be another today."""
        return any(c.differs for c in self.compared)


def replay(event: PastEvent, provider: Provider | None, name: str, policy: Policy) -> Replayed:
    """Returns what today's rules make of what `event` recorded; `name` is the provider's."""
    facts = event.recorded or {}
    guard = facts.get("guard")
    if isinstance(guard, dict):
        return _guarded(event, provider, policy, guard)
    if provider is None:
        reason = ParkReason.UNKNOWN_PROVIDER
        verdict = Compared("outcome", event.kind, f"parked ({reason})")
        return Replayed(
            (verdict,), f"the catalogue lacks {name} today: the guard would park the row"
        )
    if "pause_left" in facts:
        return _postponed(event, facts)
    if "left" in facts:
        return _decided(event, provider, policy, facts)
    return Replayed(note=_nothing(event))


def _guarded(event: PastEvent, provider: Provider | None, policy: Policy, facts: Facts) -> Replayed:
    verdict = guards.check(
        as_outline(facts),
        provider,
        stop_when_expired=policy.expired_tokens == "stop",
        expired=bool(facts.get("expired")),
    )
    today = str(verdict.reason) if isinstance(verdict, guards.Skip) else "proceed"
    return Replayed((Compared("guard", event.parked_reason, today),))


def _postponed(event: PastEvent, facts: Facts) -> Replayed:
    left, dice = (
        facts["pause_left"],
        when.stable_spread(event.connection_id, event.lease_token or 0),
    )
    assert isinstance(left, int | float)
    due = when.after_pause(max(0.0, float(left)), 1.0 if facts.get("last") else dice)
    return Replayed((Compared("next due in, seconds", _due_in(event), round(due, 3)),))


def _decided(event: PastEvent, provider: Provider, policy: Policy, facts: Facts) -> Replayed:
    reply, before = as_reply(provider, event, facts), as_before(event, facts)
    outcome = classify(as_recorded(provider), reply, before.now_epoch_seconds)
    decision = decide(outcome, reply, before, provider, policy)
    decided = facts.get("decided", event.kind)
    first = Compared("outcome", decided, decision.event)
    if event.kind in OVERTAKEN:
        note = (
            f"what was decided was not written: {event.kind}, since another pair had been stored "
            "meanwhile or was waiting"
        )
        return Replayed((first,), note)
    return Replayed((first, *_written(event, decision)))


def _written(event: PastEvent, decision: Decision) -> tuple[Compared, ...]:
    life = decision.new_life
    due = decision.next_due_in_seconds
    values: list[tuple[str, object, object]] = [
        ("reason", *_reasons(event, decision)),
        ("failures in a row", event.attempt, decision.attempt),
        ("outcomes unknown", event.unknown_outcomes, decision.unknown_outcomes),
        ("next due in, seconds", _due_in(event), None if due is None else round(due, 3)),
    ]
    if life is not None:
        values.append(("lifetime, seconds", event.lifetime_seconds, life.lifetime_seconds))
    return tuple(Compared(*value) for value in values)


def _reasons(event: PastEvent, decision: Decision) -> tuple[str | None, str | None]:
    """Returns both reasons; the provider's words are not recorded, so the code counts."""
    today = decision.cause or decision.reason
    in_words = bool(today and event.reason and event.reason.startswith(f"{today}: "))
    return today if in_words else event.reason, today


def _due_in(event: PastEvent) -> float | None:
    due: datetime | None = event.next_due_at if event.state == 0 else None
    return None if due is None else round((due - event.occurred_at).total_seconds(), 3)


def _nothing(event: PastEvent) -> str:
    if event.kind in WITHOUT_OUTCOME:
        return "no reply was recorded: its lease ended without an outcome"
    if event.kind == "parked":
        return (
            f"it was parked by trying ({event.reason}): opening tokens and building requests is "
            "not run again"
        )
    return "nothing was recorded to decide again from"

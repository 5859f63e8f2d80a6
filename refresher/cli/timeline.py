"""Draws events as a timeline: one line an event, with the steps of an attempt and what they took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from refresher.cli.output import span, table
from refresher.rules.history import PastEvent, steps

COLUMNS = ["attempt", "when", "what", "steps", "http", "reason", "next"]
SPARE = ("next", "http")


def show(events: Sequence[PastEvent]) -> None:
    """Prints a timeline, the newest event last."""
    table(COLUMNS, [_row(event) for event in events], spare=SPARE)


def as_json(event: PastEvent) -> dict[str, object]:
    """Returns an event with its steps, as plain values."""
    return {**asdict(event), "steps": [asdict(step) for step in steps(event)]}


def _row(event: PastEvent) -> list[object]:
    return [
        event.lease_token,
        f"{event.occurred_at:%m-%d %H:%M:%S}Z",
        event.kind,
        _steps(event),
        event.http_status,
        reason_of(event) or event.parked_reason or event.postponed_by,
        next_of(event),
    ]


def reason_of(event: PastEvent) -> str | None:
    """Returns an event's reason; of a grant that we asked the provider to end, that it was a wish."""
    if event.kind == "revocation" and event.reason == "revoked":
        return "revoked as asked"
    return event.reason


def next_of(event: PastEvent) -> str | None:
    """Returns how long after an event the row was due again: a past one is no news of today."""
    if event.next_due_at is None:
        return None
    seconds = (event.next_due_at - event.occurred_at).total_seconds()
    return f"{span(seconds)} later" if seconds >= 1 else "at once"


def _steps(event: PastEvent) -> str | None:
    known = steps(event)
    if len(known) < 2:
        return None
    return " → ".join(
        step.name
        if step.after_seconds is None
        else f"{step.name} +{span(max(0.0, step.after_seconds))}"
        for step in known
    )

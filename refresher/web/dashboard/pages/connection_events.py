"""What happened to a connection, as rows: attempts with their phases on one scale, and deeds. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from itertools import pairwise

from refresher.rules.event_words import EventWord, beside, word
from refresher.rules.history import PastEvent, steps
from refresher.rules.words import span
from refresher.web.dashboard.charts import Rect, phases

BY_KEY = re.compile(r"\bby API key ([a-z2-7]{12})\b")
LONG_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Row:
    """One event. `day` is the heading above it, where its day is another than that of the row before.

    `took` are the times between its steps, `late` by how much its attempt was late.
    """

    id: int
    at: datetime
    time: str
    word: EventWord
    beside: str
    took: str
    phases: tuple[Rect, ...]
    late: str
    http_status: int | None
    day: str | None


def rows(
    events: Sequence[PastEvent],
    older: PastEvent | None,
    now: datetime,
    zone: tzinfo,
    names: Mapping[str, str],
) -> list[Row]:
    """Returns rows of events, the newest first; `older` is the next older one that is not shown.

    `names` are those of API keys by their ids.
    """
    found: list[Row] = []
    drawn = phases([_lengths(event) for event in events])
    for (event, before), bars in zip(pairwise([*events, older]), drawn, strict=True):
        assert event is not None
        here = event.occurred_at.astimezone(zone)
        day = _day(event.occurred_at, now, zone)
        last = None if not found else _day(found[-1].at, now, zone)
        found.append(
            Row(
                id=event.id,
                at=event.occurred_at,
                time=f"{here:%H:%M:%S}.{here.microsecond // 1000:03d}",
                word=word(event.kind),
                beside=named(beside(event, (before.failures or 0) if before else 0), names),
                took=_took(event),
                phases=bars,
                late=_late(event.lateness_seconds),
                http_status=event.http_status,
                day=None if day == last else day,
            )
        )
    return found


def key_ids(events: Sequence[PastEvent]) -> set[str]:
    """Returns the ids of API keys that these events name."""
    return {found for event in events for found in BY_KEY.findall(event.reason or "")}


def named(text: str, names: Mapping[str, str]) -> str:
    """Returns a sentence with the names of API keys in place of their ids."""
    return BY_KEY.sub(lambda found: f"by API key {names.get(found[1], found[1])}", text)


def _day(at: datetime, now: datetime, zone: tzinfo) -> str:
    """Returns the heading of a day: `Today, 29 November`."""
    here, today = at.astimezone(zone), now.astimezone(zone)
    date = f"{here.day} {here:%B}" + ("" if here.year == today.year else f" {here.year}")
    away = (today.date() - here.date()).days
    return {0: "Today, ", 1: "Yesterday, "}.get(away, "") + date


def _took(event: PastEvent) -> str:
    """Returns the times between the steps that are known; nothing for what has one step alone."""
    times = [step.after_seconds for step in steps(event)]
    return " → ".join(span(max(0.0, seconds)) for seconds in times if seconds is not None)


def _lengths(event: PastEvent) -> list[tuple[str, float]]:
    """Returns the phases of an attempt (waited, at the provider, stored) by their classes."""
    out = "ph-out" if word(event.kind).tone == "good" else "ph-fault"
    found, before = [], ""
    for step in steps(event):
        kind = {"claimed": "ph-wait", "begun": out}.get(before, "ph-store")
        if step.after_seconds is not None:
            found.append((kind, max(0.0, step.after_seconds)))
        before = step.name
    return found


def _late(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{max(0.0, seconds):.1f} s" if seconds < LONG_SECONDS else span(seconds)

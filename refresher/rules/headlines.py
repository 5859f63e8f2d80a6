"""The sentence with which a connection's page begins: its word, since when, what comes next. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

from refresher.rules.history import Moment, PastEvent
from refresher.rules.reasons import Instants
from refresher.rules.standing_word import Health, HealthFacts, NoteFacts, health, label, note
from refresher.rules.words import span

NOW_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Stands:
    """What the sentence is made of; `since` is when it came to stand so, None where nobody knows."""

    word: Health
    moment: Moment
    now: datetime
    since: datetime | None = None

    @property
    def notes(self) -> NoteFacts:
        """What a note beside the word is made of."""
        moment = self.moment
        return NoteFacts(moment.parked_reason, moment.postponed_by, moment.status_cause)


def headline(stands: Stands, instant: Instants) -> str:
    """Returns the sentence; `instant` writes an instant with its zone: `14:53:40 UTC`."""
    name = label(stands.word)
    since = f" since {instant(stands.since)}" if stands.since else ""
    match stands.word:
        case Health.FRESH | Health.LATE | Health.RETRYING:
            return f"{name}. {_next(stands, instant)}"
        case Health.EXPIRED:
            return f"{name}{since}. {_next(stands, instant)}"
        case Health.WAITING:
            return f"{name}: {note(stands.word, stands.notes)}. {_next(stands, instant)}"
        case Health.BLOCKED:
            why = note(stands.word, stands.notes)
            return f"{name}{since}: {why}." if why else f"{name}: it has no schedule row."
        case Health.CONNECTING:
            return f"{name}: its OAuth steps are not finished."
        case _:
            return f"{name}{since}."


def since(word: Health, moment: Moment, events: Sequence[PastEvent]) -> datetime | None:
    """Returns since when it stands so; `events` are its newest, the oldest first.

    For what stands in events alone, it is the first of the newest events in a row that were left so;
    none where all of them were: it may be so for longer.
    """
    told = {
        Health.DELETED: moment.deleted_at,
        Health.DISABLED: moment.disabled_at,
        Health.PAUSED: moment.paused_at,
        Health.REFRESHING: moment.claimed_at,
        Health.EXPIRED: moment.expires_at,
    }
    if word in told:
        return told[word]
    if word not in {Health.RECONNECT_REQUIRED, Health.BLOCKED}:
        return None
    newest_first = list(reversed(events))
    alike = list(takewhile(lambda event: _left_so(event, word, moment), newest_first))
    return alike[-1].occurred_at if 0 < len(alike) < len(newest_first) else None


def _left_so(event: PastEvent, word: Health, moment: Moment) -> bool:
    """Whether an event left it as it stands now."""
    if word is Health.RECONNECT_REQUIRED:
        return event.status == moment.status
    return event.parked_reason is not None and event.parked_reason == moment.parked_reason


def _next(stands: Stands, instant: Instants) -> str:
    """Returns when its next refresh is, or since when it has been due."""
    due = stands.moment.due_at
    if due is None:
        return "It is in no schedule."
    seconds = (due - stands.now).total_seconds()
    what = "attempt" if stands.word in {Health.RETRYING, Health.WAITING} else "refresh"
    if seconds >= NOW_SECONDS:
        return f"The next {what} is in {span(seconds)}, at {instant(due)}."
    if seconds > -NOW_SECONDS:
        return f"The next {what} is due now."
    return f"Its next {what} has been due for {span(-seconds)}, since {instant(due)}."


def health_at(moment: Moment, at: datetime) -> Health:
    """Returns the word for how it stood at an instant."""
    due = moment.due_at
    return health(
        HealthFacts(
            state=moment.state,
            status=moment.status,
            parked_reason=moment.parked_reason,
            postponed_by=moment.postponed_by,
            failures=moment.attempt,
            is_deleted=moment.deleted_at is not None,
            is_disabled=moment.disabled_at is not None,
            is_paused=moment.paused_at is not None,
            in_between_steps=moment.in_between_steps,
            is_expired=moment.expires_at is not None and moment.expires_at <= at,
            late_seconds=-1.0 if due is None else (at - due).total_seconds(),
        )
    )

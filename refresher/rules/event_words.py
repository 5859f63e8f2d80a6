"""What an event, and an entry of the audit, is called on a page: word, colour, and what is beside it.

Pure. docs/events.md explains the kinds; a kind of a newer version is shown under its own name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from refresher.rules.explanation import held_in_words
from refresher.rules.history import FAILURES, SUCCESSES, PastEvent
from refresher.rules.standing_word import Tone
from refresher.rules.words import many, span


@dataclass(frozen=True, slots=True)
class EventWord:
    """How an event is shown; `shape` is the name of its icon."""

    label: str
    tone: Tone
    shape: str


_BY_PEOPLE: tuple[Tone, str] = ("still", "key")
_WORDS: Mapping[str, tuple[str, Tone, str]] = {
    "refreshed": ("Refreshed", "good", "tick"),
    "adopted": ("Late pair taken", "good", "tick"),
    "reread": ("Answer read again", "good", "tick"),
    "reconnected": ("Connected again", "good", "tick"),
    "rate_limited": ("Asked to wait", "warn", "hourglass"),
    "transient": ("Passing trouble", "warn", "again"),
    "malformed": ("No sense in it", "warn", "again"),
    "fenced": ("Came too late", "warn", "clock"),
    "swept": ("Without outcome", "warn", "again"),
    "connect_failed": ("Not connected", "warn", "triangle"),
    "unreadable": ("Answer not read", "bad", "octagon"),
    "misconfigured": ("App refused", "bad", "octagon"),
    "revoked": ("Grant is dead", "bad", "cross"),
    "parked": ("Parked", "bad", "octagon"),
    "unsent": ("No time to send", "still", "hourglass"),
    "postponed": ("Postponed", "still", "hourglass"),
    "released": ("Given back", "still", "ring"),
    "signal": ("Told by the provider", "still", "mail"),
    "revocation": ("Asked to end the grant", "still", "key"),
    "resume_link": ("Link made", "still", "key"),
    "resume_link_withdrawn": ("Link withdrawn", "still", "key"),
}


def word(kind: str) -> EventWord:
    """Returns how an event of this kind is shown; what has no words of its own is what people did."""
    label, tone, shape = _WORDS.get(kind, (_plain(kind).capitalize(), *_BY_PEOPLE))
    return EventWord(label, tone, shape)


def beside(event: PastEvent, failed_before: int = 0) -> str:
    """Returns what stands below the word: attempt, reason, what it waits or is parked for, what next.

    `failed_before`: how many attempts in a row had failed before it.
    """
    return ", ".join(_beside(event, failed_before))


def _beside(event: PastEvent, failed_before: int) -> Iterator[str]:
    if event.lease_token is not None and event.claimed_at is not None:
        yield f"attempt {event.lease_token}"
    if event.reason:
        yield (
            "as we asked"
            if event.kind == "revocation" and event.reason == "revoked"
            else event.reason
        )
    if event.kind in SUCCESSES and failed_before:
        yield f"after {many(failed_before, 'failure')}"
    if event.kind in {"revoked", "parked"} and event.parked_reason:
        yield f"parked as {event.parked_reason}"
    if event.kind == "postponed" and event.postponed_by:
        yield f"waits for {held_in_words(event.postponed_by.partition(':')[2]).rstrip(',')}"
    if event.kind in FAILURES and event.next_due_at is not None:
        wait = (event.next_due_at - event.occurred_at).total_seconds()
        yield f"tried again after {span(wait)}" if wait >= 1 else "tried again at once"


_DONE: Mapping[str, str] = {
    "token_read": "read its token",
    "refused": "was refused",
    "registered": "handed it in",
    "refresh_asked": "had it refreshed",
    "answer_reread": "read a kept answer again",
    "resume_link": "made a link for new tokens",
    "link_used": "is whose link was used",
    "link_withdrawn": "withdrew a link",
    "connect_session_made": "made a link to connect it",
    "connect_session_used": "is whose link was opened",
    "connect_session_cancelled": "cancelled a link to connect it",
    "connect_session_completed": "confirmed its consent",
}


def done(action: str) -> str:
    """Returns what somebody did to a connection, to be put behind a name: `paused it`."""
    return _DONE.get(action, f"{_plain(action)} it")


def _plain(name: str) -> str:
    return name.replace("_", " ")

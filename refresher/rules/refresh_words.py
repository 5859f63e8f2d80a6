"""How a refresh that somebody asked for ended, or why there was none, to a person who waits. Pure.

`next_at` is when it is tried again, as a reader's page says instants: `in 21 min, at 14:53:40 UTC`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from refresher.rules.connection import ParkReason
from refresher.rules.explanation import held_in_words
from refresher.rules.history import SUCCESSES
from refresher.rules.served import RefreshResult
from refresher.rules.unavailable import SENTENCES, Why
from refresher.rules.words import capital

Tone = Literal["good", "warn", "bad", "still"]


@dataclass(frozen=True, slots=True)
class Told:
    """One sentence or two, and how good the news is."""

    sentence: str
    tone: Tone


_ENDINGS: Mapping[str, Told] = {
    "refreshed": Told("Refreshed{by}: a fresh token is stored.", "good"),
    "adopted": Told(
        "The stored token was dead{by}; one that had come late took its place.", "good"
    ),
    "revoked": Told(
        "{provider} has ended the grant{why}. Refreshing cannot bring it back: the account has to be "
        "connected again.",
        "bad",
    ),
    "misconfigured": Told(
        "{provider} refuses our app{why}: its client id or secret has to be put right.{next}", "bad"
    ),
    "rate_limited": Told("{provider} asked us to wait.{next}", "warn"),
    "transient": Told("{provider} is in trouble that passes{why}.{next}", "warn"),
    "malformed": Told("The answer of {provider} makes no sense{why}.{next}", "warn"),
    "unreadable": Told(
        "{provider} answered, and we could not read it{why}. The answer is kept.{next}", "bad"
    ),
    "postponed": Told("Nothing was sent: {held} is left alone for a while.{next}", "warn"),
    "unsent": Told("Nothing was sent: no time was left{why}.{next}", "warn"),
    "fenced": Told("A newer token was stored meanwhile; what came is kept beside it.", "warn"),
}


def ended(
    ending: RefreshResult, provider: str, *, held: str | None = None, next_at: str | None = None
) -> Told:
    """Returns how it ended; `held` is what its row waits for the end of, such as `app:acme/default`."""
    known = _ENDINGS.get(ending.outcome, Told("It ended as {outcome}{why}.{next}", "warn"))
    http = f"HTTP {ending.http_status}" if ending.http_status else None
    why = ", ".join(part for part in (ending.reason, http) if part)
    sentence = known.sentence.format(
        by="" if ending.by_us else " by another process that was at it",
        provider=provider,
        why=f" ({why})" if why else "",
        held=_held(held) or provider,
        next=f" It is tried again {next_at}." if next_at else "",
        outcome=ending.outcome,
    )
    return Told(sentence, known.tone)


def because(ending: RefreshResult, held: str | None) -> str:
    """Returns why it did not succeed, in brackets, for a line that names the outcome; or nothing."""
    if ending.outcome in SUCCESSES:
        return ""
    why = ending.reason or (f"{held} is paused" if held else None)
    return f" ({why})" if why else ""


def refused(code: str, *, next_at: str | None = None, waited_seconds: float = 0.0) -> Told:
    """Returns why none was begun, or not waited for to its end; `code` is `TokenUnavailable`'s."""
    if code == Why.STILL_REFRESHING:
        return Told(
            f"It takes longer than {waited_seconds:.0f} s. It goes on by itself and nothing is lost: "
            "what came of it stands here as soon as it has ended.",
            "still",
        )
    known = {reason.value: said for reason, said in SENTENCES.items()}
    said = known.get(code, code)
    when = f" It is refreshed {next_at}." if next_at and code not in set(ParkReason) else ""
    return Told(f"{capital(said)}.{when}", "warn")


def _held(postponed_by: str | None) -> str | None:
    scope, _, key = (postponed_by or "").partition(":")
    if not key:
        return None
    return f"the app {held_in_words(key)}" if scope == "app" else held_in_words(key)

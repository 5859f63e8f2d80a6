"""Why a connection's row is due when it is, in the numbers it was made of.

Pure. What a refresh, an import or a failure decided is computed by the functions of `policy.py` a
second time, so the explanation cannot say other numbers; where today's numbers give another time, it
says so too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from refresher.rules import policy as when
from refresher.rules.history import Moment, PastEvent
from refresher.rules.policy import Policy
from refresher.rules.providers import Provider
from refresher.rules.words import span

PACE = "pace:"
"""What a row waits for whose grant was asked for a token too recently: `pace:zoho`."""
CLOSE_SECONDS = 2.0
"""Between deciding and committing a moment passes; what differs by more has another reason."""
_REFUSED = {
    "misconfigured": (
        "the provider refused it with {reason}, which no other connection was told since the last "
        "success: the client id or secret of its app is wrong, or its refresh token is another client's"
    ),
    "rate_limited": "the provider asked for this wait, of this connection alone",
}
IMPORTED = frozenset({"imported", "reconnected"})


@dataclass(frozen=True, slots=True)
class DueReason:
    """Why a row is due when it is; `due_at` is what today's rules make of it, None for no sum."""

    sentence: str
    due_at: datetime | None = None
    lifetime_seconds: float | None = None
    lead_seconds: float | None = None
    jitter_seconds: float | None = None


def why_due(
    connection_id: UUID, moment: Moment, last: PastEvent | None, provider: Provider, policy: Policy
) -> DueReason:
    """Returns why the row is due at `moment.due_at`; `last` is the newest event of the connection."""
    kind = last.kind if last else "imported"
    if last is not None and kind in {"transient", "malformed", "unreadable", "unsent"}:
        return DueReason(_retry(last, policy))
    if moment.postponed_by is not None:
        return DueReason(_held(moment.postponed_by))
    if last is not None and kind in _REFUSED:
        return DueReason(_REFUSED[kind].format(reason=last.reason))
    if kind in {"refreshed", *IMPORTED} and moment.expires_at is not None:
        number = 1 if kind in IMPORTED else moment.credential_version
        why = _lead(connection_id, number, moment, provider, policy)
        return _checked(why, moment)
    sentences = {
        "reread": "its kept answer was read again, and the life in that decides",
        "resumed": "it was resumed, which makes a row due at once",
        "refresh_asked": "a refresh was asked for, of it and of others, each in its turn",
        "swept": "its last refresh ended without an outcome, so it is tried again at once",
        "released": "it was claimed and given back before anything was sent",
        "adopted": "a pair that had come late was taken into use, and its life decides",
        "fenced": "another pair had been stored meanwhile, and its life decides",
    }
    return DueReason(sentences.get(kind, f"the event {kind} left it so"))


def lead_parts(
    policy: Policy, provider: Provider, lifetime_seconds: float, spread: float
) -> tuple[float, float, float]:
    """Returns the lead without jitter, the jitter that is added, and how it was clamped.

    The three add up to `policy.lead`, negative jitter being a later refresh.
    """
    whole = when.lead(policy, provider, lifetime_seconds, spread)
    plain = when.wanted_lead(policy, provider, lifetime_seconds, spread, jitter=False)
    swayed = when.wanted_lead(policy, provider, lifetime_seconds, spread)
    return plain, swayed - plain, whole - swayed


def _lead(
    connection_id: UUID, number: int, moment: Moment, provider: Provider, policy: Policy
) -> DueReason:
    assert moment.expires_at is not None
    known = (moment.lifetime_seconds, provider.access_token_lifetime_seconds)
    lifetime = next((s for s in known if s), when.FALLBACK_LIFETIME_SECONDS)
    spread = when.stable_spread(connection_id, number)
    plain, jitter, clamp = lead_parts(policy, provider, lifetime, spread)
    clamped = f", {_signed(clamp)} by the provider's and our own limits" if abs(clamp) > 0.5 else ""
    sentence = f"lifetime {span(lifetime)}, lead {span(plain)}, jitter {_signed(jitter)}{clamped}"
    due = moment.expires_at - timedelta(seconds=plain + jitter + clamp)
    return DueReason(sentence, due, lifetime, plain, jitter)


def _checked(why: DueReason, moment: Moment) -> DueReason:
    """Adds what made the row due at another time than the sum says."""
    if moment.due_at is None or why.due_at is None:
        return why
    earlier = (why.due_at - moment.due_at).total_seconds()
    if abs(earlier) <= CLOSE_SECONDS:
        return why
    reason = (
        "the refresh token's own end comes first, or a setting changed since"
        if earlier > 0
        else "that had passed already, or a setting changed since"
    )
    sentence = f"{why.sentence}; not at {why.due_at:%H:%M:%S}Z, because {reason}"
    return DueReason(
        sentence, why.due_at, why.lifetime_seconds, why.lead_seconds, why.jitter_seconds
    )


def _retry(last: PastEvent, policy: Policy) -> str:
    failures = last.attempt or 0
    if last.kind == "unsent":
        return "there was no time left to send its request, which counts no attempt"
    if failures < policy.attempts:
        lane = f"attempt {failures} of {policy.attempts}"
    else:
        lane = f"{failures} failures in a row: the slow lane, which never gives up"
    return f"the last attempt failed ({last.reason}), {lane}"


def _held(postponed_by: str) -> str:
    scope, _, key = postponed_by.partition(":")
    if scope == "rate":
        return f"{key} takes only so many requests a second, and this row waits for its turn"
    if scope == "pace":
        return f"{key} takes only so many requests of one grant, and this row waits for its next"
    what = "the provider" if scope == "provider" else "the app"
    whom = f"{what} {held_in_words(key)}"
    return f"{whom} is left alone for a while, and this row waits for the end of that"


def held_in_words(key: str) -> str:
    """Returns a pause's key in words: `acme@shop.example#org` is acme at shop.example, for org."""
    whole, _, organization = key.partition("#")
    name, _, host = whole.partition("@")
    at = f" at {host}" if host else ""
    return f"{name}{at}, for {organization}," if organization else f"{name}{at}"


def _signed(seconds: float) -> str:
    return f"{'−' if seconds < 0 else '+'}{span(abs(seconds))}"

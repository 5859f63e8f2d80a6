"""How long a connection's tokens live, as bars: stored, now, refresh, end. Pure; never a token."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from refresher.rules.connection import Status
from refresher.rules.history import Moment
from refresher.rules.reasons import Instants
from refresher.rules.words import span
from refresher.web.dashboard.charts import share

NOBODY_TELLS = "nobody tells when it ends"
NONE_STORED = "none is stored"


@dataclass(frozen=True, slots=True)
class Bar:
    """A life from its beginning to its end; places are percentages of it.

    `is_over`: nothing of it is left. `due` is where the refresh stands, `due_anchor` how its words do.
    """

    begin: str
    end: str
    now: str = ""
    left: str = ""
    is_over: bool = False
    due: str = ""
    due_words: str = ""
    due_anchor: str = "middle"


@dataclass(frozen=True, slots=True)
class Life:
    """One token's life in words, and as a bar where its end is known."""

    title: str
    says: str
    tone: str = ""
    bar: Bar | None = None


@dataclass(frozen=True, slots=True)
class Lives:
    """What the bars are made of; `refused_at` is when the provider ended the grant, if anybody knows.

    `is_sliding`: using the refresh token moves its end. `provider` is whose words it is.
    """

    moment: Moment
    now: datetime
    provider: str
    has_access_token: bool
    has_refresh_token: bool
    is_sliding: bool = False
    refused_at: datetime | None = None


def lives(facts: Lives, clock: Instants) -> tuple[Life, Life]:
    """Returns both lives, the access token's first."""
    return _access(facts, clock), _refresh(facts, clock)


def _access(facts: Lives, clock: Instants) -> Life:
    title, moment = "Access token", facts.moment
    ends, long = moment.expires_at, moment.lifetime_seconds
    if not facts.has_access_token:
        return Life(title, NONE_STORED, "still")
    if ends is None:
        return Life(title, NOBODY_TELLS, "still")
    begun = None if not long else ends - timedelta(seconds=long)
    bar = _bar(facts, begun, ends, clock) if begun is not None and begun < ends else None
    if ends <= facts.now:
        return Life(title, f"ended {span((facts.now - ends).total_seconds())} ago", "bad", bar)
    return Life(title, f"{span((ends - facts.now).total_seconds())} left", "", bar)


def _bar(facts: Lives, begun: datetime, ends: datetime, clock: Instants) -> Bar:
    begin = f"stored {clock(begun)}"
    if ends <= facts.now:
        return Bar(begin, f"ended {clock(ends)}", is_over=True)
    bar = _running(begun, ends, facts.now, begin, f"ends {clock(ends)}")
    due = facts.moment.due_at
    if due is None or not begun < due < ends:
        return bar
    place = (due - begun).total_seconds() / (ends - begun).total_seconds()
    anchor = "start" if place < 0.15 else "end" if place > 0.85 else "middle"
    return Bar(
        bar.begin,
        bar.end,
        bar.now,
        bar.left,
        due=_share(due, begun, ends),
        due_words=f"refresh at {clock(due)}",
        due_anchor=anchor,
    )


def _refresh(facts: Lives, clock: Instants) -> Life:
    title, moment = "Refresh token", facts.moment
    if moment.status == Status.RECONNECT_REQUIRED:
        end = "refused" + (f" {clock(facts.refused_at)}" if facts.refused_at else "")
        return Life(title, f"ended by {facts.provider}", "bad", Bar("", end, is_over=True))
    ends = moment.refresh_token_expires_at
    if not facts.has_refresh_token:
        return Life(title, NONE_STORED, "still")
    if ends is None:
        return Life(title, NOBODY_TELLS, "still")
    if ends <= facts.now:
        over = Bar("", f"ended {clock(ends)}", is_over=True)
        return Life(title, f"ended {span((facts.now - ends).total_seconds())} ago", "bad", over)
    unless = " unless used" if facts.is_sliding else ""
    says = f"{span((ends - facts.now).total_seconds())} left"
    begun = _last_used(moment)
    if begun is None or not begun < facts.now:
        return Life(title, f"{says}, ends {clock(ends)}{unless}")
    word = "used" if facts.is_sliding else "stored"
    bar = _running(begun, ends, facts.now, f"{word} {clock(begun)}", f"ends {clock(ends)}{unless}")
    return Life(title, says, "", bar)


def _last_used(moment: Moment) -> datetime | None:
    """Returns when the pair was stored: that is when its access token's life began."""
    if moment.expires_at is None or not moment.lifetime_seconds:
        return None
    return moment.expires_at - timedelta(seconds=moment.lifetime_seconds)


def _running(begun: datetime, ends: datetime, now: datetime, begin: str, end: str) -> Bar:
    return Bar(begin, end, now=_share(now, begun, ends), left=_share(ends, now, ends, begun))


def _share(at: datetime, since: datetime, until: datetime, begun: datetime | None = None) -> str:
    """Returns the stretch from `since` to `at` as a share of the whole life."""
    whole = (until - (begun or since)).total_seconds()
    return share((at - since).total_seconds(), whole)

"""Instants and spans as pages show them: all in one zone, the session's. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from markupsafe import Markup

from refresher.rules.words import span

MOST_OF_A_NAME = 64


def zone_of(name: str) -> tzinfo | None:
    """Returns a time zone by its name in the IANA database; None where there is no such zone."""
    if name in {"", "UTC"}:
        return UTC
    if len(name) > MOST_OF_A_NAME or name not in _names():
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError):
        return None


@cache
def _names() -> frozenset[str]:
    """The names of all zones: looked for once, for it takes some milliseconds."""
    return frozenset(available_timezones())


def clock(at: datetime, now: datetime, zone: tzinfo) -> str:
    """Returns an instant in few words: `14:53:40` today, else `14 Feb, 16:40`, with another year's."""
    here, today = at.astimezone(zone), now.astimezone(zone)
    if here.date() == today.date():
        return f"{here:%H:%M:%S}"
    return f"{day(at, now, zone)}, {here:%H:%M}"


def day(at: datetime, now: datetime, zone: tzinfo) -> str:
    """Returns the date of an instant: `14 Feb`, with its year unless that is this one."""
    here, today = at.astimezone(zone), now.astimezone(zone)
    year = "" if here.year == today.year else f" {here.year}"
    return f"{here.day} {here:%b}{year}"


def when(at: datetime | None, now: datetime, zone: tzinfo, shown: str | None = None) -> Markup:
    """Returns an instant as HTML: for programs whole, for people `shown`, or in few words."""
    if at is None:
        return Markup("")
    exact = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    whole = f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"
    text = clock(at, now, zone) if shown is None else shown
    return Markup('<time datetime="{}" title="{}">{}</time>').format(exact, whole, text)


def ago(at: datetime, now: datetime) -> str:
    """Returns how long ago it was: `21 min ago`, `just now`; what is to come as `inside` does."""
    seconds = (now - at).total_seconds()
    if -1 < seconds < 1:
        return "just now"
    whole = float(round(abs(seconds))) if abs(seconds) < 120 else abs(seconds)
    return f"{span(whole)} ago" if seconds > 0 else f"in {span(whole)}"


def inside(at: datetime, now: datetime) -> str:
    """Returns in how long it will be: `in 21 min`; what is over as `ago` says it."""
    return ago(at, now)


def number(value: float) -> str:
    """Returns a number with commas: 312,700."""
    return f"{value:,}"

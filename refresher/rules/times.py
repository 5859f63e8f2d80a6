"""Instants and spans as people type them: ISO 8601, `10m ago`, `2h`. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

_SIZES = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_UNIT = re.compile(
    r"s(?:ecs?|econds?)?|m(?:ins?|inutes?)?|h(?:rs?|ours?)?|d(?:ays?)?|w(?:eeks?)?", re.IGNORECASE
)
_SPAN = re.compile(r"(\d{1,9}(?:\.\d{1,3})?|an?)\s*([a-z]{1,7})", re.IGNORECASE)
_WORDS = {"now": "0s ago", "yesterday": "1d ago"}
_AGO = re.compile(r"-\s*(.+?)(?:\s+ago)?|(.+?)\s*ago", re.IGNORECASE)


class NoTime(ValueError):
    """What was typed is no instant; the message goes on behind it, quoted."""


def instant(given: str, now: datetime, zone: tzinfo | None = None) -> datetime:
    """Returns the instant that is meant, in UTC: ISO 8601, or a distance such as `10m ago`.

    `yesterday` is a day ago, at this time of day. An instant without an offset is one of `zone`, and
    refused where there is none. Raises `NoTime`.
    """
    text = _WORDS.get(given.strip().lower(), given.strip())
    ago = _AGO.fullmatch(text)
    seconds = span(ago[1] or ago[2]) if ago else None
    if seconds is not None:
        try:
            return now - timedelta(seconds=seconds)
        except OverflowError:
            raise NoTime("is longer ago than there are dates") from None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise NoTime(
            "is no time: give ISO 8601 with an offset, such as 2026-03-01T12:00:00Z, "
            'or a distance, such as "10m ago", "1 day ago" or yesterday'
        ) from None
    if at.tzinfo is None and zone is None:
        raise NoTime("has no offset: add Z for UTC, or one such as +01:00")
    try:
        return (at.replace(tzinfo=zone) if at.tzinfo is None else at).astimezone(UTC)
    except OverflowError:
        raise NoTime("is farther off than there are dates") from None


def span(text: str) -> float | None:
    """Returns a span in seconds; None for what is none."""
    found = _SPAN.fullmatch(text.strip())
    if found is None or _UNIT.fullmatch(found[2]) is None:
        return None
    count = 1.0 if found[1].lower() in {"a", "an"} else float(found[1])
    return count * _SIZES[found[2][0].lower()]

"""Reads a TIME as people type it: ISO 8601 with an offset, or a distance such as `10m ago`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from refresher.cli.refusal import WrongUse

_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_AGO = re.compile(r"-?\s*(\d{1,9}(?:\.\d{1,3})?)\s*(s|min|m|h|d|w)(?:\s+ago)?", re.IGNORECASE)


def read_time(given: str, now: datetime) -> datetime:
    """Returns the instant that `given` means; raises `WrongUse` with the forms that are taken."""
    text = given.strip()
    if (text.startswith("-") or text.lower().endswith("ago")) and (m := _AGO.fullmatch(text)):
        try:
            return now - timedelta(seconds=float(m[1]) * _UNITS[m[2].lower()])
        except OverflowError:
            raise WrongUse(f'--at "{given}" is longer ago than there are dates') from None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise WrongUse(
            f'--at "{given}" is no time: give ISO 8601 with an offset, such as '
            '2026-03-01T12:00:00Z, or a distance, such as "10m ago"'
        ) from None
    if at.tzinfo is None:
        raise WrongUse(f'--at "{given}" has no offset: add Z for UTC, or one such as +01:00')
    if at > now:
        raise WrongUse(f'--at "{given}" is in the future: events tell only what was')
    return at.astimezone(UTC)

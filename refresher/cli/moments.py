"""Reads a TIME as people type it: ISO 8601 with an offset, or a distance such as `10m ago`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from refresher.cli.refusal import WrongUse

_SIZES = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_UNIT = re.compile(
    r"s(?:ecs?|econds?)?|m(?:ins?|inutes?)?|h(?:rs?|ours?)?|d(?:ays?)?|w(?:eeks?)?", re.IGNORECASE
)
_AGO = re.compile(r"-?\s*(\d{1,9}(?:\.\d{1,3})?|an?)\s*([a-z]{1,7})(?:\s+ago)?", re.IGNORECASE)


def read_time(given: str, now: datetime) -> datetime:
    """Returns the instant that `given` means; raises `WrongUse` with the forms that are taken."""
    text = given.strip()
    distance = _distance(text)
    if distance is not None:
        try:
            return now - timedelta(seconds=distance)
        except OverflowError:
            raise WrongUse(f'--at "{given}" is longer ago than there are dates') from None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise WrongUse(
            f'--at "{given}" is no time: give ISO 8601 with an offset, such as '
            '2026-03-01T12:00:00Z, or a distance, such as "10m ago" or "1 day ago"'
        ) from None
    if at.tzinfo is None:
        raise WrongUse(f'--at "{given}" has no offset: add Z for UTC, or one such as +01:00')
    if at > now:
        raise WrongUse(f'--at "{given}" is in the future: events tell only what was')
    return at.astimezone(UTC)


def _distance(text: str) -> float | None:
    """Returns how many seconds ago is meant; None for what is no distance."""
    if not (text.startswith("-") or text.lower().endswith("ago")):
        return None
    found = _AGO.fullmatch(text)
    if found is None or _UNIT.fullmatch(found[2]) is None:
        return None
    count = 1.0 if found[1].lower() in {"a", "an"} else float(found[1])
    return count * _SIZES[found[2][0].lower()]

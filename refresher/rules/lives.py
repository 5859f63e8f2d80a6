"""Reads how long a token lives, in whatever way that is told: a number, an instant, a JWT's own word.

Pure, and total: what makes no sense tells nothing. Zero, negative and past mean "expired already", and
are told apart from silence (None). Of several lives that were told the shortest counts.
"""

from __future__ import annotations

import json
import math
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from refresher.rules import policy as when
from refresher.rules.connection import Secret
from refresher.rules.providers import LifeFormat

MAX_LIFETIME_SECONDS = 10 * 366 * 86_400.0
"""Ten years. A longer life is taken for a mistake, and the fallbacks of `policy.lifetime` used."""
_YEAR_5138 = 1e11
"""As seconds since 1970. A larger number counts milliseconds, or smaller parts still."""
_THOUSANDFOLD = (500.0, 1_100.0)
"""How many times the known life a number may be that counts milliseconds: some of it may be over."""
_INSTANTS = ("_at", "_on", "At", "On")
_PARTS = {
    "seconds": 1.0,
    "milliseconds": 0.001,
    "minutes": 60.0,
    "epoch": 1.0,
    "epoch_milliseconds": 0.001,
}
_EPOCHS = frozenset({"epoch", "epoch_milliseconds"})
ASK_AGAIN_MAX_SECONDS = 60.0
ASK_SOON_TIMES = 10
"""So often, beyond the usual attempts, a token that was expired is asked for within a minute."""
_NUMERIC = (int, float, str)  # written out at the place, the union is made anew for each answer


def shortest(
    answer: Mapping[str, object],
    names: Iterable[str],
    now_epoch_seconds: float,
    known_seconds: float | None = None,
    form: LifeFormat = "auto",
) -> float | None:
    """Returns the shortest life that the named fields tell, in seconds from now; None for none.

    An instant without its zone is only believed where nothing else tells, or where the format says so.
    """
    told = unsure = None
    for name in names:
        value = answer.get(name)
        if value is None:
            continue
        life = seconds(value, now_epoch_seconds, known_seconds, form)
        if life is None or (life == 0 and _is_zero(value) and _is_instant(name, form)):
            continue
        if isinstance(value, str) and form != "iso8601" and _lacks_zone(value):
            unsure = life if unsure is None else min(unsure, life)
        else:
            told = life if told is None else min(told, life)
    return unsure if told is None else told


def _is_instant(name: str, form: LifeFormat) -> bool:
    return form in _EPOCHS or name.endswith(_INSTANTS)


def end_of_refresh_token(
    answer: Mapping[str, object],
    names: Iterable[str],
    now_epoch_seconds: float,
    known_seconds: float | None = None,
    form: LifeFormat = "auto",
) -> tuple[float | None, bool]:
    """Returns the nearest end that is told, and whether none is there: zero means that, in Keycloak."""
    if answer.keys().isdisjoint(names):  # the usual case, and no look at each name
        return None, False
    told = [value for name in names if (value := answer.get(name)) is not None]
    lives = [seconds(value, now_epoch_seconds, known_seconds, form) for value in told]
    ends = [life for life in lives if life]
    return min(ends, default=None), not ends and any(_is_zero(value) for value in told)


def seconds(
    value: object,
    now_epoch_seconds: float,
    known_seconds: float | None = None,
    form: LifeFormat = "auto",
) -> float | None:
    """Returns the life in seconds, 0 for one that is over, or None for what tells none.

    `"3600"`, `3600.0` and `"3600s"` are an hour. More than ten years is no life but an instant: seconds
    or milliseconds since 1970; a date and time (ISO 8601, RFC 9110) is one too. About a thousand times
    `known_seconds`, the life that the provider documents, is milliseconds. All that is guessing, for
    what does not fit the `form` that the entry names.
    """
    if form != "auto":
        life = _told_as(form, value, now_epoch_seconds)
        if life is not None:
            return life
    if isinstance(value, bool) or not isinstance(value, _NUMERIC):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return _until(value, now_epoch_seconds) if isinstance(value, str) else None
    return _of_number(number, now_epoch_seconds, known_seconds) if math.isfinite(number) else None


def _told_as(form: LifeFormat, value: object, now_epoch_seconds: float) -> float | None:
    """Returns the life that a value of this format tells, None for a value of another."""
    if form == "iso8601":
        return _until(value, now_epoch_seconds) if isinstance(value, str) else None
    part = _PARTS.get(form)
    if part is None or isinstance(value, bool) or not isinstance(value, _NUMERIC):
        return None
    try:
        number = float(value) * part
    except (ValueError, OverflowError):
        return None
    life = number - now_epoch_seconds if number and form in _EPOCHS else number
    return _believable(life) if math.isfinite(life) else None


def _of_number(
    number: float, now_epoch_seconds: float, known_seconds: float | None
) -> float | None:
    if number <= 0:
        return 0.0
    if number > MAX_LIFETIME_SECONDS:
        return _believable(_epoch_seconds(number) - now_epoch_seconds)
    if known_seconds and _THOUSANDFOLD[0] <= number / known_seconds <= _THOUSANDFOLD[1]:
        return number / 1_000
    return number


def in_jwt(token: Secret, now_epoch_seconds: float) -> float | None:
    """Returns the life that a JWT's `exp` claim tells (RFC 7519 section 4.1.4), unverified."""
    text = token.reveal()
    if text.count(".") != 2:
        return None
    parts = text.split(".")
    try:
        payload = json.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        ends = float(payload["exp"])
        return (
            _believable(_epoch_seconds(ends) - now_epoch_seconds) if math.isfinite(ends) else None
        )
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None


def _until(text: str, now_epoch_seconds: float) -> float | None:
    text = text.strip()
    if text[-1:] == "s" and text[:-1].replace(".", "", 1).isdecimal():  # "3600s", protobuf's way
        return seconds(text[:-1], now_epoch_seconds)
    instant = _instant(text)
    if instant is None:
        return None
    at = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return _believable(at.timestamp() - now_epoch_seconds)


def _instant(text: str) -> datetime | None:
    if len(text) < 8 or text.isdecimal():
        return None
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            return read(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


def _lacks_zone(text: str) -> bool:
    instant = _instant(text.strip())
    return instant is not None and instant.tzinfo is None


def _is_zero(value: object) -> bool:
    return isinstance(value, _NUMERIC) and not str(value).strip().strip("0.") and value != ""


def _epoch_seconds(number: float) -> float:
    while number >= _YEAR_5138:
        number /= 1_000
    return number


def _believable(life: float) -> float | None:
    """Returns what is left until an instant, 0 when it is past; ten years off is no instant."""
    return max(0.0, life) if abs(life) <= MAX_LIFETIME_SECONDS else None


def ask_again_in(policy: when.Policy, attempt: int, spread: float) -> float:
    """Returns the wait after the `attempt`-th token in a row that had expired when it came.

    2, 4, 8 … seconds up to a minute, for a provider's stored copy may be renewed at any moment; then as
    after a failure, in the slow lane.
    """
    soon = min(2.0 ** min(attempt, 30), ASK_AGAIN_MAX_SECONDS)
    patience = attempt - policy.attempts - ASK_SOON_TIMES
    return (
        soon
        if patience <= 0
        else max(
            soon, when.retry_in(policy, policy.attempts + patience, -when.FOR_EVER_SECONDS, spread)
        )
    )

"""Decides what a provider's reply means.

Pure: no HTTP here (`exchange.py` sends), no timing (`policy.py` decides when to try again), no
decoding of bytes (`answers.py` reads the body). Adding an outcome? mypy lists every `match` that
must learn it.

Only a dead grant ends a connection; whatever is unclear is tried again. Error codes are those of
RFC 6749 section 5.2, plus each provider's own spellings from the catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from refresher.rules.answers import read_answer, read_grant, read_prolonged, retry_after_seconds
from refresher.rules.connection import UNSENT, Grant, Reply, Secret, as_token, value
from refresher.rules.error_codes import (
    error_code,
    error_detail,
    is_held,
    says_all_is_well,
    says_no,
)
from refresher.rules.providers import Provider

__all__ = [
    "UNSENT", "Malformed", "Misconfigured", "Outcome", "Prolonged", "RateLimited", "Refreshed", "Reply",
    "Revoked", "Transient", "Unreadable", "classify",
]  # fmt: skip
DEAD_GRANT = frozenset({"invalid_grant"})
MISCONFIGURED = frozenset({"invalid_client", "unauthorized_client", "unsupported_grant_type"})
"""Without `invalid_scope`: that is one connection's fault, and must not hold up all the others."""
SLOW_DOWN = frozenset({"slow_down", "rate_limited", "ratelimited", "too_many_requests"})

UNREAD = "the provider answered, and we could not read it"


@value
class Refreshed:
    """A fresh access token came."""

    grant: Grant


@value
class Prolonged:
    """No token came, for the stored one lives on: its new lives come as a grant with an empty one."""

    grant: Grant


@dataclass(frozen=True, slots=True)
class RateLimited:
    """The provider asked us to slow down; `retry_after_seconds` when it said how long."""

    retry_after_seconds: float | None
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Transient:
    """Trouble that passes: 5xx, a time-out, no connection. Never ends a connection.

    `counts` is False when we never got round to sending (a full sender, a shutdown): that is no
    attempt. `refused` tells that an error code came: whatever the status, that is an answer.
    """

    reason: str
    retry_after_seconds: float | None = None
    status: int | None = None
    counts: bool = True
    refused: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Revoked:
    """The grant is dead: a person must connect again. `detail` is what the provider said, masked."""

    code: str
    status: int | None = None
    detail: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Misconfigured:
    """The app's own set-up is refused: every connection of the app is affected, none is broken."""

    code: str
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Malformed:
    """An answer that makes no sense: tried again. A refresh token found in it is kept."""

    reason: str
    status: int | None = None
    refresh_token: Secret | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The provider answered, we could not read it, and it looks like a grant: it is kept.

    So the refresh token that was sent may be spent, and the answer may hold the only live pair.
    """

    reason: str
    status: int


Outcome = (
    Refreshed | Prolonged | RateLimited | Transient | Revoked | Misconfigured | Malformed | Unreadable
)  # fmt: skip


def classify(provider: Provider, reply: Reply, now_epoch_seconds: float) -> Outcome:
    """Returns the meaning of `reply`.

    The order matters: a usable access token wins over everything that surrounds it (a provider may
    spend the old refresh token and still add an odd field); then error codes, since some providers
    send them with status 200 or 403; the status decides last. `now_epoch_seconds` is only used to
    turn a `Retry-After` date into seconds.
    """
    if reply.status is None:
        return Transient(reply.failure or "no answer", counts=reply.failure != UNSENT)
    broken = reply.failure is not None
    answer = read_answer(provider, reply.body, reply.headers, broken=broken)
    if 200 <= reply.status < 300:
        grant = read_grant(provider, answer, now_epoch_seconds)
        if grant is not None:
            return Refreshed(grant)
    wait = retry_after_seconds(reply.headers, now_epoch_seconds)
    code = error_code(provider, answer)
    if code is None and provider.status_errors and not broken:
        code = provider.status_errors.get(str(reply.status))
    if code is None and provider.prolongs and says_all_is_well(reply, answer):
        return Prolonged(read_prolonged(provider, answer, now_epoch_seconds))
    refusal = _refusal(provider, reply.status, code, answer, wait) if code is not None else None
    return refusal or _by_status(reply, wait, answer)


def _refusal(
    provider: Provider, status: int, code: str, answer: Mapping[str, object], wait: float | None
) -> Outcome | None:
    # The user's own list counts whatever surrounds it: some servers fail over a dead grant.
    dead = provider.dead_grant_errors_at_any_status
    in_trouble = status in {408, 429} or (status >= 500 and status not in provider.refusal_statuses)
    if not in_trouble and code not in provider.retry_errors:
        dead = dead | DEAD_GRANT | provider.dead_grant_errors
    if code in dead:
        return Revoked(code, status, error_detail(provider, answer))
    if in_trouble:
        return None
    if code in (MISCONFIGURED | provider.misconfigured_errors) - provider.retry_errors:
        return Misconfigured(code, status)
    if code in SLOW_DOWN:
        return RateLimited(wait, status)
    return Transient(f"refused: {code}", wait, status, refused=True)


def _by_status(reply: Reply, wait: float | None, answer: Mapping[str, object]) -> Outcome:
    status = reply.status or 0
    if status == 429:
        return RateLimited(wait, status)
    if 200 <= status < 300:
        return _unread(reply, status, answer)
    if 300 <= status < 400 and reply.failure is None:
        return Malformed(f"redirect with status {status}, which is never followed", status)
    plain = f"status {status}"
    plain += "" if status >= 500 or status == 408 else " without an error code"
    return Transient(reply.failure or plain, wait, status)


def _unread(reply: Reply, status: int, answer: Mapping[str, object]) -> Outcome:
    """Returns what an answer without a token means: half a grant, one that is unread, or none."""
    kept = as_token(answer.get("refresh_token"))
    if kept is not None:
        return Malformed("no access token in the answer", status, kept)
    if not says_no(answer) and is_held(reply):
        why = f"it broke off ({reply.failure})" if reply.failure else "it has no access token"
        return Unreadable(f"{UNREAD}: {why}", status)
    if reply.failure is not None:
        return Transient(reply.failure, None, status)
    return Malformed("no access token in the answer", status)

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

from refresher.rules.answers import error_code, read_body, read_grant, retry_after_seconds
from refresher.rules.connection import Grant, Secret
from refresher.rules.providers import Provider
from refresher.values import value

DEAD_GRANT = frozenset({"invalid_grant"})
MISCONFIGURED = frozenset({"invalid_client", "unauthorized_client", "unsupported_grant_type"})
"""Without `invalid_scope`: that is one connection's fault, and must not hold up all the others."""
SLOW_DOWN = frozenset({"slow_down", "rate_limited", "ratelimited", "too_many_requests"})

UNSENT = "unsent"
"""`Reply.failure` of a request that was never tried."""


@value
class Reply:
    """What came back, or did not: a time-out is a reply, not an exception.

    `failure` names what went wrong on the way (`connect`, `timeout`, `protocol`, `too_large`,
    `unsent` …) and is None when there is a status. `sent` tells whether the request may have
    reached the provider: only then can a rotating refresh token have been spent.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    failure: str | None = None
    sent: bool = True
    elapsed_seconds: float = 0.0


@value
class Refreshed:
    """A fresh access token came."""

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
    attempt.
    """

    reason: str
    retry_after_seconds: float | None = None
    status: int | None = None
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Revoked:
    """The grant is dead: a person must connect again."""

    code: str
    status: int | None = None


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


Outcome = Refreshed | RateLimited | Transient | Revoked | Misconfigured | Malformed


def classify(provider: Provider, reply: Reply, now_epoch_seconds: float) -> Outcome:
    """Returns the meaning of `reply`.

    The order matters: a usable access token wins over everything that surrounds it (a provider may
    spend the old refresh token and still add an odd field); then error codes, since some providers
    send them with status 200 or 403; the status decides last. `now_epoch_seconds` is only used to
    turn a `Retry-After` date into seconds.
    """
    if reply.status is None:
        return Transient(reply.failure or "no answer", counts=reply.failure != UNSENT)
    answer = read_body(reply.body, provider.response_path)
    wait = retry_after_seconds(reply.headers, now_epoch_seconds)
    if 200 <= reply.status < 300:
        grant = read_grant(provider, answer)
        if grant is not None:
            return Refreshed(grant)
    return _refusal(provider, reply.status, error_code(provider, answer), wait) or _by_status(
        reply.status, wait, answer
    )


def _refusal(
    provider: Provider, status: int, code: str | None, wait: float | None
) -> Outcome | None:
    if code is None or status in {408, 429} or status >= 500:
        return None
    if code in provider.retry_errors:
        return Transient(f"refused: {code}", wait, status)
    if code in DEAD_GRANT or code in provider.dead_grant_errors:
        return Revoked(code, status)
    if code in MISCONFIGURED or code in provider.misconfigured_errors:
        return Misconfigured(code, status)
    if code in SLOW_DOWN:
        return RateLimited(wait, status)
    return Transient(f"refused: {code}", wait, status)


def _by_status(status: int, wait: float | None, answer: Mapping[str, object]) -> Outcome:
    if status == 429:
        return RateLimited(wait, status)
    if status >= 500 or status == 408:
        return Transient(f"status {status}", wait, status)
    if 300 <= status < 400:
        return Malformed(f"redirect with status {status}, which is never followed", status)
    if status >= 400:
        return Transient(f"status {status} without an error code", wait, status)
    token = answer.get("refresh_token")
    kept = Secret(token) if isinstance(token, str) and token.strip() else None
    return Malformed("no access token in the answer", status, kept)

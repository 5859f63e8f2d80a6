"""What an endpoint's answer means for a message and for the endpoint: done, again, or no more.

Pure. Seconds in, seconds out; `spread` is a number in [0, 1), stable for one message and attempt. The
table that follows from it stands in docs/webhooks.md, computed by a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never
from urllib.parse import urlsplit

from refresher.rules.answers import retry_after_seconds
from refresher.rules.connection import TOO_LARGE, Reply
from refresher.rules.limits import BreakerPolicy, opens

JITTER_SHARE = 0.1
"""By so much a wait is shortened at most, so that messages which failed together come back apart."""
GONE_REASON = "it answered 410 Gone"


@dataclass(frozen=True, slots=True)
class DeliveryPolicy:
    """The knobs, in seconds; the settings of the same names, `webhook_` before, document them."""

    retry_first_seconds: float = 5.0
    retry_coefficient: float = 4.0
    retry_max_seconds: float = 14_400.0
    give_up_after_seconds: float = 86_400.0
    breaker: BreakerPolicy = field(default_factory=lambda: BreakerPolicy(failures=5))


@dataclass(frozen=True, slots=True)
class Delivered:
    """The endpoint has it."""

    status: int
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The endpoint may not have it. `wait_seconds` is what it asked for, for all messages."""

    reason: str
    status: int | None = None
    wait_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """The endpoint wants no message any more."""


DeliveryOutcome = Delivered | Failed | Gone


def understand(answer: Reply, now_epoch_seconds: float) -> DeliveryOutcome:
    """Returns what an answer means; without a status, `failure` is the reason in words.

    2xx is success whatever the body; 410 ends the endpoint; a redirect is never followed, for who
    answers one could send our messages into our own network. All else is tried again.
    """
    status = answer.status
    if status is None:
        return Failed(answer.failure or "no answer")
    if 200 <= status < 300:
        is_cut = answer.failure == TOO_LARGE
        return Delivered(status, "its answer was long, and not read to the end" if is_cut else None)
    if status == 410:
        return Gone()
    if 300 <= status < 400:
        where = _host(answer.headers)
        return Failed(
            f"it redirects{where} with status {status}; redirects are never followed", status
        )
    wait = retry_after_seconds(answer.headers, now_epoch_seconds)
    return Failed(f"status {status}", status, wait if status in {429, 503} else None)


def _host(headers: Mapping[str, str]) -> str:
    """Returns where a redirect leads, as far as it may be shown: the server's name."""
    location = next((v for k, v in headers.items() if k.lower() == "location"), "")
    try:
        host = urlsplit(location).hostname
    except ValueError:
        host = None
    return f" to {host[:100]}" if host and host.isprintable() else ""


def retry_in(
    policy: DeliveryPolicy,
    attempt: int,
    since_first_seconds: float,
    spread: float,
    asked_seconds: float | None = None,
) -> float | None:
    """Returns the wait after the `attempt`-th failure (1 is the first); None to give up.

    5 s, 20 s, 80 s, 5, 21 and 85 minutes, then 4 hours each, until a day has passed since the first
    attempt: the last one is made at its very end.
    """
    left = policy.give_up_after_seconds - since_first_seconds
    if left <= 0:
        return None
    grown = policy.retry_first_seconds * policy.retry_coefficient ** min(attempt - 1, 30)
    wait = min(grown, policy.retry_max_seconds) * (1 - JITTER_SHARE * spread)
    return min(max(wait, asked_seconds or 0.0), max(left, 1.0))


@dataclass(frozen=True, slots=True)
class EndpointHealth:
    """How an endpoint does: failures in a row and since when, and the pause that followed.

    `refusals` counts the pauses in a row; `disabled` is why it gets nothing more, until somebody
    enables it again.
    """

    failures: int = 0
    refusals: int = 0
    failing_seconds: float | None = None
    pause_left_seconds: float = 0.0
    disabled: str | None = None

    @property
    def is_held_up(self) -> bool:
        """Whether messages have been put off because of it."""
        return self.refusals > 0 or self.pause_left_seconds > 0


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one message, and how long ago it left; where it was given up, after how long."""

    outcome: DeliveryOutcome
    age_seconds: float = 0.0
    gave_up_after_seconds: float | None = None


def observe(policy: DeliveryPolicy, health: EndpointHealth, result: Result) -> EndpointHealth:
    """Returns how an endpoint does after one more result.

    After five failures in a row it is left alone for 30 s, then one message probes; for 1, 2, 4, 8, 10
    minutes when that fails too. It is disabled when a message was given up and none came through
    meanwhile: one message that it cannot stomach is no reason to keep it from all the others.
    """
    match result.outcome:
        case Delivered():
            return EndpointHealth(disabled=health.disabled)
        case Gone():
            return replace(health, disabled=health.disabled or GONE_REASON)
        case Failed(reason, _, asked):
            failed = _failed(policy, health, result.age_seconds, asked)
            if _is_dead(failed, result):
                hours = policy.give_up_after_seconds / 3600
                why = f"nothing came through for {hours:g} hours; the last time: {reason}"
                return replace(failed, disabled=health.disabled or why)
            return failed
        case _:
            assert_never(result.outcome)


def _is_dead(health: EndpointHealth, result: Result) -> bool:
    if result.gave_up_after_seconds is None or health.failing_seconds is None:
        return False
    # A second of grace: what was begun a moment before the first failure counts as well.
    return health.failing_seconds + 1.0 >= result.gave_up_after_seconds


def _failed(
    policy: DeliveryPolicy, health: EndpointHealth, age_seconds: float, asked_seconds: float | None
) -> EndpointHealth:
    since = age_seconds if health.failing_seconds is None else health.failing_seconds
    failed = replace(health, failures=health.failures + 1, failing_seconds=max(since, age_seconds))
    if asked_seconds is not None:
        longest = max(asked_seconds, health.pause_left_seconds)
        return replace(failed, pause_left_seconds=longest)
    if health.pause_left_seconds > 0:  # it left before the pause began
        return failed
    opened = opens(policy.breaker, failed.failures, health.refusals)
    if opened is None:
        return failed
    return replace(failed, refusals=opened.refusals, pause_left_seconds=opened.seconds)

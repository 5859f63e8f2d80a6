"""What follows from an outcome: next due time, counters, pauses, the new life, the end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from refresher.rules.connection import Grant, Secret
from refresher.rules.decision import Before, Decision, decide, new_life
from refresher.rules.faults import Fault, Sort
from refresher.rules.outcomes import (
    UNSENT,
    Malformed,
    Misconfigured,
    Outcome,
    RateLimited,
    Refreshed,
    Reply,
    Revoked,
    Transient,
)
from refresher.rules.policy import Policy
from refresher.rules.providers import Provider, Rotation, Strategy
from tests.rules.samples import DAY, EPOCH, HOUR, MINUTE, before, jwt, provider, reply

ACME = provider()
GRANT = Grant(Secret("a"), Secret("r"), HOUR, None)
OK = Refreshed(GRANT)


def decided(
    outcome: Outcome,
    given: Reply | None = None,
    known: Before | None = None,
    of: Provider = ACME,
    **knobs: Any,
) -> Decision:
    """Returns what is decided on `outcome`, all else being usual."""
    return decide(outcome, given or reply(), known or before(), of, Policy(**knobs))


# --- Refreshed


def test_a_refresh_clears_what_went_before_and_plans_the_next() -> None:
    """After a success nothing is counted any more, and the next refresh is due before expiry."""
    decision = decided(OK, known=before(attempt=9, unknown_outcomes=2))
    assert decision.event == "refreshed"
    assert decision.next_due_in_seconds == pytest.approx(48 * MINUTE)
    assert (decision.attempt, decision.unknown_outcomes) == (0, 0)
    assert decision.fault is None
    assert decision.new_life is not None
    assert decision.new_life.grant is GRANT


def test_the_time_of_the_exchange_is_taken_off_the_life() -> None:
    """M8: the provider's clock began before we read its answer."""
    decision = decided(OK, reply(elapsed_seconds=20.0))
    assert decision.new_life is not None
    assert decision.new_life.left_seconds == HOUR - 20.0
    assert decision.new_life.lifetime_seconds == HOUR
    assert decision.next_due_in_seconds == pytest.approx(48 * MINUTE - 20.0)


def test_a_life_shorter_than_its_exchange_is_over_not_negative() -> None:
    """M8: such a token is due at once, but for the floor between two refreshes."""
    decision = decided(
        Refreshed(replace(GRANT, expires_in_seconds=10.0)), reply(elapsed_seconds=15)
    )
    assert decision.new_life is not None
    assert decision.new_life.left_seconds == 0.0
    assert decision.next_due_in_seconds == 1.0


@pytest.mark.parametrize(
    ("life", "floor", "due"), [(60.0, 30.0, 30.0), (60.0, 600.0, 30.0), (1.0, 1.0, 0.5)]
)
def test_the_floor_between_two_refreshes_is_half_a_life_at_most(
    life: float, floor: float, due: float
) -> None:
    """M8: a floor longer than the token lives must not let it die."""
    arrived_late = reply(elapsed_seconds=life * 0.9)
    outcome = Refreshed(replace(GRANT, expires_in_seconds=life))
    decision = decided(outcome, arrived_late, min_refresh_interval_seconds=floor)
    assert decision.next_due_in_seconds == pytest.approx(due)


@pytest.mark.parametrize(
    ("token", "answered", "last", "documented", "life"),
    [
        (jwt({"exp": EPOCH + 900}), 60.0, 7200.0, 1800.0, 60.0),
        (jwt({"exp": EPOCH + 900}), None, 7200.0, 1800.0, 900.0),
        (jwt({"exp": EPOCH + 20}), 3600.0, 7200.0, 1800.0, 20.0),
        ("opaque", None, 7200.0, 1800.0, 7200.0),
        ("opaque", None, None, 1800.0, 1800.0),
        ("opaque", None, None, None, HOUR),
    ],
)
def test_a_connection_never_becomes_one_without_expiry(
    token: str, answered: float | None, last: float | None, documented: float | None, life: float
) -> None:
    """M7, M18: the shorter of answer and `exp`, else the last life, else the documented one."""
    grant = Grant(Secret(token), None, answered, None)
    of = provider(access_token_lifetime_seconds=documented)
    decision = decided(Refreshed(grant), known=before(last_lifetime_seconds=last), of=of)
    assert decision.new_life is not None
    assert decision.new_life.lifetime_seconds == life
    assert decision.next_due_in_seconds == pytest.approx(0.8 * life)


@pytest.mark.parametrize(
    ("clock", "answered", "documented", "left"),
    [
        ("sliding", 30 * DAY, 60 * DAY, 30 * DAY),
        ("sliding", None, 60 * DAY, 60 * DAY),
        ("sliding", None, None, None),
        ("fixed", 30 * DAY, 365 * DAY, 30 * DAY),
        ("fixed", None, 365 * DAY, None),
    ],
)
@pytest.mark.parametrize(
    ("new_token", "rotation"), [(Secret("r"), Rotation.SOMETIMES), (None, Rotation.NEVER)]
)
def test_an_idle_clock_starts_again_with_each_new_token_or_each_use(
    new_token: Secret | None,
    rotation: Rotation,
    clock: str,
    answered: float | None,
    documented: float | None,
    left: float | None,
) -> None:
    """M9: with each use where no new token ever comes; a fixed end only moves when we are told."""
    grant = Grant(Secret("a"), new_token, HOUR, answered)
    of = provider(
        refresh_token_clock=clock, refresh_token_lifetime_seconds=documented, rotation=rotation
    )
    assert new_life(grant, 0.0, before(), of).refresh_token_left_seconds == left


def test_a_refresh_token_that_idles_out_sooner_sets_the_due_time() -> None:
    """M9: a token of sixty days whose refresh token idles out after ten is refreshed after eight."""
    grant = Grant(Secret("a"), Secret("r"), 60 * DAY, 10 * DAY)
    assert decided(Refreshed(grant)).next_due_in_seconds == pytest.approx(8 * DAY)


def test_a_token_that_is_its_own_grant_is_refreshed_at_half_its_life() -> None:
    """M8: nothing could save it after its end."""
    of = provider(strategy=Strategy.LONG_LIVED_EXCHANGE, min_token_age_seconds=DAY)
    grant = Grant(Secret("a"), None, 60 * DAY, None)
    due = decided(Refreshed(grant), of=of).next_due_in_seconds
    assert due is not None
    assert 30 * DAY <= due <= 33 * DAY


# --- Rate limits and refused apps


@pytest.mark.parametrize(("asked", "pause"), [(None, 60.0), (300.0, 300.0), (0.0, 1.0), (DAY, DAY)])
def test_a_rate_limit_is_honoured_for_its_grant_and_counts_no_attempt(
    asked: float | None, pause: float
) -> None:
    """M5, M17: the row comes back after that, spread; whether others wait, the evidence says."""
    known = before(attempt=2, unknown_outcomes=1, dice=0.5)
    decision = decided(RateLimited(asked, 429), known=known)
    assert decision.fault == Fault(Sort.LIMITED, "rate limited", asked)
    assert decision.next_due_in_seconds is not None
    assert decision.next_due_in_seconds > pause
    assert (decision.event, decision.attempt, decision.unknown_outcomes) == ("rate_limited", 2, 1)


@pytest.mark.parametrize(
    ("attempt", "wait"), [(0, MINUTE), (1, 2 * MINUTE), (4, 15 * MINUTE), (99, 15 * MINUTE)]
)
def test_a_grant_whose_app_is_refused_waits_ever_longer(attempt: int, wait: float) -> None:
    """M4, M17: it is this grant's own backoff, it is not ended, and its app is only suspected."""
    known = before(attempt=attempt, unknown_outcomes=1)
    decision = decided(Misconfigured("invalid_client", 401), known=known)
    assert decision.fault == Fault(Sort.REFUSED, "invalid_client")
    assert decision.next_due_in_seconds == wait
    assert (decision.event, decision.unknown_outcomes) == ("misconfigured", 1)
    assert decision.attempt == attempt + 1
    assert decision.reason == "invalid_client"


# --- Transient


def test_a_transient_failure_is_tried_again_after_the_interval() -> None:
    """M12: the failure counts as an attempt, and its reason is kept."""
    decision = decided(Transient("status 503", None, 503), reply(b"", 503))
    fault = Fault(Sort.SILENT, "status 503")
    assert decision == Decision("transient", 120.0, 1, 1, "status 503", fault=fault)


@pytest.mark.parametrize("attempt", [0, 2, 3, 50, 10_000])
def test_a_transient_failure_never_ends_anything(attempt: int) -> None:
    """M3: after any number of failures there is a next time, within the hour."""
    decision = decided(Transient("timeout"), known=before(attempt=attempt, left_seconds=-DAY))
    assert decision.attempt == attempt + 1
    assert decision.next_due_in_seconds is not None
    assert 0 < decision.next_due_in_seconds <= HOUR


@pytest.mark.parametrize(
    ("given", "unknown"),
    [
        (reply(status=None, failure="timeout"), 1),
        (reply(status=None, failure="connect", sent=False), 0),
        (reply(b"", 500), 1),
        (reply(b"", 503), 1),
        (reply(b"", 400), 0),
        (reply(b"", 408), 0),
    ],
)
def test_it_is_remembered_that_the_refresh_token_may_be_spent(given: Reply, unknown: int) -> None:
    """M1: a time-out or a 5xx may have rotated the token; a refusal, or no connection, has not."""
    assert decided(Transient("x"), given).unknown_outcomes == unknown


@pytest.mark.parametrize(
    ("asked", "due"),
    [(600.0, 600.0), (121.0, 121.0), (30.0, 120.0)],
)
def test_trouble_that_says_how_long_it_lasts_is_believed(asked: float, due: float) -> None:
    """M5: a 503 with `Retry-After` is one grant's wait; the later of both waits counts."""
    decision = decided(Transient("status 503", asked, 503), reply(b"", 503))
    assert decision.fault == Fault(Sort.LIMITED, "status 503", asked)
    assert decision.next_due_in_seconds == due
    assert (decision.attempt, decision.unknown_outcomes) == (1, 1)


def test_a_wait_of_zero_is_no_pause() -> None:
    """M5: "try again now" is answered by our own backoff."""
    decision = decided(Transient("status 503", 0.0, 503), reply(b"", 503))
    assert decision.fault == Fault(Sort.SILENT, "status 503")
    assert decision.next_due_in_seconds == 120.0


def test_a_request_that_never_left_is_due_at_once_and_uncounted() -> None:
    """A shutdown or a full sender changes nothing but the due time."""
    known = before(attempt=2, unknown_outcomes=1)
    outcome = Transient(UNSENT, counts=False)
    decision = decided(outcome, reply(status=None, failure=UNSENT, sent=False), known)
    assert decision == Decision("unsent", 1.0, 2, 1, UNSENT)


# --- Malformed


def test_a_senseless_answer_is_tried_again_as_unknown() -> None:
    """M3: the token may have been rotated and lost on the way; the connection goes on."""
    decision = decided(Malformed("no access token in the answer", 200))
    assert decision == Decision("malformed", 120.0, 1, 1, "no access token in the answer")


def test_a_refresh_token_in_a_senseless_answer_is_kept() -> None:
    """M2: it is handed on to be stored, and nothing is unknown any more."""
    decision = decided(Malformed("x", 200, Secret("r")), known=before(unknown_outcomes=3))
    assert decision.rescued_refresh_token == Secret("r")
    assert (decision.attempt, decision.unknown_outcomes) == (1, 0)
    assert decision.next_due_in_seconds == 120.0


# --- Revoked


@pytest.mark.parametrize(("unknown", "cause"), [(0, "invalid_grant"), (1, "interrupted")])
def test_a_dead_grant_ends_the_connection_and_says_why(unknown: int, cause: str) -> None:
    """M3: at once, on the first refusal; one that followed a lost answer is told apart."""
    decision = decided(Revoked("invalid_grant", 400), known=before(unknown_outcomes=unknown))
    assert decision == Decision("revoked", None, 0, unknown, cause)


def test_only_a_dead_grant_ends_a_connection() -> None:
    """M3: every other outcome has a next time."""
    outcomes: list[Outcome] = [
        OK,
        RateLimited(None),
        Transient("x"),
        Transient(UNSENT, counts=False),
        Malformed("x"),
        Misconfigured("invalid_client"),
    ]
    assert all(decided(outcome).next_due_in_seconds is not None for outcome in outcomes)

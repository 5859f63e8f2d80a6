"""Silence told from answers, and where the same refresh token is presented a second time."""

from __future__ import annotations

from typing import Any

import pytest

from refresher.rules.connection import ParkReason
from refresher.rules.decision import ASK_AGAIN_SECONDS
from refresher.rules.faults import Sort
from refresher.rules.outcomes import Reply, Revoked, Transient
from refresher.rules.providers import Rotation, Strategy
from tests.rules.samples import before, provider, reply
from tests.rules.test_decision import decided


@pytest.mark.parametrize(
    ("status", "failure", "sort"),
    [
        (None, "timeout", Sort.SILENT),
        (None, "connect", Sort.SILENT),
        (500, None, Sort.SILENT),
        (503, None, Sort.SILENT),
        (400, None, None),
        (404, None, None),
        (408, None, None),
    ],
)
def test_an_answer_whatever_it_says_is_no_silence(
    status: int | None, failure: str | None, sort: Sort | None
) -> None:
    """M17: only no answer, or a 5xx, may open a breaker; a 4xx is this grant's affair."""
    given = reply(b"", status, failure=failure)
    decision = decided(Transient("x", None, status), given)
    assert (decision.fault and decision.fault.sort) == sort


FREE = (
    {"rotation": Rotation.NEVER},
    {"rotation": Rotation.ALWAYS, "reuse_grace_seconds": 30.0},
)


@pytest.mark.parametrize("facts", FREE)
def test_a_dead_grant_is_asked_twice_where_that_costs_nothing(facts: dict[str, Any]) -> None:
    """Where the old refresh token stays good, a second refusal some seconds later is what ends it."""
    of = provider(**facts)
    first = decided(Revoked("invalid_grant: AADSTS70000", 400), of=of)
    assert (first.event, first.next_due_in_seconds) == ("transient", ASK_AGAIN_SECONDS)
    assert first.doubted
    again = decided(Revoked("invalid_grant", 400), known=before(attempt=1, doubted=True), of=of)
    assert (again.event, again.next_due_in_seconds) == ("revoked", None)


@pytest.mark.parametrize(
    ("facts", "code", "unknown"),
    [
        ({}, "invalid_grant", 0),  # it may rotate, and then the second answer proves nothing
        ({"rotation": Rotation.ALWAYS}, "invalid_grant", 0),
        ({"rotation": Rotation.ALWAYS, "reuse_grace_seconds": 2.0}, "invalid_grant", 0),
        (FREE[0], "interaction_required", 0),  # the provider's own word leaves no doubt
        (FREE[1], "invalid_grant", 1),  # asked again already: the answer before was lost
        ({**FREE[0], "strategy": Strategy.LONG_LIVED_EXCHANGE}, "invalid_grant", 0),
    ],
)
def test_a_dead_grant_is_asked_once_where_the_token_may_be_spent(
    facts: dict[str, Any], code: str, unknown: int
) -> None:
    """M3: the first refusal ends the connection at once."""
    decision = decided(
        Revoked(code, 400), known=before(unknown_outcomes=unknown), of=provider(**facts)
    )
    assert decision.event == "revoked"


UNTIL_USED = {"rotation": Rotation.ALWAYS, "reuse_grace_ends": "new_access_token_used"}


@pytest.mark.parametrize(
    ("facts", "unknown", "doubted", "event", "reason"),
    [
        (UNTIL_USED, 0, False, "transient", "refused once: invalid_grant"),
        (UNTIL_USED, 2, False, "transient", "refused once: invalid_grant"),
        (UNTIL_USED, 0, True, "revoked", "invalid_grant"),
        (UNTIL_USED, 2, True, "revoked", "invalid_grant"),  # no lost answer can have spent it
        ({**UNTIL_USED, "reuse_grace_seconds": 60.0}, 0, False, "transient", "refused once: "),
        ({**UNTIL_USED, "reuse_grace_seconds": 60.0}, 2, False, "revoked", "interrupted"),
        ({**UNTIL_USED, "reuse_grace_seconds": 2.0}, 0, False, "revoked", "invalid_grant"),
        ({**UNTIL_USED, "reuse_grace_ends": "time"}, 2, False, "revoked", "interrupted"),
    ],
)
def test_a_token_that_stays_good_until_another_is_used_was_not_spent_by_silence(
    facts: dict[str, Any], unknown: int, doubted: bool, event: str, reason: str
) -> None:
    """Without a time that ends it, too, its grace lasts until an answer came, was stored and served."""
    known = before(unknown_outcomes=unknown, doubted=doubted)
    decision = decided(Revoked("invalid_grant", 400), known=known, of=provider(**facts))
    assert decision.event == event
    assert (decision.reason or "").startswith(reason)


@pytest.mark.parametrize(
    ("unknown", "leave_seconds", "wait"), [(0, 0.0, 1.0), (0, 60.0, 60.0), (9, 60.0, 120.0)]
)
def test_a_request_that_hangs_is_left_to_end_before_the_token_is_presented_again(
    unknown: int, leave_seconds: float, wait: float
) -> None:
    """`replay_after_seconds`: some providers refuse the second request while the first still runs."""
    of = provider(replay_after_seconds=leave_seconds)
    given = reply(status=None, failure="timeout")
    known = before(unknown_outcomes=unknown)
    assert decided(Transient("timeout"), given, known, of).next_due_in_seconds == wait


@pytest.mark.parametrize(
    ("given", "parked"),
    [
        (reply(status=None, failure="timeout"), True),
        (reply(b"{}", 200, failure="protocol"), True),
        (reply(b"", 502), True),
        (reply(b"", 504), True),
        (reply(b"", 500), False),
        (reply(b"", 503), False),
        (reply(b"", 400), False),
        (reply(status=None, failure="connect", sent=False), False),
    ],
)
def test_what_may_have_arrived_is_sent_once_where_nothing_is_taken_twice(
    given: Reply, parked: bool
) -> None:
    """`retry = "never"`: only where no answer of the provider's own came; the host may be silent."""
    of = provider(retry="never")
    decision = decided(Transient("x", 60.0, given.status), given, of=of)
    assert (decision.next_due_in_seconds is None) is parked
    assert (decision.park_reason is ParkReason.LOST_ANSWER) is parked
    assert decision.unknown_outcomes == (given.sent and given.status != 400)
    if parked:
        assert decision.fault is not None
        assert decision.fault.sort is Sort.SILENT

"""When an answer was lost on the way: the same refresh token again, within the provider's grace."""

from __future__ import annotations

import pytest

from refresher.rules.decision import decide
from refresher.rules.outcomes import Reply, classify
from refresher.rules.policy import Policy, replay_in
from tests.rules.samples import EPOCH, HOUR, before, provider


def waits(reply: Reply, unknown_outcomes: int = 0) -> float | None:
    """Returns when a refresh is due again after `reply`."""
    known = before(left_seconds=HOUR, unknown_outcomes=unknown_outcomes)
    outcome = classify(provider(), reply, EPOCH)
    return decide(outcome, reply, known, provider(), Policy()).next_due_in_seconds


@pytest.mark.parametrize(
    ("reply", "due"),
    [
        (Reply(failure="timeout"), 1.0),
        (Reply(failure="protocol"), 1.0),
        (Reply(502), 1.0),
        (Reply(504), 1.0),
        (Reply(500), 120.0),  # the provider itself says that it failed
        (Reply(503), 120.0),
        (Reply(failure="connect", sent=False), 120.0),  # nothing can have been spent
    ],
    ids=lambda value: str(getattr(value, "failure", None) or getattr(value, "status", value)),
)
def test_a_lost_answer_is_asked_for_again_at_once(reply: Reply, due: float) -> None:
    """M1: inside the grace in which providers tell the new pair once more, not after two minutes."""
    assert waits(reply) == due


def test_replays_spread_out_until_the_usual_wait_is_shorter() -> None:
    """1, 2, 4 … seconds apart: a provider that hangs is not hammered."""
    assert [waits(Reply(failure="timeout"), n) for n in range(9)] == [
        *(1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0),
        *(120.0, 120.0),
    ]


def test_endless_unknown_outcomes_have_a_next_time() -> None:
    """The doubling cannot overflow."""
    assert replay_in(32_000) == 2.0**30

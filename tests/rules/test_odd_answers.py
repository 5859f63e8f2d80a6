"""What follows from answers that are odd: ends, dead tokens, grants that nobody read, words."""

from __future__ import annotations

import pytest

from refresher.rules.connection import Grant, ParkReason, Secret
from refresher.rules.decision import new_life
from refresher.rules.outcomes import Refreshed, Revoked, Unreadable
from refresher.rules.providers import Rotation, Strategy
from tests.rules.samples import DAY, EPOCH, HOUR, before, jwt, provider
from tests.rules.test_decision import decided


@pytest.mark.parametrize(
    ("new_token", "told", "endless", "clock", "documented", "left", "forgets"),
    [
        (None, None, False, "sliding", 90 * DAY, None, False),
        (None, None, True, "sliding", 90 * DAY, None, True),
        (None, 5 * DAY, False, "sliding", 90 * DAY, 5 * DAY, False),
        ("r", None, False, "sliding", None, None, True),
        ("r", None, False, "sliding", 90 * DAY, 90 * DAY, False),
        ("r", None, True, "fixed", 90 * DAY, None, True),
        ("r", None, False, "fixed", 90 * DAY, None, False),
    ],
)
def test_an_end_belongs_to_the_refresh_token_it_was_told_of(
    new_token: str | None,
    told: float | None,
    endless: bool,
    clock: str,
    documented: float | None,
    left: float | None,
    forgets: bool,
) -> None:
    """M9, M18: it moves with a new token; one without an end, and zero, clear the old one's."""
    token = Secret(new_token) if new_token else None
    grant = Grant(Secret("a"), token, HOUR, told, refresh_token_is_endless=endless)
    of = provider(refresh_token_clock=clock, refresh_token_lifetime_seconds=documented)
    life = new_life(grant, 0.0, before(), of)
    assert (life.refresh_token_left_seconds, life.forgets_end) == (left, forgets)


@pytest.mark.parametrize("token", [jwt({"exp": EPOCH - 5}), "opaque"])
def test_a_token_that_had_expired_when_it_came_is_asked_for_again_soon(token: str) -> None:
    """M18: nothing of it is left, and the waits grow to a minute, later to the slow lane's."""
    grant = Grant(Secret(token), None, 0.0 if token == "opaque" else None, None)
    waits = []
    for attempt in range(20):
        known = before(attempt=attempt, last_lifetime_seconds=2 * HOUR)
        decision = decided(Refreshed(grant), known=known)
        assert decision.new_life is not None
        assert (decision.event, decision.attempt) == ("refreshed", attempt + 1)
        assert decision.new_life.left_seconds == 0.0
        assert decision.new_life.lifetime_seconds == 2 * HOUR
        waits.append(decision.next_due_in_seconds or 0.0)
    assert waits[:7] == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert waits == sorted(waits)
    assert waits[-1] == HOUR


@pytest.mark.parametrize(
    ("strategy", "rotation", "held"),
    [
        (Strategy.REFRESH_TOKEN, Rotation.ALWAYS, True),
        (Strategy.REFRESH_TOKEN, Rotation.SOMETIMES, True),
        (Strategy.REFRESH_TOKEN, Rotation.NEVER, False),
        (Strategy.CLIENT_CREDENTIALS, Rotation.SOMETIMES, False),
        (Strategy.LONG_LIVED_EXCHANGE, Rotation.SOMETIMES, False),
    ],
)
def test_after_an_unread_grant_a_rotating_token_is_not_presented_again(
    strategy: Strategy, rotation: Rotation, held: bool
) -> None:
    """M16: it may be spent; what is not spent by use is simply tried again."""
    of = provider(strategy=strategy, rotation=rotation)
    decision = decided(Unreadable("we could not read it", 200), of=of)
    assert decision.event == "unreadable"
    assert decision.reason == "we could not read it"
    assert decision.next_due_in_seconds == (None if held else 120.0)
    if held:
        assert decision.park_reason is ParkReason.UNREAD_ANSWER


def test_a_dead_grant_is_told_in_the_provider_s_words() -> None:
    """The reason has them; the cause stays one word; after a lost answer that word comes first."""
    revoked = Revoked("invalid_grant", 400, "reauth is required; invalid_rapt")
    decision = decided(revoked)
    words = "invalid_grant: reauth is required; invalid_rapt"
    assert (decision.reason, decision.cause, decision.detail) == (words, "invalid_grant", words)
    lost = decided(revoked, known=before(unknown_outcomes=1))
    assert (lost.reason, lost.cause, lost.detail) == ("interrupted", "interrupted", words)

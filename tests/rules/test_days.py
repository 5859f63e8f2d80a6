"""Simulated days: the rules of time played out, refresh by refresh, without a clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from uuid import UUID

import pytest

from refresher.rules.connection import Grant, Secret
from refresher.rules.decision import Before, Decision, decide
from refresher.rules.outcomes import Outcome, Refreshed, Transient
from refresher.rules.policy import Policy, stable_spread
from refresher.rules.providers import Strategy
from tests.rules.samples import DAY, EPOCH, HOUR, MINUTE, provider, reply

LIFETIMES = [MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, HOUR, 8 * HOUR, 60 * DAY]
PEOPLE = [UUID(int=n) for n in range(1, 21)]
DOWN = Transient("status 503", None, 503)
POLICY = Policy()
LATE_BY_SECONDS = 1.0
"""The longest a tick sleeps."""


@dataclass
class Life:
    """One connection, from a grant at time zero on; `attempts` are the times of its requests."""

    id: UUID
    lifetime: float
    strategy: Strategy = Strategy.REFRESH_TOKEN
    now: float = 0.0
    expires: float = 0.0
    due: float = 0.0
    attempt: int = 0
    unknown: int = 0
    version: int = 0
    claims: int = 0
    dead_seconds: float = 0.0

    def __post_init__(self) -> None:
        """Connects."""
        self.refresh(self.granted())

    def granted(self) -> Refreshed:
        """Returns the outcome of a request that the provider granted."""
        return Refreshed(Grant(Secret("a"), Secret("r"), self.lifetime, None))

    def refresh(self, outcome: Outcome) -> Decision:
        """Sends one request now, with that outcome, and follows what is decided."""
        self.claims += 1
        known = Before(
            attempt=self.attempt,
            unknown_outcomes=self.unknown,
            left_seconds=self.expires - self.now,
            last_lifetime_seconds=self.lifetime,
            now_epoch_seconds=EPOCH + self.now,
            spread=stable_spread(self.id, self.version + 1),
            dice=stable_spread(self.id, self.claims),
        )
        of = provider(strategy=self.strategy)
        decision = decide(outcome, reply(elapsed_seconds=0.2), known, of, POLICY)
        assert decision.next_due_in_seconds is not None
        if decision.new_life:
            self.dead_seconds += max(0.0, self.now - self.expires) if self.version else 0.0
            self.version += 1
            self.expires = self.now + decision.new_life.left_seconds
        self.attempt, self.unknown = decision.attempt, decision.unknown_outcomes
        self.due = self.now + decision.next_due_in_seconds
        return decision

    def turns(self, until: float) -> Iterator[float]:
        """Moves to each due time in turn, up to a tick late."""
        for n in count():
            late = LATE_BY_SECONDS * stable_spread(self.id, 1_000_000 + n)
            if self.due + late > until:
                return
            self.now = self.due + late
            yield self.now


@pytest.mark.slow
@pytest.mark.parametrize("lifetime", LIFETIMES)
def test_a_day_takes_few_refreshes_and_no_second_on_a_dead_token(lifetime: float) -> None:
    """M8: at most 1.3 refreshes per lifetime, each before expiry, though ticks come a second late."""
    horizon = max(DAY, 20 * lifetime)
    for person in PEOPLE:
        life = Life(person, lifetime)
        refreshes = [life.refresh(life.granted()) for _ in life.turns(horizon)]
        assert life.dead_seconds == 0.0
        assert life.expires > horizon
        assert horizon / lifetime - 1 <= len(refreshes) <= 1.3 * horizon / lifetime


@pytest.mark.parametrize("lifetime", LIFETIMES)
def test_a_token_that_is_its_own_grant_takes_two_refreshes_a_life(lifetime: float) -> None:
    """M8: it is refreshed from half its life on: at most two refreshes per lifetime."""
    horizon = 20 * lifetime
    for person in PEOPLE:
        life = Life(person, lifetime, Strategy.LONG_LIVED_EXCHANGE)
        refreshes = [life.refresh(life.granted()) for _ in life.turns(horizon)]
        assert life.dead_seconds == 0.0
        assert len(refreshes) <= 2.02 * horizon / lifetime


@pytest.mark.parametrize("lifetime", LIFETIMES)
def test_three_failures_leave_time_for_a_fourth_try(lifetime: float) -> None:
    """M12: within the lead of even a minute's token, three failures and a success fit."""
    for person in PEOPLE:
        life = Life(person, lifetime)
        answers: Iterator[Outcome] = iter([DOWN, DOWN, DOWN, life.granted()])
        for now in life.turns(lifetime):
            assert now < life.expires
            if life.refresh(next(answers)).new_life:
                break
        assert (life.version, life.dead_seconds, life.attempt) == (2, 0.0, 0)


@pytest.mark.parametrize("lifetime", LIFETIMES[:-1])
def test_a_week_s_outage_parks_nothing_and_asks_seldom(lifetime: float) -> None:
    """M3, M12: seven days of failures end nothing and take at most 240 requests a connection.

    The slow lane's wait is at least 45 minutes: 168 hours take 224 of those, and its start a dozen.
    """
    for person in PEOPLE:
        life = Life(person, lifetime)
        end = life.due + 7 * DAY
        outcomes = [life.refresh(DOWN) for _ in life.turns(end)]
        assert 168 <= len(outcomes) <= 240
        assert {decision.event for decision in outcomes} == {"transient"}


@pytest.mark.parametrize("lifetime", LIFETIMES[:-1])
def test_after_a_week_s_outage_everything_recovers_within_the_hour(lifetime: float) -> None:
    """M3: the first answer heals the connection, and the next refresh is planned as ever."""
    for person in PEOPLE:
        life = Life(person, lifetime)
        outage_ends = 7 * DAY
        for now in life.turns(outage_ends + HOUR + 2 * LATE_BY_SECONDS):
            life.refresh(DOWN if now < outage_ends else life.granted())
            if life.version == 2:
                break
        assert life.version == 2
        assert (life.attempt, life.unknown) == (0, 0)
        assert life.now < life.due < life.expires

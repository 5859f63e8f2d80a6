"""`rules/time_travel.py` and `rules/explanation.py`: the cases that a chaotic run need not meet."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from refresher.rules import policy as when
from refresher.rules.explanation import lead_parts, why_due
from refresher.rules.history import Moment, PastEvent, Untold, state_at, steps
from refresher.rules.policy import Policy
from tests.rules.samples import DAY, HOUR, ID, NOW, provider

IDLE = Moment(
    *("idle", NOW, None, None, 0, 0, 0, None, None, None, None),
    *(1, 1, "active", None, NOW + timedelta(hours=1), HOUR, None, None, None, None, False),
)
EARLIER, LATER = NOW - timedelta(minutes=5), NOW + timedelta(minutes=5)
LEASED = replace(IDLE, state="leased", lease_token=3, claimed_at=NOW, begun_at=NOW, starts=1)


def told(at: Any, past: list[PastEvent], later: list[PastEvent], now: Moment = IDLE) -> Any:
    """Returns what is told of `at` about a connection of an hour ago."""
    return state_at(at, past=past, later=later, now=now, created_at=NOW - timedelta(hours=1))


@pytest.mark.parametrize(
    ("at", "past", "later", "why"),
    [
        (NOW - timedelta(hours=2), [], [], "before_the_first"),
        (NOW, [], [PastEvent(2, ID, LATER, "refreshed")], "pruned"),
        (NOW, [PastEvent(1, ID, EARLIER, "imported")], [], "older_version"),
    ],
)
def test_a_moment_that_cannot_be_told_says_why(at: Any, past: Any, later: Any, why: str) -> None:
    """No state is made up."""
    assert told(at, past, later) == Untold(why)


def test_without_events_in_between_what_stands_now_stood_then() -> None:
    """Also where the last event is pruned; a lease of now counts from its claim on."""
    assert told(EARLIER, [], []) == IDLE
    assert told(EARLIER, [], [], LEASED) == IDLE
    assert told(LATER, [], [], LEASED) == LEASED


def test_steps_that_did_not_come_are_left_away() -> None:
    """An event without an attempt is one step, one that was never begun has no reply."""
    assert [s.name for s in steps(PastEvent(1, ID, NOW, "paused"))] == ["paused"]
    swept = PastEvent(1, ID, NOW, "swept", claimed_at=EARLIER)
    assert [(s.name, s.after_seconds) for s in steps(swept)] == [
        ("claimed", None),
        ("swept", 300.0),
    ]


def test_a_sibling_had_no_row() -> None:
    """An event without a row tells the state "none"."""
    event = PastEvent(1, ID, EARLIER, "imported", stored_version=1)
    assert told(NOW, [event], []).state == "none"


def test_what_was_decided_in_the_same_instant_but_later_is_not_told() -> None:
    """A pause that another transaction wrote after the moment is none yet."""
    event = PastEvent(1, ID, EARLIER, "refreshed", state=0, stored_version=1, paused_at=LATER)
    assert told(NOW, [event], []).paused_at is None


@pytest.mark.parametrize("facts", [{}, {"not_before_expiry_seconds": 60.0}])
@pytest.mark.parametrize("spread", [0.0, 0.3, 0.99])
def test_the_parts_of_a_lead_add_up(facts: dict[str, Any], spread: float) -> None:
    """Lead, jitter and what limits do to them are the policy's own lead."""
    parts = lead_parts(Policy(), provider(**facts), HOUR, spread)
    assert sum(parts) == pytest.approx(when.lead(Policy(), provider(**facts), HOUR, spread))


def due(moment: Moment, kind: str, entry: Any = None, **event: Any) -> str:
    """Returns the sentence for a row whose newest event is of this kind."""
    last = PastEvent(1, ID, NOW, kind, **event)
    return why_due(ID, moment, last, entry or provider(), Policy()).sentence


def by_lead(number: int, entry: Any = None, life: float = HOUR) -> Moment:
    """Returns a row that is due as the policy says."""
    lead = when.lead(Policy(), entry or provider(), life, when.stable_spread(ID, number))
    ends = NOW + timedelta(seconds=life)
    return replace(
        IDLE, expires_at=ends, due_at=ends - timedelta(seconds=lead), credential_version=number,
        lifetime_seconds=life,
    )  # fmt: skip


def test_a_refresh_is_explained_by_lifetime_lead_and_jitter() -> None:
    """The numbers are the policy's, and add up to the due time."""
    said = due(by_lead(4), "refreshed")
    assert said.startswith("lifetime 60 min, lead 12 min, jitter ")
    assert "not at" not in said
    assert why_due(ID, by_lead(1), None, provider(), Policy()).lead_seconds == 720


def test_limits_and_other_reasons_are_told() -> None:
    """A window, another due time on either side, and a life that nobody told."""
    window = provider(not_before_expiry_seconds=60.0)
    assert "limits" in due(by_lead(4, window), "refreshed", window)
    moment = by_lead(4)
    assert moment.due_at is not None
    sooner = replace(moment, due_at=moment.due_at - timedelta(days=1))
    assert "own end comes first" in due(sooner, "refreshed")
    assert "had passed" in due(
        replace(moment, due_at=moment.due_at + timedelta(days=1)), "imported"
    )
    unknown = replace(by_lead(4), lifetime_seconds=None)
    assert "lifetime 24 h" in due(unknown, "refreshed", provider(access_token_lifetime_seconds=DAY))
    assert due(replace(moment, due_at=None), "refreshed").startswith("lifetime")


@pytest.mark.parametrize(
    ("kind", "moment", "event", "says"),
    [
        ("transient", IDLE, {"attempt": 1, "reason": "status 503"}, "attempt 1 of 3"),
        ("malformed", IDLE, {"attempt": 9, "reason": "x"}, "slow lane"),
        ("unsent", IDLE, {}, "counts no attempt"),
        ("postponed", replace(IDLE, postponed_by="rate:acme"), {}, "waits for its turn"),
        ("postponed", replace(IDLE, postponed_by="pace:acme"), {}, "only so many requests of one"),
        ("postponed", replace(IDLE, postponed_by="app:acme/default"), {}, "the app acme/default"),
        ("rate_limited", replace(IDLE, postponed_by="provider:acme"), {}, "the provider acme"),
        ("swept", IDLE, {}, "without an outcome"),
        ("imported", replace(IDLE, expires_at=None), {}, "the event imported"),
        ("strange", IDLE, {}, "the event strange"),
    ],
)
def test_every_other_cause_has_its_sentence(
    kind: str, moment: Moment, event: dict[str, Any], says: str
) -> None:
    """Failures, pauses, rates and people's doings are told in words."""
    assert says in due(moment, kind, **event)

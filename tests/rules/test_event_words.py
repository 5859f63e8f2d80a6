"""`rules/event_words.py`: what an event, and a deed, is called on a page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from refresher.rules.event_words import EventWord, beside, done, word
from refresher.rules.history import PastEvent
from tests.rules.samples import ID, NOW


def event(kind: str, **given: Any) -> PastEvent:
    """Returns an event of this moment."""
    return PastEvent(1, ID, NOW, kind, **given)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("refreshed", EventWord("Refreshed", "good", "tick")),
        ("revoked", EventWord("Grant is dead", "bad", "cross")),
        ("paused", EventWord("Paused", "still", "key")),
        ("a_newer_one", EventWord("A newer one", "still", "key")),
    ],
)
def test_an_event_has_a_word_a_colour_and_a_shape(kind: str, expected: EventWord) -> None:
    """What nobody has words for is shown under its own name."""
    assert word(kind) == expected


ATTEMPT = {"lease_token": 1204, "claimed_at": NOW}


@pytest.mark.parametrize(
    ("past", "failed", "says"),
    [
        (event("refreshed", **ATTEMPT), 0, "attempt 1204"),
        (event("refreshed", **ATTEMPT), 1, "attempt 1204, after 1 failure"),
        (event("paused", reason="by API key abc", lease_token=3), 0, "by API key abc"),
        (
            event(
                "transient", **ATTEMPT, reason="status 503", next_due_at=NOW + timedelta(minutes=2)
            ),
            0,
            "attempt 1204, status 503, tried again after 2 min",
        ),
        (event("transient", next_due_at=NOW), 0, "tried again at once"),
        (
            event("revoked", **ATTEMPT, parked_reason="reconnect_required", reason="invalid_grant"),
            0,
            "attempt 1204, invalid_grant, parked as reconnect_required",
        ),
        (event("postponed", postponed_by="app:acme/x#org"), 0, "waits for acme/x, for org"),
        (event("revocation", reason="revoked"), 0, "as we asked"),
        (event("revocation", reason="refused"), 0, "refused"),
        (event("signal"), 0, ""),
    ],
)
def test_beside_the_word_stands_what_made_it_so(past: PastEvent, failed: int, says: str) -> None:
    """Attempt, reason, what it is parked or waits for, and what came next."""
    assert beside(past, failed) == says


@pytest.mark.parametrize(
    ("action", "says"),
    [("paused", "paused it"), ("token_read", "read its token"), ("a_newer_one", "a newer one it")],
)
def test_a_deed_is_told_as_the_end_of_a_sentence(action: str, says: str) -> None:
    """The name stands before it."""
    assert done(action) == says

"""`rules/headlines.py`: the sentence with which a connection's page begins."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from refresher.rules.headlines import Stands, headline, since
from refresher.rules.history import Moment, PastEvent
from refresher.rules.standing_word import Health
from tests.rules.samples import HOUR, ID, NOW

EARLIER = NOW - timedelta(minutes=5)
IDLE = Moment(
    *("idle", NOW + timedelta(minutes=21), None, None, 0, 0, 0, None, None, None, None),
    *(1, 1, "active", None, NOW + timedelta(hours=1), HOUR, None, None, None, None, False),
)
PARKED = replace(IDLE, state="parked", due_at=None)
NEXT = "in 21 min, at 12:21"


def clock(at: datetime) -> str:
    """Writes an instant as the tests read it."""
    return f"{at - NOW + datetime(2026, 1, 1, 12, tzinfo=UTC):%H:%M}"


def at(seconds: float) -> Moment:
    """Returns an idle row that is due in so many seconds."""
    return replace(IDLE, due_at=NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("word", "moment", "begun", "says"),
    [
        ("fresh", IDLE, None, f"Fresh. The next refresh is {NEXT}."),
        ("fresh", at(0), None, "Fresh. The next refresh is due now."),
        (
            "late",
            at(-180),
            None,
            "Late. Its next refresh has been due for 3 min, since 11:57.",
        ),
        ("retrying", IDLE, None, f"Retrying. The next attempt is {NEXT}."),
        ("expired", IDLE, EARLIER, f"Expired since 11:55. The next refresh is {NEXT}."),
        ("expired", PARKED, None, "Expired. It is in no schedule."),
        (
            "waiting",
            replace(IDLE, postponed_by="app:acme/default"),
            None,
            f"Waiting: app acme/default is refused. The next attempt is {NEXT}.",
        ),
        (
            "blocked",
            replace(PARKED, parked_reason="undecryptable"),
            EARLIER,
            "Blocked since 11:55: no key opens its tokens.",
        ),
        ("blocked", replace(PARKED, state="none"), None, "Blocked: it has no schedule row."),
        ("connecting", PARKED, None, "Connecting: its OAuth steps are not finished."),
        ("reconnect_required", PARKED, EARLIER, "Reconnect required since 11:55."),
        ("paused", PARKED, EARLIER, "Paused since 11:55."),
        ("refreshing", IDLE, EARLIER, "Refreshing since 11:55."),
        ("deleted", PARKED, None, "Deleted."),
    ],
)
def test_the_sentence_says_how_it_stands_and_what_comes_next(
    word: str, moment: Moment, begun: datetime | None, says: str
) -> None:
    """Since when, as far as anybody knows."""
    assert headline(Stands(Health(word), moment, NOW, begun), clock) == says


def past(n: int, **given: str) -> PastEvent:
    """Returns the n-th event, n minutes from now on."""
    return PastEvent(n, ID, NOW + timedelta(minutes=n), "parked", **given)  # type: ignore[arg-type]


WELL, DEAD = past(1, status="active"), past(2, status="reconnect_required")
STUCK = past(3, parked_reason="crash_loop")


@pytest.mark.parametrize(
    ("word", "moment", "events", "expected"),
    [
        ("paused", replace(IDLE, paused_at=EARLIER), [], EARLIER),
        ("refreshing", replace(IDLE, claimed_at=EARLIER), [], EARLIER),
        ("fresh", IDLE, [WELL], None),
        ("reconnect_required", replace(IDLE, status="reconnect_required"), [WELL, DEAD, DEAD], 2),
        ("reconnect_required", replace(IDLE, status="reconnect_required"), [DEAD, DEAD], None),
        ("reconnect_required", replace(IDLE, status="reconnect_required"), [WELL], None),
        ("blocked", replace(IDLE, parked_reason="crash_loop"), [WELL, STUCK], 3),
        ("blocked", IDLE, [past(1), past(2)], None),
    ],
)
def test_since_when_is_told_by_the_row_or_by_its_events(
    word: str, moment: Moment, events: list[PastEvent], expected: datetime | int | None
) -> None:
    """The first of the newest events in a row that left it so; none where it may be longer."""
    wanted = NOW + timedelta(minutes=expected) if isinstance(expected, int) else expected
    assert since(Health(word), moment, events) == wanted

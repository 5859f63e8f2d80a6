"""The watermark of the claim: rules/limits.py as tables, and what `ClaimWindow` remembers."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from refresher.rules.connection import Claim
from refresher.rules.limits import FULL_LOOK_SECONDS, MARGIN, Watermark, after_claim
from refresher.runtime.limits import ClaimWindow

T = datetime(2030, 1, 1, tzinfo=UTC)
LOW = T - timedelta(hours=1)


def test_the_first_claim_looks_at_everything():
    """Nothing is left out before anything is known."""
    assert Watermark().claim_from(0.0) is None


@pytest.mark.parametrize(
    ("now", "since"), [(9.0, T), (9.999, T), (10.0, None), (11.0, None)], ids=str
)
def test_a_look_at_everything_comes_every_few_seconds(now: float, since: datetime | None):
    """Until its time comes, a claim begins at the watermark; then at the very beginning."""
    assert Watermark(T, 10.0).claim_from(now) == since


def test_a_look_at_everything_that_fails_is_not_repeated_at_once():
    """Until it is known what came of it, the next claims begin at the watermark."""
    assert Watermark(T, 7.0).looking(7.0) == Watermark(T, 7.0 + FULL_LOOK_SECONDS)
    assert Watermark(T, 99.0).looking(7.0) == Watermark(T, 99.0)


@pytest.mark.parametrize(
    ("began_at", "last", "took", "expected"),
    [
        (None, T, 0.01, Watermark(T - MARGIN, 7.0 + FULL_LOOK_SECONDS)),
        (None, T, 2.0, Watermark(T - MARGIN, 7.0 + 40.0)),
        (None, None, 0.0, Watermark(LOW, 7.0)),
        (None, None, 0.5, Watermark(LOW, 7.0 + 10.0)),
        (LOW, T, 2.0, Watermark(T - MARGIN, 9.0)),
        (LOW, None, 2.0, Watermark(LOW, 9.0)),
        (LOW, LOW + MARGIN / 2, 2.0, Watermark(LOW, 9.0)),
    ],
    ids=[
        "all, some", "all, some, slow", "all, none", "all, none, slow",
        "from, some", "from, none", "never lower",
    ],
)  # fmt: skip
def test_a_claim_moves_the_watermark(
    began_at: datetime | None, last: datetime | None, took: float, expected: Watermark
):
    """It follows the last row claimed by a margin and never falls; slow looks come less often."""
    assert after_claim(Watermark(LOW, 9.0), began_at, last, 7.0, took) == expected


def test_rows_given_back_while_a_claim_looks_are_found_by_the_next():
    """The claim may have looked before they were there: the next one looks at everything again."""
    window = ClaimWindow()
    _claimed(window, window.since())
    since = window.since()
    assert since == T - MARGIN
    window.reopen()
    _claimed(window, since)
    assert window.since() is None


def test_a_claim_after_rows_were_given_back_moves_the_watermark_again():
    """One look at everything is enough."""
    window = ClaimWindow()
    window.reopen()
    _claimed(window, window.since())
    assert window.since() == T - MARGIN


def _claimed(window: ClaimWindow, since: datetime | None) -> None:
    window.claimed(since, [Claim(UUID(int=1), 1, "acme", T)], took_seconds=0.0)

"""When an announced change of a provider is told, and in which words."""

from datetime import date, timedelta

import pytest

from refresher.rules.changes import announced
from refresher.rules.facts import Change
from refresher.rules.providers import Provider

TODAY = date(2027, 1, 31)


def provider(name: str, *left_days: int) -> Provider:
    """Returns a provider that has announced a change for each of these distances in days."""
    changes = tuple(
        Change(TODAY + timedelta(days), f"v{days} ends", "https://acme.example/news")
        for days in left_days
    )
    return Provider(name, "https://acme.example/token", changes=changes)


@pytest.mark.parametrize(
    ("left_days", "sentence"),
    [
        (91, None),
        (90, "acme changes in 90 days (2027-05-01): v90 ends"),
        (1, "acme changes in 1 day (2027-02-01): v1 ends"),
        (0, "acme changes today (2027-01-31): v0 ends"),
        (-1, "acme changed 1 day ago (2027-01-30): v-1 ends"),
        (-30, "acme changed 30 days ago (2027-01-01): v-30 ends"),
        (-31, None),
    ],
)
def test_a_change_is_told_from_ninety_days_ahead_to_thirty_after(
    left_days: int, sentence: str | None
) -> None:
    """Neither sooner nor later, with the days that are left and the day itself."""
    told = [one.sentence for one in announced([provider("acme", left_days)], TODAY)]
    assert told == ([sentence] if sentence else [])


def test_the_soonest_change_comes_first() -> None:
    """Of several providers with several changes, in the order of the days, then of the names."""
    found = announced([provider("b", 40, -5), provider("a", 40), provider("none")], TODAY)
    assert [(one.provider, one.left_days) for one in found] == [("b", -5), ("a", 40), ("b", 40)]

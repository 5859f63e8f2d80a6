"""What the list of connections says, as a table."""

import pytest

from refresher.rules.standing_word import Health
from refresher.store.counting import Counted
from refresher.store.lists import Chosen
from refresher.web.dashboard.pages.connections_words import SAID, about, sentence

NONE = dict.fromkeys(Health, Counted(0))
LATE = Chosen(Health.LATE)


@pytest.mark.parametrize(
    ("chosen", "numbers", "listed", "expected"),
    [
        (Chosen(), NONE, None, "About 312,700 connections, and none needs a person."),
        (
            Chosen(),
            {**NONE, Health.BLOCKED: Counted(1), Health.EXPIRED: Counted(10_000, is_capped=True)},
            None,
            (
                "About 312,700 connections: 1 is blocked until we mend something and 10,000+ have a "
                "token that has ended."
            ),
        ),
        (LATE, {**NONE, Health.LATE: Counted(3)}, None, "3 connections are late."),
        (LATE, NONE, 0, "No connection is late."),
        (LATE, None, 1, "1 connection is late."),
        (LATE, None, None, "Those that are late."),
        (Chosen(provider="acme"), None, 2, "2 connections fit."),
        (Chosen(provider="acme"), None, 0, "No connection fits."),
    ],
)
def test_a_list_is_told_in_a_sentence(chosen, numbers, listed, expected):
    """With the number, as far as it is known."""
    answered = sentence(chosen, numbers, Counted(312_684, is_capped=True), listed)
    assert answered is not None
    assert answered.sentence == expected


def test_where_no_number_is_known_the_list_speaks_for_itself():
    """Nor is there a sentence where there is nothing at all."""
    assert sentence(Chosen(app="eu"), None, Counted(9), None) is None
    assert sentence(Chosen(), NONE, Counted(0), None) is None
    assert set(SAID) == set(Health)
    assert about(Counted(9_999)) == "9,999"

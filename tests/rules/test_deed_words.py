"""What a deed on one connection does, in words."""

import pytest

from refresher.rules.connection import ParkReason
from refresher.rules.deed_words import BUTTONS, CONSEQUENCES, QUESTIONS, Reach, besides, button
from refresher.rules.deeds import TRY_ONCE, Deed, Standing
from refresher.rules.standing_word import Health

ROOT = "0197b1a4"


@pytest.mark.parametrize(
    ("deed", "reach", "expected"),
    [
        (Deed.PAUSE, Reach(), ()),
        (Deed.EDIT, Reach(slots=2, siblings=3, is_leased=True), ()),
        (Deed.PAUSE, Reach(slots=1), ("The same is done to its 1 slot.",)),
        (
            Deed.DISABLE,
            Reach(slots=2, siblings=1, is_leased=True),
            (
                "A refresh is under way: it ends normally, and is the last one.",
                "The same is done to its 2 slots.",
                "1 other connection uses its grant, and gets no fresh token either.",
            ),
        ),
        (
            Deed.PAUSE,
            Reach(siblings=3),
            ("3 others use its grant, and get no fresh token either.",),
        ),
        (
            Deed.PAUSE,
            Reach(siblings=1_001),
            ("More than 1,000 others use its grant, and get no fresh token either.",),
        ),
        (Deed.RESUME, Reach(siblings=3, is_leased=True), ()),
        (
            Deed.DELETE,
            Reach(root_id=ROOT, is_leased=True),
            (f"Its grant is that of {ROOT}, which goes on being refreshed.",),
        ),
        (
            Deed.RESUME,
            Reach(root_id=ROOT),
            (f"It shares the grant of {ROOT}, which is left as it is.",),
        ),
        (
            Deed.REFRESH,
            Reach(root_id=ROOT),
            (f"It shares the grant of {ROOT}; that is what is refreshed.",),
        ),
        (
            Deed.LINK,
            Reach(root_id=ROOT),
            (f"It shares the grant of {ROOT}; that is what is connected again.",),
        ),
        (
            Deed.DISABLE,
            Reach(slot_of=ROOT),
            (f"It is a slot: {ROOT}, whose slot it is, goes on as it is.",),
        ),
    ],
)
def test_what_else_it_does(deed: Deed, reach: Reach, expected: tuple[str, ...]) -> None:
    """Slots go where their connection goes, others of a grant lose it, a root goes on."""
    assert besides(deed, reach) == expected


def test_every_deed_has_its_words() -> None:
    """A question and a button each; what is more than a form says what follows."""
    assert set(QUESTIONS) == set(BUTTONS) == set(Deed)
    assert set(CONSEQUENCES) == set(Deed) - {Deed.EDIT, Deed.LINK}


@pytest.mark.parametrize(
    ("deed", "health", "expected"),
    [
        (Deed.PAUSE, Health.RECONNECT_REQUIRED, "Pause this connection"),
        (Deed.RESUME, Health.PAUSED, "Resume this connection"),
        (Deed.RESUME, Health.RECONNECT_REQUIRED, TRY_ONCE),
    ],
)
def test_a_button_names_what_it_does(deed: Deed, health: Health, expected: str) -> None:
    """The deed; of tokens that may be dead it says that they are tried."""
    reason = ParkReason.RECONNECT_REQUIRED if health is Health.RECONNECT_REQUIRED else None
    assert button(deed, Standing(health, reason)) == expected

"""`rules/deeds.py`: which deeds fit how a connection stands."""

from __future__ import annotations

from itertools import product

import pytest

from refresher.rules.connection import ParkReason
from refresher.rules.deeds import ASKING, Deed, Offer, Standing, offers, why_not
from refresher.rules.standing_word import Health

AT_WORK = ("fresh", "late", "retrying", "waiting", "expired", "refreshing")
BLOCKADES = [r for r in ParkReason if r not in {"deleted", "disabled", "paused", "mid_oauth"}]


def shown(standing: Standing) -> tuple[str | None, str | None, str]:
    """Returns main button, the one beside it, and the menu, by their addresses."""
    found = offers(standing)
    main, beside = (None if o is None else o.deed.value for o in (found.main, found.beside))
    return main, beside, " ".join(offer.deed for offer in found.more)


@pytest.mark.parametrize("word", AT_WORK)
def test_what_works_is_refreshed_or_paused(word: str) -> None:
    """Whatever its trouble is, as long as it is in the schedule."""
    assert shown(Standing(Health(word))) == ("refresh", "pause", "link disable edit delete")


@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        (Standing(Health.DELETED), (None, None, "")),
        (
            Standing(Health.PAUSED, is_paused=True),
            ("resume", None, "link disable edit delete"),
        ),
        (
            Standing(Health.DISABLED, is_disabled=True),
            ("enable", None, "pause resume edit delete"),
        ),
        (
            Standing(Health.DISABLED, is_disabled=True, is_paused=True, siblings=2),
            ("enable", None, "resume edit"),
        ),
        (Standing(Health.CONNECTING), ("link", None, "pause disable edit delete")),
        (
            Standing(Health.RECONNECT_REQUIRED),
            ("link", "resume", "pause disable edit delete"),
        ),
    ],
)
def test_what_people_or_providers_decided_is_lifted_first(
    standing: Standing, expected: tuple[str | None, str | None, str]
) -> None:
    """The main button ends what it waits for, and nothing is offered that cannot be."""
    assert shown(standing) == expected


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("crash_loop", ("resume", None)),
        ("undecryptable", ("resume", None)),
        ("unread_answer", (None, "resume")),
        ("app_not_configured", (None, "resume")),
        ("lost_answer", ("link", "resume")),
        ("nothing_to_refresh_with", ("link", "resume")),
        ("unstored", (None, None)),
        ("missing", (None, None)),
        (None, (None, None)),
    ],
)
def test_what_is_blocked_is_mended_first(
    reason: str | None, expected: tuple[str | None, str | None]
) -> None:
    """Resuming is the main thing where it helps by itself, and never where it loses a pair."""
    assert shown(Standing(Health.BLOCKED, reason))[:2] == expected


def test_buttons_say_what_they_do() -> None:
    """Resuming what may be dead or spent is one more try, and is called so."""
    dead = offers(Standing(Health.RECONNECT_REQUIRED, "reconnect_required"))
    assert dead.beside == Offer(Deed.RESUME, "Try the stored tokens once")
    paused = offers(Standing(Health.PAUSED, "paused", is_paused=True))
    assert paused.main == Offer(Deed.RESUME, "Resume")
    crashed = offers(Standing(Health.BLOCKED, "crash_loop"))
    assert crashed.main == Offer(Deed.RESUME, "Resume")
    new = offers(Standing(Health.CONNECTING, "mid_oauth"))
    assert new.main == Offer(Deed.LINK, "Make a link to connect it")
    assert {o.deed for o in paused.more if o.asks} == ASKING


@pytest.mark.parametrize(("deed", "word"), [*product(Deed, Health)])
def test_what_does_not_fit_is_told_why(deed: Deed, word: Health) -> None:
    """What a page offers can be done, and what it does not offer has a reason."""
    paused, disabled = word is Health.PAUSED, word is Health.DISABLED
    for reason in BLOCKADES if word is Health.BLOCKED else [None]:
        standing = Standing(word, reason, is_paused=paused, is_disabled=disabled)
        found = offers(standing)
        offered = {o.deed for o in (found.main, found.beside, *found.more) if o}
        assert (deed in offered) == (why_not(deed, standing) is None)

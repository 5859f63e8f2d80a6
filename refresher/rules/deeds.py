"""Which deeds fit how a connection stands: what its page offers first, what else, and why not. Pure.

What a deed does: `connections/lifecycle.py`. Whoever does one asks `why_not` again, for the row may
have changed since its page was shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from refresher.rules.connection import ParkReason
from refresher.rules.reasons import RESUME_ALONE_HELPS
from refresher.rules.standing_word import Health
from refresher.rules.unavailable import SENTENCES


class Deed(StrEnum):
    """What can be done to one connection; the value is the last part of its address."""

    REFRESH = "refresh"
    PAUSE = "pause"
    RESUME = "resume"
    DISABLE = "disable"
    ENABLE = "enable"
    LINK = "link"
    EDIT = "edit"
    DELETE = "delete"


ASKING = frozenset({Deed.DISABLE, Deed.EDIT, Deed.DELETE})
"""Their page comes first: a question, or a form. All others are done by one click."""
SAYS: Mapping[Deed, str] = {
    Deed.REFRESH: "Refresh now",
    Deed.PAUSE: "Pause",
    Deed.RESUME: "Resume",
    Deed.DISABLE: "Disable",
    Deed.ENABLE: "Enable",
    Deed.LINK: "Make a reconnect link",
    Deed.EDIT: "Change name or metadata",
    Deed.DELETE: "Delete",
}
TRY_ONCE = "Try the stored tokens once"
"""What resuming is called where it presents a refresh token that may be dead or spent."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a connection stands, as much as its deeds depend on.

    `siblings` is how many others use its grant. A sibling's health is that of its root.
    """

    health: Health
    parked_reason: str | None = None
    is_paused: bool = False
    is_disabled: bool = False
    siblings: int = 0


@dataclass(frozen=True, slots=True)
class Offer:
    """A deed with what its button says; `asks`: a page of its own comes first."""

    deed: Deed
    says: str

    @property
    def asks(self) -> bool:
        """Whether its page comes first."""
        return self.deed in ASKING


@dataclass(frozen=True, slots=True)
class Offers:
    """The deeds that fit: the main button, the one beside it, and the menu; each deed once."""

    main: Offer | None
    beside: Offer | None
    more: tuple[Offer, ...]


_Condition = tuple[Callable[[Standing], bool], str]
"""What must hold, and the sentence where it does not."""
_AT_WORK = (Deed.REFRESH, Deed.PAUSE)
_FIRST: Mapping[Health, tuple[Deed, ...]] = {
    Health.PAUSED: (Deed.RESUME,),
    Health.DISABLED: (Deed.ENABLE,),
    Health.CONNECTING: (Deed.LINK,),
    Health.RECONNECT_REQUIRED: (Deed.LINK, Deed.RESUME),
}
_BY_TOKENS = frozenset({ParkReason.NOTHING_TO_REFRESH_WITH, ParkReason.LOST_ANSWER})
"""Blocked for these, it needs new tokens before anything else."""
_MENU = (Deed.LINK, Deed.PAUSE, Deed.RESUME, Deed.DISABLE, Deed.ENABLE, Deed.EDIT, Deed.DELETE)


def offers(standing: Standing) -> Offers:
    """Returns what a page offers; nothing for a deleted connection."""
    main, beside = _first(standing)
    menu = [
        deed for deed in _MENU if deed not in {main, beside} and why_not(deed, standing) is None
    ]
    return Offers(
        None if main is None else Offer(main, says(main, standing)),
        None if beside is None else Offer(beside, says(beside, standing)),
        tuple(Offer(deed, says(deed, standing)) for deed in menu),
    )


def says(deed: Deed, standing: Standing) -> str:
    """Returns what a deed's button says."""
    if deed is Deed.LINK and standing.health is Health.CONNECTING:
        return "Make a link to connect it"
    if deed is not Deed.RESUME or standing.health in {Health.PAUSED, Health.DISABLED}:
        return SAYS[deed]
    return SAYS[deed] if standing.parked_reason in RESUME_ALONE_HELPS else TRY_ONCE


def why_not(deed: Deed, standing: Standing) -> str | None:
    """Returns why a deed does not fit, to be put behind the connection's name; None where it does."""
    if standing.health is Health.DELETED:
        return SENTENCES[ParkReason.DELETED]
    match deed:
        case Deed.REFRESH:
            return _blocker(standing)
        case Deed.RESUME:
            return _nothing_to_resume(standing)
        case _:
            holds, why = _CONDITIONS.get(deed, _ALWAYS)
            return None if holds(standing) else why


_ALWAYS: _Condition = (lambda _: True, "")
_CONDITIONS: Mapping[Deed, _Condition] = {
    Deed.PAUSE: (lambda s: not s.is_paused, "it is paused already"),
    Deed.DISABLE: (lambda s: not s.is_disabled, "it is disabled already"),
    Deed.ENABLE: (lambda s: s.is_disabled, "it is not disabled"),
    Deed.LINK: (lambda s: not s.is_disabled, "it is disabled, which no link ends"),
    Deed.DELETE: (
        lambda s: not s.siblings,
        "it holds the grant that others use: delete them first",
    ),
}


def _first(standing: Standing) -> tuple[Deed | None, Deed | None]:
    """Returns the main button's deed and that of the one beside it."""
    if standing.health is Health.DELETED:
        return None, None
    if standing.health is Health.BLOCKED:
        return _of_blocked(standing)
    first = _FIRST.get(standing.health, _AT_WORK)
    return first[0], first[1] if len(first) > 1 else None


def _of_blocked(standing: Standing) -> tuple[Deed | None, Deed | None]:
    """A resume is the main thing only where nothing else is to be mended first."""
    if standing.parked_reason in _BY_TOKENS:
        return Deed.LINK, Deed.RESUME
    if why_not(Deed.RESUME, standing) is not None:
        return None, None
    alone = standing.parked_reason in RESUME_ALONE_HELPS
    return (Deed.RESUME, None) if alone else (None, Deed.RESUME)


def _blocker(standing: Standing) -> str | None:
    """Returns why its row is not to be claimed."""
    reasons = {
        Health.DISABLED: ParkReason.DISABLED,
        Health.PAUSED: ParkReason.PAUSED,
        Health.CONNECTING: ParkReason.MID_OAUTH,
        Health.RECONNECT_REQUIRED: ParkReason.RECONNECT_REQUIRED,
    }
    reason = reasons.get(standing.health)
    if reason is None and standing.health is Health.BLOCKED:
        reason = ParkReason(standing.parked_reason or ParkReason.MISSING)
    return None if reason is None else SENTENCES[reason]


def _nothing_to_resume(standing: Standing) -> str | None:
    if standing.health in {Health.PAUSED, Health.DISABLED, Health.RECONNECT_REQUIRED}:
        return None
    if standing.health is Health.CONNECTING:
        return SENTENCES[ParkReason.MID_OAUTH]
    if standing.health is not Health.BLOCKED:
        return "there is nothing to resume: it is active"
    lasting = {None, ParkReason.MISSING, ParkReason.UNSTORED}
    return _blocker(standing) if standing.parked_reason in lasting else None

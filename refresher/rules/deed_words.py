"""What a deed on one connection does, in words: before it is done, and after. Pure.

The same for command line and screen. Which deeds fit: `deeds.py`. Sentences without a subject are put
behind the connection's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from refresher.rules.deeds import TRY_ONCE, Deed, Standing, says
from refresher.rules.words import many

DONE: Mapping[Deed, str] = {
    Deed.PAUSE: "is paused: it keeps its tokens, and is not refreshed until it is resumed",
    Deed.DISABLE: "is disabled: it keeps its tokens, and is not refreshed until it is resumed",
    Deed.DELETE: "is deleted: it is not refreshed, and its token is handed out to nobody",
    Deed.RESUME: "is resumed",
    Deed.ENABLE: "is enabled",
    Deed.EDIT: "is changed",
}
CHANGED = "It changed meanwhile, and nothing was done: look how it stands now, and ask again."
TRIED = "is tried once more, with the tokens it has; what came of it stands here soon"
"""After resuming one whose grant is said to be dead."""
QUESTIONS: Mapping[Deed, str] = {
    Deed.REFRESH: "Refresh {name} now?",
    Deed.PAUSE: "Pause {name}?",
    Deed.RESUME: "Resume {name}?",
    Deed.DISABLE: "Disable {name}?",
    Deed.ENABLE: "Enable {name}?",
    Deed.DELETE: "Delete {name}?",
    Deed.EDIT: "Change {name}",
    Deed.LINK: "Connect {name} again",
}
BUTTONS: Mapping[Deed, str] = {
    Deed.REFRESH: "Refresh this connection now",
    Deed.PAUSE: "Pause this connection",
    Deed.RESUME: "Resume this connection",
    Deed.DISABLE: "Disable this connection",
    Deed.ENABLE: "Enable this connection",
    Deed.DELETE: "Delete this connection",
    Deed.EDIT: "Save the changes",
    Deed.LINK: "Make the link",
}
CONSEQUENCES: Mapping[Deed, tuple[str, ...]] = {
    Deed.REFRESH: ("It is refreshed at once, ahead of everything that waits.",),
    Deed.PAUSE: ("It is not refreshed until it is resumed.", "It keeps its tokens."),
    Deed.RESUME: ("It is refreshed at once, with the tokens it has.",),
    Deed.DISABLE: (
        "It is not refreshed any more until it is enabled.",
        "Whoever uses it is without a token as soon as the stored one ends. It keeps its tokens.",
    ),
    Deed.ENABLE: ("It is refreshed at once, unless it is paused as well.",),
    Deed.DELETE: (
        "It is not refreshed any more, and its token is handed out to nobody.",
        "Its history stays, and registering it again brings it back.",
    ),
}
"""What follows: in a sentence, and what else is to be known."""
REVOCATIONS: Mapping[str, str] = {
    "revoked": "The provider has ended the grant",
    "refused": "The provider refuses to end the grant: end it there",
    "unreachable": "The provider did not answer, so the grant may live on there",
    "unsupported": "The provider has no way to end a grant: it ends in the account's settings",
    "nothing_to_revoke": "It has no grant of its own to give back",
}
"""By the outcome of a revocation."""
MOST_COUNTED = 1_001
"""So far those are counted who use a grant."""
_STOPS = frozenset({Deed.PAUSE, Deed.DISABLE, Deed.DELETE})


@dataclass(frozen=True, slots=True)
class Reach:
    """What a deed reaches besides the connection: its slots, and who uses its grant.

    `siblings` are counted to `MOST_COUNTED`. `root_id`: whose grant it uses itself; `slot_of`: which
    connection it is a slot of.
    """

    slots: int = 0
    siblings: int = 0
    root_id: str | None = None
    slot_of: str | None = None
    is_leased: bool = False


def button(deed: Deed, standing: Standing) -> str:
    """Returns what the button says that does it: the deed, never "OK"."""
    tries = deed is Deed.RESUME and says(deed, standing) == TRY_ONCE
    return TRY_ONCE if tries else BUTTONS[deed]


def besides(deed: Deed, reach: Reach) -> tuple[str, ...]:
    """Returns what else it does, or leaves alone, in sentences; before and after it is done."""
    told: list[str] = []
    if reach.root_id is not None:
        told.append(_of_sibling(deed, reach.root_id))
    elif deed in _STOPS and reach.is_leased:
        told.append("A refresh is under way: it ends normally, and is the last one.")
    if deed in _STOPS | {Deed.RESUME, Deed.ENABLE} and reach.slots:
        told.append(f"The same is done to its {many(reach.slots, 'slot')}.")
    if deed in _STOPS | {Deed.RESUME, Deed.ENABLE} and reach.slot_of is not None:
        told.append(f"It is a slot: {reach.slot_of}, whose slot it is, goes on as it is.")
    if reach.siblings and deed in {Deed.PAUSE, Deed.DISABLE}:
        told.append(f"{_others(reach.siblings)} no fresh token either.")
    return tuple(told)


def _others(siblings: int) -> str:
    if siblings == 1:
        return "1 other connection uses its grant, and gets"
    number = f"More than {MOST_COUNTED - 1:,}" if siblings >= MOST_COUNTED else f"{siblings:,}"
    return f"{number} others use its grant, and get"


def _of_sibling(deed: Deed, root_id: str) -> str:
    match deed:
        case Deed.RESUME | Deed.ENABLE:
            return f"It shares the grant of {root_id}, which is left as it is."
        case Deed.REFRESH:
            return f"It shares the grant of {root_id}; that is what is refreshed."
        case Deed.LINK:
            return f"It shares the grant of {root_id}; that is what is connected again."
        case _:
            return f"Its grant is that of {root_id}, which goes on being refreshed."

"""What the list of connections says: its answer in one sentence, its chips, its foot, why it is empty.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from refresher.rules.standing_word import Health, Tone
from refresher.store.counting import Counted
from refresher.store.lists import Chosen, Listed
from refresher.store.walks import MOST_LOOKED
from refresher.web.dashboard.rendering import url

Counts = Mapping[Health, Counted]
OFFERED = (
    *(Health.RECONNECT_REQUIRED, Health.BLOCKED, Health.EXPIRED, Health.LATE, Health.RETRYING),
    *(Health.WAITING, Health.REFRESHING, Health.CONNECTING, Health.PAUSED, Health.DISABLED),
)
SAID: Mapping[Health, tuple[str, str]] = {
    Health.DELETED: ("is deleted", "are deleted"),
    Health.DISABLED: ("is disabled", "are disabled"),
    Health.PAUSED: ("is paused", "are paused"),
    Health.CONNECTING: ("is being connected", "are being connected"),
    Health.RECONNECT_REQUIRED: ("must be connected again", "must be connected again"),
    Health.BLOCKED: ("is blocked until we mend something", "are blocked until we mend something"),
    Health.REFRESHING: ("is being refreshed", "are being refreshed"),
    Health.EXPIRED: ("has a token that has ended", "have a token that has ended"),
    Health.WAITING: ("waits for an app or a provider", "wait for an app or a provider"),
    Health.RETRYING: ("failed and is tried again", "failed and are tried again"),
    Health.LATE: ("is late", "are late"),
    Health.FRESH: ("is fresh", "are fresh"),
}
"""Of one, and of several."""
NEEDS = (Health.RECONNECT_REQUIRED, Health.BLOCKED, Health.EXPIRED)


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer of the page, in a sentence."""

    sentence: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class Chip:
    """A word to choose, and how many there are of it."""

    text: str
    count: str
    address: str
    is_current: bool


def number(counted: Counted) -> str:
    """Returns a count as it is read: `38`, `10,000+`."""
    return f"{counted.number:,}{'+' if counted.is_capped else ''}"


def about(total: Counted) -> str:
    """Returns how many there are in all: exact, or `about 312,700`."""
    return f"about {_round(total.number):,}" if total.is_capped else f"{total.number:,}"


def sentence(
    chosen: Chosen, numbers: Counts | None, total: Counted, listed: int | None
) -> Answered | None:
    """Returns the answer; `listed` is how many there are where the list is whole, else None.

    None where nothing can be said in a number: the list speaks for itself.
    """
    if chosen.health is not None:
        counted = Counted(listed) if listed is not None else (numbers or {}).get(chosen.health)
        return _of_word(chosen.health, counted)
    if numbers is not None:
        return _of_all(numbers, total) if total.number else None
    if listed is None:
        return None
    return Answered(f"{_many(Counted(listed))} {'fits' if listed < 2 else 'fit'}.", "plain")


def _of_word(word: Health, counted: Counted | None) -> Answered:
    if counted is None:
        return Answered(f"Those that {SAID[word][1]}.", word.tone)
    said = f"{_many(counted)} {_said(word, counted)}."
    return Answered(said, word.tone if counted.number else "good")


def _of_all(numbers: Counts, total: Counted) -> Answered:
    whole = f"{about(total)} {'connection' if total.number == 1 else 'connections'}".capitalize()
    needing = {word: numbers[word] for word in NEEDS if numbers[word].number}
    if not needing:
        return Answered(f"{whole}, and none needs a person.", "good")
    told = [f"{number(n)} {_said(word, n)}" for word, n in needing.items()]
    return Answered(f"{whole}: {_joined(told)}.", "bad")


def chips(
    query: Mapping[str, str], chosen: Chosen, numbers: Counts | None, total: Counted
) -> tuple[Chip, ...]:
    """Returns the words to choose from; without numbers where other filters narrow the list."""
    offered = [*OFFERED, *({chosen.health} - {*OFFERED, None})]
    rest = {name: value for name, value in query.items() if name != "health"}
    first = Chip(
        "All",
        about(total) if numbers is not None else "",
        url("/ui/connections", **rest),
        chosen.health is None,
    )
    others = (
        Chip(
            word.label,
            number(numbers[word]) if numbers is not None and word in numbers else "",
            url("/ui/connections", **{**rest, "health": word.value}),
            word is chosen.health,
        )
        for word in offered
        if word is not None
    )
    return (first, *others)


def foot(listed: Listed) -> str:
    """Returns how many are shown, and in which order."""
    if listed.is_cut:
        return f"Looked at {MOST_LOOKED:,}, {len(listed.rows)} fit"
    return f"{len(listed.rows)} of this page, in the order of {listed.order}"


def empty_words(chosen: Chosen, listed: Listed) -> str:
    """Returns why no row is shown."""
    if listed.is_cut:
        return (
            f"Of the {MOST_LOOKED:,} that were looked at none fits. There may be some further on."
        )
    if (
        chosen.health is not None
        and chosen.provider is chosen.app is chosen.organization_id is None
    ):
        return f"No connection {SAID[chosen.health][0]}."
    return "No connection fits all of these filters."


def _many(counted: Counted) -> str:
    if not counted.number and not counted.is_capped:
        return "No connection"
    return f"{number(counted)} {'connection' if counted == Counted(1) else 'connections'}"


def _said(word: Health, counted: Counted) -> str:
    return SAID[word][counted.number > 1 or counted.is_capped]


def _joined(texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def _round(value: int) -> int:
    """Returns an estimate with as many digits as it is worth."""
    return round(value, min(0, 4 - len(str(value))))

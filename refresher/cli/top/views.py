"""The five views of `refresher top`. Each says what it asks for, and shows what came of it.

What a view asks runs in a thread and knows nothing of the screen; what is shown is what was asked last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, cast
from uuid import UUID

from rich.console import Group, RenderableType
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widget import Widget
from textual.widgets import Static, Tab, Tabs

from refresher.cli.output import TONES, plain
from refresher.cli.top import picture, rows
from refresher.cli.top.listed import Rows
from refresher.cli.top.rows import Listing
from refresher.cli.top.source import SHOWN, Overview, Source
from refresher.rules.needs import plain as in_words
from refresher.rules.standing_word import Health, label
from refresher.store.lists import Chosen, Listed, Order
from refresher.store.walks import Place

Look = Callable[[Source], object]
DUE, ALL = "due", "all"
WORDS = {
    DUE: "Due next",
    ALL: "All",
    **{
        word.value: label(word)
        for word in (
            Health.EXPIRED, Health.LATE, Health.RETRYING, Health.WAITING, Health.BLOCKED,
            Health.RECONNECT_REQUIRED, Health.REFRESHING, Health.PAUSED, Health.DISABLED,
            Health.CONNECTING, Health.FRESH, Health.DELETED,
        )
    },
}  # fmt: skip
"""Which connections, and what that is called: what somebody who looks for trouble asks first, first."""


class View(Vertical):
    """One of the five. `connection_id` is the one that a deed would be about."""

    TITLE: ClassVar[str] = ""

    def asks(self) -> Look:
        """Returns the look that it needs next."""
        raise NotImplementedError

    def show(self, seen: object) -> None:
        """Shows what a look of its own returned."""
        raise NotImplementedError

    @property
    def connection_id(self) -> UUID | None:
        """The connection under the cursor."""
        return None

    def take_focus(self) -> None:
        """Puts the keyboard where the arrow keys do something."""


class OverviewView(View):
    """Is all well, what needs a person, and the figures of the work."""

    TITLE = "Overview"

    def compose(self) -> ComposeResult:
        """One text, which may be longer than the screen."""
        with VerticalScroll():
            yield Static(id="overview-text")

    def asks(self) -> Look:
        """Looks at everything."""
        return Source.overview

    def show(self, seen: object) -> None:
        """Shows it."""
        assert isinstance(seen, Overview)
        self.query_one("#overview-text", Static).update(told(seen))

    def take_focus(self) -> None:
        """Lets the arrow keys scroll."""
        self.query_one(VerticalScroll).focus()


def told(seen: Overview) -> RenderableType:
    """Returns the overview: the sentence of the whole, the figures, what needs a person."""
    now, look = seen.work.activity, seen.look
    parts: list[RenderableType] = []
    if look is not None:
        parts += [Text(look.verdict.sentence, f"bold {TONES[look.verdict.tone]}")]
        parts += [Text(look.verdict.more, "dim"), Text()]
    parts += [picture.figures(now.gauges, now.recent, seen.work.queue)]
    if look is not None and look.needs:
        parts += [Text("\nNeeds a person", "bold")]
    for need in look.needs if look else ():
        parts += [Text(f"\n{plain(need.title)}", TONES[need.tone])]
        parts += [Text(f"  {plain(in_words(need.words))}")]
    return Group(*parts)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of connections, with what was asked."""

    asked: object
    listed: Listed


class ConnectionsView(View):
    """Connections by how they stand, the next due first, or those that were searched for."""

    TITLE = "Connections"

    def __init__(self) -> None:
        super().__init__(id="connections")
        self.word = DUE
        self.found = ""
        self._places: list[Place] = []
        self._next: Place | None = None

    def compose(self) -> ComposeResult:
        """A line of words, a line about the list, the list."""
        tabs = Tabs(*(Tab(text, id=word) for word, text in WORDS.items()), id="words")
        tabs.can_focus = False
        yield tabs
        yield Static(id="connections-told")
        yield Rows()

    def asks(self) -> Look:
        """Looks for what was typed, else at a page of those that stand so."""
        asked = self._asked()
        if self.found:
            return lambda source: Page(asked, source.find(self.found))
        health = None if self.word in {DUE, ALL} else Health(self.word)
        order: Order = "due" if self.word == DUE else "account"
        chosen = Chosen(health, order=order, sees_deleted=True)
        look = partial(Source.connections, chosen=chosen, after=self._place)
        return lambda source: Page(asked, look(source))

    def show(self, seen: object) -> None:
        """Shows the page, unless something else is asked for meanwhile."""
        assert isinstance(seen, Page)
        if seen.asked != self._asked():
            return
        self._next = seen.listed.after
        self.query_one(Rows).fill(rows.connections(seen.listed.rows))
        self.query_one("#connections-told", Static).update(self._told(seen.listed))

    def choose(self, word: str) -> None:
        """Asks for those that stand so, for all, or for what is due next."""
        self.word, self.found = word, ""
        self._places, self._next = [], None

    def search(self, text: str) -> None:
        """Asks for what this text may mean."""
        self.choose(ALL)
        self.found = text

    def turn(self, *, on: bool) -> bool:
        """Goes to the next page, or back; returns whether there is one."""
        if on and self._next is not None and not self.found:
            self._places.append(self._next)
            self._next = None
            return True
        if not on and self._places:
            self._places.pop()
            return True
        return False

    @property
    def connection_id(self) -> UUID | None:
        """The connection under the cursor."""
        key = self.query_one(Rows).key
        return UUID(key) if key else None

    def take_focus(self) -> None:
        """Puts the cursor into the list."""
        self.query_one(Rows).focus()

    @property
    def _place(self) -> Place | None:
        return self._places[-1] if self._places else None

    def _asked(self) -> tuple[str, str, Place | None]:
        return self.word, self.found, self._place

    def _told(self, listed: Listed) -> Text:
        count = len(listed.rows)
        if self.found:
            ends = ", the first of more: type more of it" if listed.is_cut else ""
            return Text(f'{count} fit "{plain(self.found)}"{ends}; Esc shows all', "dim")
        page = f"page {len(self._places) + 1}, " if self._places or listed.after else ""
        more = "; ] goes on" if listed.after else ""
        back = "; [ goes back" if self._places else ""
        looked = f", of {listed.looked:,} looked at" if listed.is_cut else ""
        order = f", by {listed.order}" if listed.order else ""
        return Text(f"{page}{count} shown{looked}{order}{more}{back}", "dim")


class ListView(View):
    """A view that is one list."""

    def __init__(
        self,
        id_: str,
        look: Callable[[Source], Sequence[object]],
        as_rows: Callable[[Sequence[object]], Listing],
        none: str,
    ) -> None:
        super().__init__(id=id_)
        self._look, self._as_rows, self._none = look, as_rows, none

    def compose(self) -> ComposeResult:
        """The list, and a sentence in place of an empty one."""
        yield Static(id=f"{self.id}-told")
        yield Rows()

    def asks(self) -> Look:
        """Looks at the list."""
        return self._look

    def show(self, seen: object) -> None:
        """Shows it."""
        found = cast("Sequence[object]", seen)
        told_ = self._none if not found else f"the newest {SHOWN}" if self.id == "lately" else ""
        self.query_one(f"#{self.id}-told", Static).update(Text(told_, "dim"))
        self.query_one(Rows).fill(self._as_rows(found))

    @property
    def connection_id(self) -> UUID | None:
        """The connection that the row under the cursor is about, in the list of events."""
        *_, last = self.query_one(Rows).key.split(" ")
        return UUID(last) if self.id == "lately" and last else None

    def take_focus(self) -> None:
        """Puts the cursor into the list."""
        self.query_one(Rows).focus()


def every() -> list[Widget]:
    """Returns the five views, in the order of their keys."""
    return [
        OverviewView(id="overview"),
        ConnectionsView(),
        ListView("providers", Source.providers, _any(rows.providers), "No provider is in use."),
        ListView(
            "processes",
            Source.processes,
            _any(rows.processes),
            "No process is registered: nothing is being refreshed.",
        ),
        ListView("lately", Source.lately, _any(rows.lately), "Nothing has happened yet."),
    ]


def _any(as_rows: Callable[..., Listing]) -> Callable[[Sequence[object]], Listing]:
    return as_rows

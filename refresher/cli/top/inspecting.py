"""One connection in `refresher top`: the sentences of `explain`, then its timeline, the newest first.

And what `doctor` finds, on a screen of the same form: a text that scrolls, Esc leads back.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar
from uuid import UUID

from rich.console import Group, RenderableType
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.events import Resize
from textual.screen import Screen
from textual.widgets import Footer, Static

from refresher.cli import doctor
from refresher.cli.events import TIMELINE, TIMELINE_SPARE, timeline_rows
from refresher.cli.output import STYLES, TONES, instant, laid_out, plain
from refresher.cli.tables import READABLE
from refresher.cli.top.source import Inspected, Source
from refresher.cli.top.views import Look
from refresher.insight import explaining
from refresher.insight.doctor import Finding
from refresher.rules.standing_word import with_failures

LEVEL_TONES = {"fail": "bad", "warn": "warn", "ok": "good"}
"""The levels of findings, the worst first, each with its tone."""


class TextScreen(Screen[None]):
    """A text about something, which Esc leaves."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,backspace", "app.leave", "Back")]

    def __init__(self) -> None:
        super().__init__()
        self._seen: object = None

    def compose(self) -> ComposeResult:
        """The text, and the keys."""
        with VerticalScroll():
            yield Static("Looking …", id="told")
        yield Footer()

    def asks(self) -> Look | None:
        """Returns the look that it needs next, None for none any more."""
        raise NotImplementedError

    def tells(self, seen: object, width: int) -> RenderableType:
        """Returns what a look came to, in a width."""
        raise NotImplementedError

    def show(self, seen: object) -> None:
        """Shows what its look returned."""
        self._seen = seen
        width = max(self.size.width - 4, READABLE)
        self.query_one("#told", Static).update(self.tells(seen, width))

    def on_resize(self, _: Resize) -> None:
        """Lays the text out anew."""
        if self._seen is not None:
            self.show(self._seen)

    @property
    def connection_id(self) -> UUID | None:
        """The connection that a deed would be about."""
        return None


class InspectScreen(TextScreen):
    """How one connection stands, looked at again and again."""

    def __init__(self, connection_id: UUID) -> None:
        super().__init__()
        self._connection = connection_id

    def asks(self) -> Look:
        """Looks at the connection."""
        return partial(Source.inspect, connection_id=self._connection)

    def tells(self, seen: object, width: int) -> RenderableType:
        """Returns who it is, why it is or is not refreshed, and what happened."""
        if not isinstance(seen, Inspected):
            return Text("It is gone.")
        return inspected(seen, width)

    @property
    def connection_id(self) -> UUID | None:
        """The connection that is looked at."""
        return self._connection


class DoctorScreen(TextScreen):
    """What `refresher doctor` finds, looked for once."""

    def asks(self) -> Look | None:
        """Checks everything, once."""
        return Source.doctor if self._seen is None else None

    def tells(self, seen: object, width: int) -> RenderableType:
        """Returns the findings, what is wrong first."""
        assert isinstance(seen, Sequence)
        return findings(seen, width)


def inspected(seen: Inspected, width: int) -> RenderableType:
    """Returns a connection as its screen shows it."""
    of, view = seen.of, seen.of.seen
    head = Text(plain(of.name), "bold")
    head.append(f" · {plain(of.at)} · organization {plain(view.organization_id)} · ", "not bold")
    head.append(with_failures(of.health, view.attempt), f"{STYLES.get(of.health, '')} not bold")
    told = explaining.sentences(seen.found, instant)
    ids = Text(f"{view.id} · external id {plain(view.external_id)}", "dim")
    rows = timeline_rows(list(reversed(seen.found.events)))
    return Group(
        head, ids, Text(), *(Text(plain(sentence)) for sentence in told), Text(),
        *laid_out(TIMELINE, rows, width, spare=TIMELINE_SPARE),
    )  # fmt: skip


def findings(found: Sequence[Finding], width: int) -> RenderableType:
    """Returns what is wrong, what is worth a look, and what is right."""
    ordered = sorted(found, key=lambda one: [*LEVEL_TONES].index(one.level))
    worst = ordered[0].level if ordered else "ok"
    return Group(
        Text(doctor.summary(found), TONES[LEVEL_TONES[worst]]),
        Text(),
        *doctor.laid_out(ordered, width),
    )

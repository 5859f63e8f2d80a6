"""`refresher top` with keys: views, what they look at, and the deeds, on Textual.

One look is under way at a time, in a thread; the screen never waits for it. While the database is away
the last look stays, with a line that says so.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import ClassVar, Protocol, TypeVar
from uuid import UUID

from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.css.query import NoMatches
from textual.notifications import SeverityLevel
from textual.widgets import DataTable, Footer, Static, TabbedContent, TabPane, Tabs

from refresher.cli.output import now, plain
from refresher.cli.session import SIGNALS
from refresher.cli.top import views
from refresher.cli.top.asking import READ_ONLY, Find, Help, Question
from refresher.cli.top.inspecting import DoctorScreen, InspectScreen, TextScreen
from refresher.cli.top.listed import Rows
from refresher.cli.top.source import Source
from refresher.cli.top.steering import Steering
from refresher.cli.top.views import ALL, WORDS, ConnectionsView, Look, View
from refresher.errors import RefresherError
from refresher.rules.deeds import Deed
from refresher.rules.words import sentence, span
from refresher.store.pool import DatabaseError

T = TypeVar("T")
SEVERITIES: dict[str, SeverityLevel] = {"warn": "warning", "bad": "error"}


class Shown(Protocol):
    """A view or a screen that shows looks."""

    def asks(self) -> Look | None:
        """Returns the look that it needs next."""

    def show(self, seen: object) -> None:
        """Shows what that look returned."""

    @property
    def connection_id(self) -> UUID | None:
        """The connection that a deed would be about."""


class TopApp(App[None]):
    """The whole of it. `ended_by` is the signal that ended it, None for none."""

    ENABLE_COMMAND_PALETTE = False
    TITLE = "refresher top"
    CSS = """
    TabbedContent, TabPane, View, Rows { height: 1fr; padding: 0; }
    #head, #trouble { height: auto; padding: 0 1; }
    #trouble { background: $error; color: $text; display: none; }
    #overview VerticalScroll, TextScreen VerticalScroll { padding: 1 2; }
    #connections-told, ListView > Static { height: auto; padding: 0 1; }
    ModalScreen { align: center middle; }
    .asking { width: 90%; max-width: 96; height: auto; max-height: 90%; padding: 1 2;
              background: $surface; border: round $primary; overflow-y: auto; }
    .asking Static { margin-bottom: 1; }
    .asking Horizontal { height: auto; }
    .asking Button { margin-right: 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(f"{n}", f"view({n})", show=False) for n in range(1, 6)),
        Binding("slash", "find", "Find"),
        Binding("h", "word(1)", "Health", show=False),
        Binding("H", "word(-1)", show=False),
        Binding("right_square_bracket", "turn(True)", show=False),
        Binding("left_square_bracket", "turn(False)", show=False),
        Binding("r", "deed('refresh')", "Refresh"),
        Binding("p", "deed('pause')", "Pause"),
        Binding("u", "deed('resume')", "Resume"),
        Binding("d", "doctor", "Doctor"),
        Binding("question_mark", "help", "Help"),
        Binding("escape", "leave", show=False),
        Binding("q", "quit", "Quit"),
        Binding("ctrl+c", "interrupt", show=False, priority=True),
    ]

    def __init__(
        self, source: Source, steering: Steering, *, interval: float, read_only: bool
    ) -> None:
        super().__init__()
        self.ended_by: int | None = None
        self._source, self._steering = source, steering
        self._interval, self._read_only = interval, read_only
        self._wake = asyncio.Event()
        self._looked_at = now()
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="top")

    def compose(self) -> ComposeResult:
        """A line on top, a line for what is wrong, five views, the keys."""
        yield Static(id="head")
        yield Static(id="trouble")
        with TabbedContent(id="views"):
            for n, view in enumerate(views.every(), start=1):
                title = (view.id or "").capitalize()
                yield TabPane(f"{n} {title}", view, id=f"view-{n}")
        yield Footer()

    def on_mount(self) -> None:
        """Hears signals, and begins to look."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            with suppress(NotImplementedError, RuntimeError):  # Windows; not the main thread
                if signal.getsignal(number) is not signal.SIG_IGN:
                    loop.add_signal_handler(number, self._end, number)
        self._tell(None)
        self._watch()

    def close(self) -> None:
        """Waits for the threads: for a look no longer than its limit, for a refresh to its end."""
        self._threads.shutdown()

    @property
    def view(self) -> View:
        """The view on top."""
        pane = self.query_one("#views", TabbedContent).active_pane
        assert pane is not None
        return pane.query_one(View)

    @property
    def shown(self) -> Shown:
        """What looks: a screen about one thing, else the view on top."""
        return next(
            (s for s in reversed(self.screen_stack) if isinstance(s, TextScreen)), self.view
        )

    @work(group="watch")
    async def _watch(self) -> None:
        while True:
            self._wake.clear()
            with suppress(NoMatches):  # it ends, and its widgets are gone already
                await self._look()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._interval)

    async def _look(self) -> None:
        place = self.shown
        look = place.asks()
        if look is None:
            return
        try:
            seen = await self._in_thread(partial(look, self._source))
        except (RefresherError, DatabaseError) as error:
            self._tell(error)
            return
        self._looked_at = now()
        self._tell(None)
        if place is self.shown:
            place.show(seen)
        else:
            self._wake.set()

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def _tell(self, trouble: Exception | None) -> None:
        """Says when the last look was, and why there is no newer one."""
        only = " · only looks" if self._read_only else ""
        at = f"{self._looked_at:%H:%M:%S}Z"
        self.query_one("#head", Static).update(f"[b]refresher top[/b] [dim]{at}{only}[/dim]")
        line = self.query_one("#trouble", Static)
        line.display = trouble is not None
        if trouble is not None:
            age = span(max(1.0, (now() - self._looked_at).total_seconds()))
            line.update(Text(f"What is shown is {age} old: {plain(_in_words(trouble))}"))

    def _end(self, number: int) -> None:
        self.ended_by = number
        self.exit()

    def action_interrupt(self) -> None:
        """Ends as Ctrl-C ends every command."""
        self._end(signal.SIGINT)

    def look_now(self) -> None:
        """Looks at once."""
        self._wake.set()

    def on_tabbed_content_tab_activated(self) -> None:
        """Shows another view: it looks at once, and has the keyboard."""
        self.view.take_focus()
        self.look_now()

    def on_tabs_tab_activated(self, event: Tabs.TabActivated) -> None:
        """Takes the word of health that was clicked."""
        if event.tabs.id != "words":
            return
        listed = self.query_one(ConnectionsView)
        if event.tab.id and event.tab.id != listed.word:
            listed.choose(event.tab.id)
            self.look_now()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Inspects the connection of a row."""
        del event
        if (id_ := self.view.connection_id) is not None:
            self.push_screen(InspectScreen(id_))
            self.look_now()

    def action_view(self, number: int) -> None:
        """Shows a view."""
        while len(self.screen_stack) > 1:
            self.pop_screen()
        self.query_one("#views", TabbedContent).active = f"view-{number}"

    def action_word(self, step: int) -> None:
        """Shows connections of the next word of health, or the one before."""
        if len(self.screen_stack) > 1:
            return
        self.action_view(2)
        words = list(WORDS)
        at = words.index(self.query_one(ConnectionsView).word)
        self.query_one("#words", Tabs).active = words[(at + step) % len(words)]

    def action_turn(self, on: bool) -> None:
        """Goes on in the list, or back."""
        if isinstance(self.view, ConnectionsView) and self.view.turn(on=on):
            self.look_now()

    def action_leave(self) -> None:
        """Leaves a screen, or a search."""
        if len(self.screen_stack) > 1:
            self.pop_screen()
        elif isinstance(self.view, ConnectionsView) and self.view.found:
            self.view.choose(self.view.word)
        self.look_now()

    @work
    async def action_find(self) -> None:
        """Asks what to look for, and lists what it may mean."""
        text = await self.push_screen_wait(Find())
        if text:
            self.action_view(2)
            self.query_one(ConnectionsView).search(text)
            self.query_one("#words", Tabs).active = ALL
            self.query_one(Rows).focus()
            self.look_now()

    def action_help(self) -> None:
        """Shows the keys."""
        self.push_screen(Help(read_only=self._read_only))

    def action_doctor(self) -> None:
        """Checks everything."""
        self.push_screen(DoctorScreen())
        self.look_now()

    @work(group="deed", exclusive=False)
    async def action_deed(self, name: str) -> None:
        """Asks whether to do a deed to the connection under the cursor, and does it."""
        deed, id_ = Deed(name), self.shown.connection_id
        if self._read_only:
            self.notify(READ_ONLY, severity="warning")
        elif id_ is None:
            self.notify(f"No connection is chosen to {deed}.", severity="warning")
        else:
            await self._do(deed, id_)

    async def _do(self, deed: Deed, id_: UUID) -> None:
        try:
            asked = await self._in_thread(partial(self._steering.ask, id_, deed))
            if not await self.push_screen_wait(Question(asked)):
                return
            told = await self._in_thread(partial(self._steering.do, asked))
        except (RefresherError, DatabaseError) as error:
            self.notify(plain(sentence(_in_words(error))), severity="warning", markup=False)
            return
        self.notify(
            plain(told.sentence),
            severity=SEVERITIES.get(told.tone, "information"),
            markup=False,
            timeout=10,
        )
        self.look_now()


def _in_words(error: Exception) -> str:
    if isinstance(error, RefresherError):
        return str(error).splitlines()[0]
    return "Postgres refused the look"

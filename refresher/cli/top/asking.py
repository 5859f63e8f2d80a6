"""What `refresher top` asks: whether to do a deed, what to look for; and its help."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from refresher.cli.output import as_facts, plain
from refresher.cli.top.steering import Asked

HELP = {
    "1 to 5": "overview, connections, providers, processes, lately; so does a click",
    "up, down": "move in a list; PgUp, PgDn, Home, End too",
    "Enter": "inspect the connection under the cursor: why it stands so, and what happened to it",
    "h, H": "connections: the next word of health, the one before; a click on a word, too",
    "], [": "connections: the next page, the one before",
    "/": "find a connection by its external id, name or id, or the beginning of one",
    "r": "refresh the connection now; asks first",
    "p": "pause it; asks first",
    "u": "resume it (also where it has to be connected again: tries its tokens once); asks first",
    "d": "doctor: what is wrong, and how to mend it",
    "Esc": "back",
    "q": "quit",
}
READ_ONLY = "This terminal only looks (--read-only): p, r and u do nothing."


class Question(ModalScreen[bool]):
    """Whether to do a deed: what would follow, a button that names it, and one that does nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("y", "answer(True)", "Yes"),
        ("n,escape", "answer(False)", "No"),
    ]

    def __init__(self, asked: Asked) -> None:
        super().__init__()
        self._asked = asked

    def compose(self) -> ComposeResult:
        """The question, and the two buttons."""
        with Vertical(classes="asking"):
            yield Static(Text(plain(self._asked.title), "bold"))
            yield Static(Text(plain(self._asked.consequences)))
            with Horizontal():
                yield Button(f"{self._asked.button} (y)", variant="primary", id="yes")
                yield Button("Leave it (n)", id="no")

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answers by a button."""
        self.dismiss(event.button.id == "yes")

    def action_answer(self, yes: bool) -> None:
        """Answers by a key."""
        self.dismiss(yes)


class Find(ModalScreen[str]):
    """What to look for; an empty text is a change of mind."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "dismiss('')", "Back")]

    def compose(self) -> ComposeResult:
        """One line to type in."""
        with Vertical(classes="asking"):
            yield Static(Text("Find a connection", "bold"))
            yield Input(placeholder="external id, name or id, or the beginning of one")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Takes what was typed."""
        self.dismiss(event.value.strip())


class Help(ModalScreen[None]):
    """The keys."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,question_mark,q,enter", "dismiss", "Back")]

    def __init__(self, *, read_only: bool) -> None:
        super().__init__()
        self._read_only = read_only

    def compose(self) -> ComposeResult:
        """Each key with what it does."""
        width = max(30, min(self.app.size.width - 8, 90))
        with Vertical(classes="asking"):
            yield Static(Text("Keys", "bold"))
            yield Static(as_facts(HELP, width))
            if self._read_only:
                yield Static(Text(READ_ONLY))

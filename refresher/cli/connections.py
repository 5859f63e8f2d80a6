"""`refresher connections`: show one; what lists and what changes them is in the modules beside.

Each of these is imported when one of its commands is called: to list needs nothing of what imports.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import asdict
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from refresher.cli import session
from refresher.cli.arguments import Id, find, view_of
from refresher.cli.output import SHOWN, Json, command, details, emit, note
from refresher.rules import reasons
from refresher.rules.standing_word import with_failures
from refresher.store import lookup

PARTS = {
    "connection_list.app": ("list",),
    "import_command.app": ("import",),
    "export.app": ("export", "resume-exported"),
    "refresh.app": ("refresh",),
    "lifecycle.app": ("pause", "disable", "resume", "delete"),
    "resume_link.app": ("resume-link", "resume-links", "withdraw-link"),
    "connect_sessions.links": ("reconnect-link", "learn-accounts"),
    "bulk.app": ("bulk",),
}
"""Each module with the name of its application, and those of our commands that it has."""


class Parts(TyperGroup):
    """Knows its commands by their names; all of them are imported only to be shown."""

    _known: MutableMapping[str, Any]

    def get_command(self, _ctx: Any, cmd_name: str) -> Any:
        """Returns a command, its module imported."""
        for part, names in PARTS.items():
            if cmd_name in names:
                self._take(part)
        return self._known.get(cmd_name)

    @property
    def commands(self) -> MutableMapping[str, Any]:
        """All commands by their names."""
        for part in PARTS:
            self._take(part)
        return self._known

    @commands.setter
    def commands(self, known: MutableMapping[str, Any]) -> None:
        self._known = known

    def _take(self, part: str) -> None:
        if PARTS[part][0] not in self._known:
            module, _, name = part.partition(".")
            found = getattr(import_module(f"refresher.cli.{module}"), name)
            self._known.update(typer.main.get_group(found).commands)


app = typer.Typer()
group = typer.Typer(
    cls=Parts, help="Import, export, look at and steer connections.", no_args_is_help=True
)
app.add_typer(group, name="connections")


@command(group, "refresher connections show 7b0d2a4e")
def show(connection: Id, json: Json = False) -> None:
    """Show one connection: its state, what is next, and what keeps it from going on."""
    with session.looking() as database:
        found = find(database, connection)
        view = view_of(database, found)
        with database.transaction() as db:
            siblings = lookup.siblings(db, found)
    described = {"health": view.health, **asdict(view), "siblings": siblings}
    if json:
        emit(described)
        return
    state = SHOWN.get(view.state, view.state)
    details({**described, "health": with_failures(view.health, view.attempt), "state": state})
    if view.root_id:
        note(f"It shares the grant of {view.root_id}; state and times are that one's.")
    mend = reasons.mend(
        view.parked_reason, view.root_id or view.id, provider=view.provider, app_name=view.app_name
    )
    if mend:
        note(f"Parked: {mend}.")

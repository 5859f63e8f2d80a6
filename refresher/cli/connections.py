"""`refresher connections`: show one; what lists and what changes them is in the modules beside.

`connection_list.py`: list; `import_command.py`: import; `export.py`: export; `lifecycle.py`: pause,
resume, disable, delete; `refresh.py`: refresh now; `resume_link.py`: URLs that resume one;
`connect_sessions.py`: those that connect an account again.
"""

from __future__ import annotations

from dataclasses import asdict

import typer

from refresher.cli import (
    bulk,
    connect_sessions,
    connection_list,
    export,
    import_command,
    lifecycle,
    refresh,
    resume_link,
    session,
)
from refresher.cli.arguments import Id, find, view_of
from refresher.cli.output import SHOWN, Json, command, details, emit, note
from refresher.rules import reasons
from refresher.rules.standing_word import with_failures
from refresher.store import lookup

app = typer.Typer()
group = typer.Typer(help="Import, export, look at and steer connections.", no_args_is_help=True)
app.add_typer(group, name="connections")
for part in (connection_list, import_command, export, refresh, lifecycle, resume_link):
    group.add_typer(part.app)
group.add_typer(connect_sessions.links)
group.add_typer(bulk.group, name="bulk")


@command(group, "refresher connections show 7b0d2a4e")
def show(connection: Id, json: Json = False) -> None:
    """Show one connection: its state, what is next, and what keeps it from going on."""
    with session.database() as database:
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

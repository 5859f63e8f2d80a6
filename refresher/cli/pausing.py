"""`refresher providers pauses | unpause`: what is left alone for a while, why, and its end by hand."""

from __future__ import annotations

from typing import Annotated

import typer

from refresher.cli import opening
from refresher.cli.output import Json, distance, emit, examples, note, span, table
from refresher.runtime.services import catalogue_from
from refresher.store import audit, pause_list
from refresher.store.pause_list import Chosen, PauseView

Name = Annotated[str, typer.Argument(metavar="NAME", help="The provider, such as google.")]


def register(group: typer.Typer) -> None:
    """Adds the two commands to `providers`."""
    group.command("pauses", epilog=examples("refresher providers pauses"))(pauses)
    epilog = examples(
        "refresher providers unpause google",
        "refresher providers unpause shopify --host acme.myshopify.com",
        "refresher providers unpause acme --app eu",
    )
    group.command("unpause", epilog=epilog)(unpause)


def pauses(json: Json = False) -> None:
    """List what is left alone for a while: a host, an organization at it, an app, a whole provider."""
    with opening.database() as database, database.transaction() as db:
        found = pause_list.held(db)
    if json:
        for pause in found:
            emit(pause)
        return
    columns = ["what", "for", "why", "since", "until", "times", "probes", "told to"]
    table(columns, [_row(pause) for pause in found])
    if not found:
        note("Nothing is paused.")


def unpause(
    name: Name,
    host: Annotated[str | None, typer.Option(help="Only what holds this host.")] = None,
    app: Annotated[str | None, typer.Option(help="Only what holds this app of ours.")] = None,
    json: Json = False,
) -> None:
    """End a provider's pauses now: what waited for them is tried at once, dead tokens first.

    Forgets the refusals that they follow from as well. If the trouble lasts, the same pauses come back.
    """
    settings = opening.read_settings()
    catalogue_from(settings)[name]
    with opening.database(settings) as database, database.transaction() as db:
        ended = pause_list.end(db, Chosen(name, host=host, app_name=app))
        audit.note(db, opening.actor(), "unpaused", subject=f"provider:{name}")
    if json:
        emit({"ended": [f"{p.scope}:{p.key}" for p in ended]})
        return
    for pause in ended:
        typer.echo(f"{_what(pause)} is not paused any more.")
    if not ended:
        note("Nothing of that is paused.")


def _row(pause: PauseView) -> list[object]:
    until = "now: one probes" if pause.probing else f"in {span(pause.left_seconds)}"
    told = ", ".join(pause.told[-3:]) + (" and others" if len(pause.told) > 3 else "")
    return [
        _what(pause), pause.organization_id or "everybody", pause.reason, distance(pause.since), until,
        pause.refusals, pause.probes, told,
    ]  # fmt: skip


def _what(pause: PauseView) -> str:
    app = f"app {pause.provider}/{pause.app}" if pause.app else pause.provider
    return f"{app} at {pause.host}" if pause.host else app

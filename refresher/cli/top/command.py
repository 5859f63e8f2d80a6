"""`refresher top`: with keys where Textual is installed, else a live picture; one picture, or JSON.

Looks at Postgres and Redis only, each look bounded, so it may run beside full load.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from importlib.util import find_spec
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from refresher.cli import session
from refresher.cli.output import Json, command, emit, note
from refresher.cli.top.picture import Picture, TopView, picture
from refresher.errors import RefresherError
from refresher.insight import looks
from refresher.settings import Settings, load
from refresher.store.session import Database

Once = Annotated[bool, typer.Option("--once", help="Show one picture and end.")]
Interval = Annotated[
    float, typer.Option(min=0.2, max=3600, help="Seconds between two looks.", show_default=True)
]
ReadOnly = Annotated[bool, typer.Option("--read-only", help="Only look: no key changes anything.")]
MORE = "With keys it shows more, and steers: pip install 'refresher[terminal]'"

app = typer.Typer()


@command(
    app,
    "refresher top",
    "refresher top --read-only",
    "refresher top --once",
    "refresher top --json --interval 5 | jq .overdue",
)
def top(
    once: Once = False, interval: Interval = 1.0, read_only: ReadOnly = False, json: Json = False
) -> None:
    """Watch the work: what is due, late, parked and in flight, at which rate, and by whom.

    On a terminal it has keys (`?` shows them, `q` ends it): five views, connections by how they stand,
    each with its history; find, refresh, pause and resume one, which asks first. Without Textual
    (the extra `terminal`) it is a picture that Ctrl-C ends. One look alone with --once
    (also where stdout is no terminal, unless --json asks for one document a look).
    """
    settings = load()
    with session.database(settings) as database:
        look = _looker(settings, database)
        if json:
            _emit_all(look, once=once, interval=interval)
            return
        console, first = Console(highlight=False), look()
        if once or not console.is_terminal or console.is_dumb_terminal:
            console.print(picture(first))
        elif find_spec("textual") is not None:
            _run(settings, database, interval=interval, read_only=read_only)
        else:
            _show(look, first, console, interval)


def _looker(settings: Settings, database: Database) -> Callable[[], TopView]:
    """Returns what takes a look at everything."""

    def look() -> TopView:
        now = looks.work_now(settings, database)
        return TopView(now.activity, now.queue)

    return look


def _emit_all(look: Callable[[], TopView], *, once: bool, interval: float) -> None:
    while True:
        emit(as_json(look()))
        if once:
            return
        time.sleep(interval)


def _show(look: Callable[[], TopView], first: TopView, console: Console, interval: float) -> None:
    shown = Picture(first, more=MORE)
    with Live(shown, console=console, screen=True, auto_refresh=False) as live:
        while True:
            time.sleep(interval)
            shown = Picture(_outlasting(look, shown), more=MORE)
            live.update(shown, refresh=True)


def _run(settings: Settings, database: Database, *, interval: float, read_only: bool) -> None:
    """Runs what has keys; ends as a signal wants that came meanwhile, the terminal restored."""
    from refresher.cli.top.app import TopApp  # noqa: PLC0415  only for who has Textual
    from refresher.cli.top.source import Source  # noqa: PLC0415
    from refresher.cli.top.steering import Steering  # noqa: PLC0415

    with closing(Source(settings, database)) as source, closing(Steering(source)) as steering:
        running = TopApp(source, steering, interval=interval, read_only=read_only)
        running.run()
        if steering.is_busy:
            note("Stopping when the refresh has ended.")
        running.close()
    if running.ended_by is not None:
        signal.raise_signal(running.ended_by)


def _outlasting(look: Callable[[], TopView], shown: Picture) -> TopView:
    """Returns a look; while Postgres is away, the last one with a word about it."""
    try:
        return look()
    except RefresherError as error:
        return shown.view.stale(str(error))


def as_json(view: TopView) -> dict[str, object]:
    """Returns the view as plain values."""
    now, queue = view.activity.gauges, view.queue
    recent = view.activity.recent
    return {
        "idle": now.idle,
        "leased": now.leased,
        "parked": {reason: count for reason, count in now.parked.items() if count},
        "overdue": now.overdue,
        "oldest_overdue_seconds": now.oldest_overdue_seconds,
        "expired_tokens": now.expired_tokens,
        "least_life_seconds": now.least_life_seconds,
        "quarantined": now.quarantined,
        "last_minute": {**asdict(recent), "refreshes_per_second": recent.per_second},
        "queue": asdict(queue),
        "providers": [asdict(provider) for provider in view.activity.providers],
        "processes": [asdict(process) for process in view.activity.processes],
    }

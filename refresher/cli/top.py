"""`refresher top`: what the deployment is doing, live.

Looks at Postgres and Redis only, each look bounded, so it may run beside full load. The picture itself
is `top_screen.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from refresher.cli import session
from refresher.cli.output import Json, command, emit
from refresher.cli.top_screen import Picture, TopView, picture
from refresher.errors import DatabaseUnavailable
from refresher.insight import looks
from refresher.settings import Settings, load
from refresher.store.session import Database

Once = Annotated[bool, typer.Option("--once", help="Show one picture and end.")]
Interval = Annotated[
    float, typer.Option(min=0.2, max=3600, help="Seconds between two looks.", show_default=True)
]


app = typer.Typer()


@command(
    app, "refresher top", "refresher top --once", "refresher top --json --interval 5 | jq .overdue"
)
def top(once: Once = False, interval: Interval = 1.0, json: Json = False) -> None:
    """Watch the work: what is due, late, parked and in flight, at which rate, and by whom.

    Ends with Ctrl-C, or after one look with --once (also where stdout is no terminal, unless --json
    asks for one document a look).
    """
    settings = load()
    with session.database(settings) as database:
        look = _looker(settings, database)
        if json:
            _emit_all(look, once=once, interval=interval)
        else:
            _show(look, once=once, interval=interval)


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


def _show(look: Callable[[], TopView], *, once: bool, interval: float) -> None:
    console = Console(highlight=False)
    first = look()
    if once or not console.is_terminal:
        console.print(picture(first))
        return
    with Live(picture(first), console=console, screen=True, auto_refresh=False) as live:
        while True:
            time.sleep(interval)
            live.update(picture(_outlasting(look, live.renderable)), refresh=True)


def _outlasting(look: Callable[[], TopView], shown: object) -> TopView:
    """Returns a look; while Postgres is away, the last one with a word about it."""
    try:
        return look()
    except DatabaseUnavailable as error:
        assert isinstance(shown, Picture)
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

"""`refresher demo`: see it work, with nothing to set up.

What it does is in `refresher/devkit/demo`; here are its options and what it prints.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from refresher.cli.output import Json, command, emit
from refresher.devkit.demo.plan import Plan, check
from refresher.devkit.demo.show import DemoVerdict, perform, table

Connections = Annotated[int, typer.Option(help="How many connections to keep fresh.")]
Lifetime = Annotated[float, typer.Option(help="Seconds that an access token lives.")]
Seconds = Annotated[float, typer.Option(help="How long to watch.")]
Kill = Annotated[
    bool,
    typer.Option("--kill", help="Restart the scheduler with kill -9; the provider forgives 30 s."),
]
WithNotifications = Annotated[
    bool,
    typer.Option("--with-notifications", help="Break one connection, and show what is told of it."),
]
WithConnect = Annotated[
    bool,
    typer.Option(
        "--with-connect", help="Have somebody connect by the pages, and see it kept fresh."
    ),
]
Seed = Annotated[int, typer.Option(help="Of every chance that the provider takes.")]
Directory = Annotated[
    Path | None, typer.Option(help="Keep database and logs here, not in a temporary folder.")
]


app = typer.Typer()


@command(
    app,
    "refresher demo",
    "refresher demo --kill",
    "refresher demo --with-notifications",
    "refresher demo --with-connect",
    "refresher demo --connections 1000 --json",
)
def demo(
    connections: Connections = 200,
    lifetime: Lifetime = 20.0,
    seconds: Seconds = 60.0,
    kill: Kill = False,
    seed: Seed = 1,
    directory: Directory = None,
    with_notifications: WithNotifications = False,
    with_connect: WithConnect = False,
    json: Json = False,
) -> None:
    """Watch connections being kept fresh against an OAuth server that rotates and forgives nothing.

    Starts an embedded PostgreSQL, an OAuth server and a scheduler, each a process of its own, and
    removes all of them at the end. Half-way the scheduler is stopped as a deploy does and started
    again. With --kill it is killed: a request that was on its way then has an unknown outcome, so its
    refresh token is presented once more, and the provider has to forgive that, as most do for some
    seconds. Exits with 1 when a token was lost or spent twice, or nothing was refreshed.
    """
    plan = check(
        Plan(
            connections, lifetime, seconds, kill, seed, directory, with_notifications, with_connect
        )
    )
    console = Console(stderr=json, highlight=False)
    verdict = perform(plan, console)
    _close(console, verdict, directory)
    if json:
        emit(verdict.as_json())
    raise typer.Exit(0 if verdict.is_good else 1)


def _close(console: Console, verdict: DemoVerdict, directory: Path | None) -> None:
    console.print()
    console.print(table(verdict))
    if directory is not None:
        console.print(f"Database and logs are kept in {directory}.", markup=False)
    if verdict.is_good and not verdict.expired_seconds:
        console.print("Nothing slept, so nothing was lost. Your own connections: `refresher up`.")
    elif verdict.is_good:
        console.print(
            "Nothing was lost, but some tokens expired before their turn: this machine is too slow "
            "for so many. Try fewer --connections or a longer --lifetime."
        )

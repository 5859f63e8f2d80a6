"""`refresher up`: run it, with nothing to set up.

What it does is in `refresher/devkit/up.py`; here are its options and what it prints.
"""

from __future__ import annotations

import os
import shlex
import sys
from functools import partial
from io import StringIO
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from refresher.cli import dashboard, session
from refresher.cli.output import Json, command, emit
from refresher.devkit.handed_on import ENVIRONMENT_FILE
from refresher.devkit.up import Running, run
from refresher.settings import Settings

app = typer.Typer()


@command(app, "refresher up", "DATABASE_URL=postgresql://localhost/refresher refresher up")
def up(json: Json = False, no_open: dashboard.NoOpen = False) -> None:
    """Run everything in one process: database, scheduler, refreshes, health.

    Without DATABASE_URL an embedded PostgreSQL keeps its data in REFRESHER_DATA_DIRECTORY
    (.refresher), with a development key beside it. With REDIS_URL or RABBITMQ_URL a worker process is
    started too. On a terminal it prints a link that signs in to the dashboard once, and opens it. Stop
    it with Ctrl-C; the next start goes on with the same data.
    """
    inherited = dict(os.environ)
    tell = _tell_as_json if json else partial(_tell, no_open=no_open)
    if run(tell):
        sys.stdout.flush()
        once = [] if "--no-open" in sys.orig_argv else ["--no-open"]  # it is open already
        os.execve(sys.executable, [*sys.orig_argv, *once], inherited)  # noqa: S606  ourselves


def _tell(running: Running, *, no_open: bool = False) -> None:
    """Prints what runs and where, and what to do next."""
    link = _sign_in_link(running)
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for what, where in _what_runs(running).items():
        table.add_row(f"  {what}", where)
    # In one piece: log lines of other threads must not run into it.
    page = StringIO()
    console = Console(
        file=page,
        width=Console(file=sys.stdout).width,
        highlight=False,
        markup=False,
        force_terminal=sys.stdout.isatty(),
    )
    console.print(
        "\nrefresher is up. Ctrl-C stops it; the next `refresher up` goes on from there.\n"
    )
    console.print(table)
    if link is not None:
        console.print("\nThe dashboard; this link signs in once, within ten minutes:\n")
        console.print(f"  {link}", soft_wrap=True)
    console.print("\nNext, in another terminal, in this folder:\n")
    for number, step in enumerate(_next_steps(running), 1):
        console.print(f"  {number}. {step}", soft_wrap=True)
    console.print()
    sys.stdout.write(page.getvalue())
    sys.stdout.flush()
    if link is not None and not no_open:
        dashboard.open_page(link)


def _sign_in_link(running: Running) -> str | None:
    """Returns a link that signs in once, for who reads it on a terminal; None where nobody does."""
    if _dashboard(running) is None or not sys.stdout.isatty():
        return None
    with session.database() as database:
        return dashboard.made(database, running.settings, running.port)


def _dashboard(running: Running) -> str | None:
    """Returns where the dashboard is, None where it is off."""
    is_off = running.settings.dashboard == "off" or not running.port
    return None if is_off else f"{_url(running)}/ui"


def _what_runs(running: Running) -> dict[str, str]:
    foundation = running.foundation
    in_process = foundation.transport == "in_process"
    told = {
        "database": f"embedded PostgreSQL in {_short(foundation.directory / 'postgres')}"
        if foundation.postgres
        else "yours (DATABASE_URL)",
        "scheduler": f"this process, {os.getpid()}"
        + (", which refreshes too (transport in_process)" if in_process else ""),
    }
    if running.worker_pid is not None:
        server = "Redis" if foundation.transport == "redis" else "RabbitMQ"
        pid = running.worker_pid
        told["worker"] = f"python -m refresher.worker, process {pid}, through {server}"
    if (url := _url(running)) is None:
        told["API"] = "not served: PORT is 0"
    else:
        told["API"] = f"{url}, described at {url}/docs; keys: `refresher keys create`"
        told["health"] = f"{url}/health"
    if (page := _dashboard(running)) is not None:
        told["dashboard"] = f"{page}; `refresher dashboard` signs in"
    told["providers"] = f"{_short(foundation.providers_file)}, read again when it changes"
    if foundation.has_development_key:
        told["key"] = (
            f"a development key, {_short(foundation.directory / 'development.key')}: keep it with the "
            "data, and give REFRESHER_ENCRYPTION_KEYS in production"
        )
    return told


def _next_steps(running: Running) -> list[str]:
    file, providers = _short(running.environment_file), _short(running.foundation.providers_file)
    is_found = file == str(Settings.model_fields["data_directory"].default / ENVIRONMENT_FILE)
    return [
        *(
            []
            if is_found
            else [f"set -a; . {shlex.quote(file)}; set +a       # which finds all this"]
        ),
        "refresher connect google       # asks for your OAuth app there, and opens the page",
        f"refresher connections import connections.jsonl       # those you have; apps: {providers}",
    ]


def _tell_as_json(running: Running) -> None:
    foundation = running.foundation
    emit(
        {
            "pid": os.getpid(),
            "database": "embedded" if foundation.postgres else "DATABASE_URL",
            "transport": foundation.transport,
            "worker_pid": running.worker_pid,
            "directory": str(foundation.directory),
            "environment_file": str(running.environment_file),
            "providers_file": str(foundation.providers_file),
            "development_key": foundation.has_development_key,
            "api": _url(running),
            "dashboard": _dashboard(running),
            "health": f"{url}/health" if (url := _url(running)) else None,
        }
    )
    sys.stdout.flush()


def _url(running: Running) -> str | None:
    """Returns where API and health are served, as this machine reaches it."""
    return f"http://127.0.0.1:{running.port}" if running.port else None


def _short(path: Path) -> str:
    """Returns a path as people write it: from here where it lies below."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)

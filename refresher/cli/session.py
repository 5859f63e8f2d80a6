"""What a command runs in: settings, a database or all services, opened and closed; signals held back.

A command asks for no more than it uses: looking needs neither keys nor Redis.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from types import FrameType
from typing import Annotated, TextIO

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from refresher.cli.output import WrongUse, note
from refresher.connections.lifecycle import whoever
from refresher.refresh.on_demand import OnDemand
from refresher.rules.access import Actor
from refresher.runtime import log
from refresher.runtime.services import Services, build, database_from
from refresher.settings import Settings, load
from refresher.store import installation
from refresher.store.migrate import check
from refresher.store.session import Database

SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def actor() -> Actor:
    """Returns who acts, as the audit names them: `cli:ann`."""
    return whoever("cli")


@contextmanager
def database(settings: Settings | None = None) -> Iterator[Database]:
    """Opens the configured database. Tables that are missing are told by the first statement.

    A command keeps no session, so that it works, and leaves nothing behind, whatever pooler is there.
    """
    opened = database_from(settings or load(), sessions_are_ours=False)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def services(settings: Settings | None = None) -> Iterator[Services]:
    """Opens everything but Redis, on a database that is checked to be migrated.

    Only errors are logged, unless REFRESHER_LOG_LEVEL says otherwise: the command tells the rest.
    """
    settings = settings or load()
    quiet = {} if "log_level" in settings.model_fields_set else {"log_level": "error"}
    log.configure(settings.model_copy(update=quiet))
    opened = build(settings)
    try:
        with opened.database.transaction() as db:
            check(db)
            opened.spool.named(installation.name(db))
        opened.restored.watch()
        yield opened
    finally:
        opened.close()


def confirm(question: str, *, to: str, yes: bool) -> None:
    """Asks on the terminal, unless the answer is `yes`; `to` names the deed: "delete"."""
    if yes:
        return
    if not is_terminal():
        raise WrongUse(f"there is no terminal to ask on whether to {to}: give --yes")
    typer.confirm(question, abort=True, err=True)


Moved = Callable[[int, str], None]
"""Takes how far something is, and a text."""


@contextmanager
def progress(total: Callable[[], int | None]) -> Iterator[Moved]:
    """Shows a bar on stderr, if that is a terminal; what is yielded says how far it is, and a text."""
    if not sys.stderr.isatty():
        yield lambda _done, _text: None
        return
    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total())
        yield lambda done, text: bar.update(task, completed=done, description=text)


def is_terminal(stream: TextIO | None = None) -> bool:
    """Whether somebody is there to be asked, or reads `stream`."""
    return (stream or sys.stdin).isatty()


@contextmanager
def signals_held(what: str, on_signal: Callable[[], None]) -> Iterator[None]:
    """Lets the block end before a signal takes effect; a second signal ends the process at once.

    Between a provider's reply and its commit, this process holds the only copy of a rotated token.
    `what` completes the sentence "Stopping when …"; `on_signal` tells the block that it should not take
    longer than it must.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's business
        return
    received: list[int] = []

    def remember(number: int, _frame: FrameType | None) -> None:
        if received:
            os._exit(128 + number)
        received.append(number)
        on_signal()
        note(f"Stopping when {what}; again to stop at once.")

    # What is ignored stays ignored: a command in the background, or under nohup.
    heard = [n for n in SIGNALS if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, remember) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if received:
            signal.raise_signal(received[0])


@contextmanager
def on_demand_held(services: Services) -> Iterator[OnDemand]:
    """Opens refresh on demand for one command: a signal waits for our own refresh alone."""
    on_demand = OnDemand(services, role="command")

    def hurry() -> None:
        services.stopping.set()
        if not on_demand.busy:
            raise KeyboardInterrupt  # another process does the work, and goes on with it

    with signals_held("the refresh has ended", hurry), closing(on_demand):
        yield on_demand

"""What a command runs in: settings and a database, opened and closed; signals held back.

A command asks for no more than it uses: looking needs neither keys nor Redis. What refreshes, sends or
seals opens all services: `working.py`.
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

from refresher.cli.output import WrongUse, note
from refresher.rules.access import Actor
from refresher.runtime.whoever import whoever
from refresher.settings import Settings, load
from refresher.store.plain import PlainDatabase
from refresher.store.session import Database

SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def actor() -> Actor:
    """Returns who acts, as the audit names them: `cli:ann`."""
    return whoever("cli")


@contextmanager
def looking(settings: Settings | None = None) -> Iterator[Database]:
    """Opens the configured database for a command that looks: it starts without SQLAlchemy.

    Tables that are missing are told by the first statement. Neither this nor `database` keeps a
    session, so that a command works, and leaves nothing behind, whatever pooler is there.
    """
    settings = settings or load()
    opened = PlainDatabase(
        settings.database,
        schema=settings.database_schema,
        statement_timeout_seconds=settings.statement_timeout_seconds,
    )
    with closing(opened):
        yield opened


@contextmanager
def database(settings: Settings | None = None) -> Iterator[Database]:
    """Opens the configured database, with a pool, for a command that changes things."""
    from refresher.runtime.parts import database_from  # noqa: PLC0415  to look needs none of it

    opened = database_from(settings or load(), sessions_are_ours=False)
    try:
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

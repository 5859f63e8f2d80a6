"""The command `refresher`: its commands, each of whose modules is imported when it is called.

How every command ends: whatever a person can do wrong is one sentence on stderr and an exit code.
0 well, 1 refused or failed, 2 wrong use or settings, 3 Postgres or Redis away, 4 not migrated, 130
interrupted. Only a bug in refresher leaves a traceback.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from refresher import __version__
from refresher.cli.output import CONTEXT, WrongUse, note
from refresher.errors import DatabaseUnavailable, RefresherError

COMMANDS = {
    "demo": ("demo", "Watch connections being kept fresh against a strict OAuth server."),
    "up": ("up", "Run everything in one process: database, scheduler, refreshes, health."),
    "migrate": ("database", "Create the tables, or bring them up to date."),
    "doctor": (
        "doctor",
        "Check everything that must be right, and say how to mend what is not.",
    ),
    "settings": ("settings", "Show every setting as it counts, and where it comes from."),
    "providers": ("providers", "Look at the catalogue of providers, and at what is paused."),
    "apps": ("apps", "Store our OAuth clients at the providers."),
    "encryption": ("encryption", "Make, change and count keys for sealing tokens."),
    "keys": ("api_keys", "Make, list and revoke API keys."),
    "connect": ("connect", "Connect an account: opens a page, and waits for the consent."),
    "connect sessions": ("connect_sessions", "Look at sessions in which accounts are connected."),
    "connections": ("connections", "Import, export, look at and steer connections."),
    "token": ("token", "Print the stored access token of a connection, and nothing else."),
    "mcp": ("mcp", "Serve an agent over stdio, as an MCP server."),
    "events": ("events", "Show the history of one connection, the newest event last."),
    "inspect": ("inspect", "Show how a connection stands or stood, and its last attempts."),
    "explain": ("explain", "Say why a connection is or is not going to be refreshed."),
    "replay": ("replay", "Run a recorded attempt's decisions again through today's rules."),
    "top": ("top.command", "Watch the work: what is due, late, parked and in flight, and by whom."),
    "dashboard": ("dashboard", "Sign in to the dashboard on this machine, by a link."),
    "answers": ("answers", "Look at answers that we could not read, and read them again."),
    "recipients": ("recipients", "Say who is told by mail, and how."),
    "organizations": ("recipients", "Say what messages need of an organization."),
    "webhooks": ("webhooks", "Tell other systems of events by webhook."),
    "spool": ("spool", "Look at what waits, sealed, since PostgreSQL does not take it."),
    "restore-check": ("database", "Tell whether the database is a restored backup."),
}
"""Each command with the module whose `app` has it, and what `refresher --help` says of it."""
FOUNDERS = {"demo", "up"}
"""Commands that arrange what the others find, and take no settings but the environment's."""
PURPOSES = {
    "Begin and run": ("up", "demo", "migrate", "doctor", "settings", "dashboard"),
    "Accounts": ("connect", "connect sessions", "connections", "token", "mcp"),
    "Look closer": ("top", "inspect", "explain", "events", "replay", "answers"),
    "What it works with": ("providers", "apps", "encryption", "keys"),
    "Tell people and systems": ("recipients", "organizations", "webhooks"),
    "After an accident": ("spool", "restore-check"),
}
"""What `refresher` without arguments puts together."""
MOVED = {"bench": "it is `python -m bench.refreshes` now, in a checkout of the source"}
"""What was a command once, and where it is."""
INTERRUPTED = 130
NOBODY_READS = 1


def build() -> typer.Typer:
    """Returns the whole application; nothing is read or connected yet."""
    app = typer.Typer(
        cls=Commands,
        no_args_is_help=True,
        rich_markup_mode="markdown",
        # A traceback with local variables would show tokens.
        pretty_exceptions_enable=False,
        context_settings=CONTEXT,
    )
    app.callback()(_root)
    return app


def load(name: str) -> Any:
    """Imports a command's module and returns the command, a group with its own."""
    module = import_module(f"refresher.cli.{COMMANDS[name][0]}")
    return typer.main.get_group(module.app).commands[name]


class RootGroup(TyperGroup):
    """A program of ours: it turns exceptions into sentences."""

    def main(  # type: ignore[override]  # Typer's own has more keywords; they pass through
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        *,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Runs the command; ends the process with its code, unless `standalone_mode` is off."""
        if not standalone_mode:
            return super().main(args, prog_name, standalone_mode=False, **extra)
        _forgive_odd_terminals()
        try:
            code = super().main(args, prog_name, standalone_mode=False, **extra)
            sys.stdout.flush()
        except BrokenPipeError:
            code = _nobody_reads()
        except (Exception, KeyboardInterrupt) as error:
            code = _told(error)
            if code is None:
                raise
        sys.exit(code or 0)


class Commands(RootGroup):
    """The outermost command, which knows all others by name."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for purpose, names in PURPOSES.items():
            for name in names:
                told = COMMANDS[name][1]
                self.add_command(TyperCommand(name, help=told, rich_help_panel=purpose))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Returns what is called, its module imported; raises `WrongUse` for what has moved."""
        if args and args[0] in MOVED:
            raise WrongUse(f"there is no command {args[0]} any more: {MOVED[args[0]]}")
        if (both := " ".join(args[:2])) in COMMANDS:
            args = [both, *args[2:]]
        name, found, rest = super().resolve_command(ctx, args)
        if name and name not in FOUNDERS:
            _take_what_up_handed_on()
        return name, load(name) if name else found, rest


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"refresher {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Keep every stored OAuth connection's access token fresh.

    Settings come from the environment, or from `refresher up` in this folder: `refresher settings`
    shows them, `refresher doctor` says what is wrong with them and how to mend it.
    """


def _take_what_up_handed_on() -> None:
    """Has a command that is told of no database work on that of `refresher up` in this folder."""
    from refresher.cli import handed

    handed.take()


def _told(error: BaseException) -> int | None:
    """Says what `error` means and returns the exit code; None when it is a bug."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, typer.Abort):
        note("refresher: stopped; nothing was changed")
        return 1
    if isinstance(error, RefresherError):
        for sentence in str(error).splitlines():
            note(f"refresher: {sentence}{_advice(error)}")
        return error.exit_code
    if hasattr(error, "format_message"):
        return _usage_told(error)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        note(f"refresher: {where}{error.strerror or error}")
        return 1
    return _database_refusal_told(error)


def _advice(error: RefresherError) -> str:
    """Returns what to do about a database that cannot be reached."""
    if not isinstance(error, DatabaseUnavailable) or " cannot be used: " not in str(error):
        return ""
    from refresher.cli import handed
    from refresher.insight.doctor.postgres import reach

    if (file := handed.origin("DATABASE_URL")) is not None:
        return (
            f"; {file} names it: start `refresher up` (or wait until it has), or set DATABASE_URL"
        )
    return f"; {reach(str(error))}"


def _usage_told(error: BaseException) -> int:
    """Tells a wrong use of the command line (an exception of Typer's parser)."""
    message = error.format_message()  # type: ignore[attr-defined]
    if type(error).__name__ != "NoArgsIsHelpError":  # that one has printed the help already
        context = getattr(error, "ctx", None)
        command = getattr(context, "command_path", "refresher")
        sentence = " ".join(str(message).replace("Value error, ", "").split()).rstrip(".")
        hint = _setting_of(str(getattr(error, "option_name", "")))
        note(f"refresher: {sentence[:1].lower()}{sentence[1:]}{hint}; see `{command} --help`")
    return int(getattr(error, "exit_code", 2))


def _setting_of(option: str) -> str:
    """Returns the variable that sets what somebody took for an option, such as `--port`."""
    from refresher.settings import Settings, variable

    field = option.lstrip("-").replace("-", "_")
    if field not in Settings.model_fields:
        return ""
    name = variable(field)
    return f"; {name} in the environment sets it, such as `{name}=… refresher up`"


def _database_refusal_told(error: BaseException) -> int | None:
    from refresher.store.refusals import refusal

    sentence = refusal(error)
    if sentence:
        note(f"refresher: {sentence}")
    return 1 if sentence else None


def _nobody_reads() -> int:
    # The interpreter flushes stdout at its end: give it somewhere to go.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return NOBODY_READS


def _forgive_odd_terminals() -> None:
    """Lets a terminal without UTF-8 show a number for a character it lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="backslashreplace")

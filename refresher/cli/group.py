"""How every command ends: whatever a person can do wrong is one sentence on stderr and an exit code.

0 well, 1 refused or failed, 2 wrong use or settings, 3 Postgres or Redis away, 4 not migrated, 130
interrupted. Only a bug in refresher leaves a traceback.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from refresher.cli.output import note
from refresher.cli.refusal import WrongUse
from refresher.errors import DatabaseUnavailable, RefresherError

INTERRUPTED = 130
NOBODY_READS = 1
MOVED = {"bench": "it is `python -m bench.refreshes` now, in a checkout of the source"}
"""What was a command once, and where it is."""


class RootGroup(TyperGroup):
    """The outermost command, which turns exceptions into sentences."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Finds the command; raises `WrongUse`, which tells its place, for one that has moved."""
        if args and args[0] in MOVED:
            raise WrongUse(f"there is no command {args[0]} any more: {MOVED[args[0]]}")
        return super().resolve_command(ctx, args)

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
    from refresher.cli.doctor.postgres import reach

    return f"; {reach(str(error))}"


def _usage_told(error: BaseException) -> int:
    """Tells a wrong use of the command line (an exception of Typer's parser)."""
    message = error.format_message()  # type: ignore[attr-defined]
    if type(error).__name__ != "NoArgsIsHelpError":  # that one has printed the help already
        context = getattr(error, "ctx", None)
        command = getattr(context, "command_path", "refresher")
        hint = _setting_of(str(getattr(error, "option_name", "")))
        sentence = " ".join(str(message).replace("Value error, ", "").split()).rstrip(".")
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
    from refresher.store.inspection import refusal

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

"""`refresher connections export`: connections as JSON Lines that another installation imports.

What a line has: `rules/export_format.py`; which tokens leave, and when: `connections/exporting.py`. The
file is written beside its name, and has it when it is whole.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO
from uuid import UUID

import typer

from refresher.cli import receiving, session
from refresher.cli.arguments import HealthWord, check_names, printable
from refresher.cli.export_file import STDOUT, opened
from refresher.cli.output import Json, WrongUse, command, done, note
from refresher.cli.progress import Moved, progress
from refresher.connections import exporting
from refresher.connections.exporting import Export
from refresher.errors import SettingsError
from refresher.rules.export_format import Tokens
from refresher.rules.words import many, span
from refresher.runtime.cipher import cipher_from
from refresher.runtime.receiving_key import PublicKey, public_key
from refresher.settings import load
from refresher.store import exporting as rows
from refresher.store.exporting import Which
from refresher.store.session import Database

MOST_SHOWN = 20
SENTENCE = "write my tokens in the clear"
Organization = Annotated[str | None, typer.Option(help="Only this organization's.")]
ProviderName = Annotated[str | None, typer.Option("--provider", help="Only this provider's.")]
Out = Annotated[str, typer.Option(metavar="FILE|-", help="A new file, or - for stdout.")]
SealTo = Annotated[
    str | None,
    typer.Option(metavar="KEY|FILE", help="With tokens, sealed to the receiver's public key."),
]
ClearTokens = Annotated[
    bool, typer.Option("--clear-tokens", help="With tokens that whoever has the file can use.")
]
Sure = Annotated[
    bool, typer.Option("--yes-i-want-tokens-in-the-clear", help="Do not ask for the sentence.")
]
Pause = Annotated[bool, typer.Option("--pause", help="Pause each connection first: it moves out.")]

app = typer.Typer()


@command(
    app,
    "refresher connections export --out connections.jsonl",
    "refresher connections export --pause --seal-to receiver.pub --out moving.jsonl",
    "refresher connections export --provider google --out - | jq -r .external_id",
)
def export(
    out: Out,
    organization: Organization = None,
    provider: ProviderName = None,
    health: HealthWord = None,
    seal_to: SealTo = None,
    clear_tokens: ClearTokens = False,
    sure: Sure = False,
    pause: Pause = False,
    yes: session.Yes = False,
    json: Json = False,
) -> None:
    """Export connections as JSON Lines, without tokens unless you say which.

    Another installation imports the file: `refresher connections import FILE`. An exported connection
    goes on being refreshed here, and two installations that refresh one grant spend its refresh token
    twice: who moves gives --pause, which the import does not take over; `resume-exported` ends it here.
    """
    which = Which(printable(organization), printable(provider), health)
    key = _key(seal_to)
    tokens = _tokens(key, clear_tokens=clear_tokens)
    _check(out, tokens, which, pause=pause, json=json)
    if tokens is Tokens.CLEAR:
        _ask_for_sentence(sure=sure)
    settings = load()
    started = time.monotonic()
    cipher = None if tokens is Tokens.NONE else cipher_from(settings)
    with session.database(settings) as database, opened(out) as file:
        made = Export(database, cipher, which, tokens, _Told().tell, key, paused=pause)
        if pause:
            _pause(database, which, yes=yes)
        _write(made, file)
    _summarize(made, out, time.monotonic() - started, json=json)
    if made.left_out:
        raise typer.Exit(1)


def _write(made: Export, file: BinaryIO) -> None:
    """Writes all lines; who exports how many is written down before the first, and behind the last."""
    exporting.note_begin(made, session.actor())
    with _counting(made) as moved:
        for number, line in enumerate(made.lines()):
            file.write(line)
            if number % rows.PAGE == 0:
                moved(number, f"{number:,} written")
    exporting.note_end(made, session.actor())
    _say_none(made)


@command(
    app,
    "refresher connections resume-exported",
    "refresher connections resume-exported --provider google",
)
def resume_exported(
    organization: Organization = None,
    provider: ProviderName = None,
    yes: session.Yes = False,
    json: Json = False,
) -> None:
    """Resume what `export --pause` has paused, where the move is off.

    Only while nothing was refreshed where the export was imported: else the refresh tokens here are
    spent. What people had paused before stays paused.
    """
    which = Which(printable(organization), printable(provider))
    question = "Has nothing been refreshed where the export was imported?"
    session.confirm(question, to="resume", yes=yes)
    number = 0
    with session.database() as database, progress(lambda: None) as moved:
        for number in exporting.unpause(database, which):
            moved(number, f"{number:,} resumed")
    done({"resumed": number}, f"{many(number, 'connection')} resumed.", json=json)


def _key(given: str | None) -> PublicKey | None:
    if given is None:
        return None
    is_text = given.startswith("refresher-")
    try:
        return public_key(given if is_text else receiving.text_of(Path(given)))
    except SettingsError as error:
        raise WrongUse(f"--seal-to: {error}") from None


def _tokens(key: PublicKey | None, *, clear_tokens: bool) -> Tokens:
    if key is not None and clear_tokens:
        raise WrongUse("--seal-to and --clear-tokens exclude each other")
    if key is not None:
        return Tokens.SEALED
    return Tokens.CLEAR if clear_tokens else Tokens.NONE


def _check(out: str, tokens: Tokens, which: Which, *, pause: bool, json: bool) -> None:
    """Raises `WrongUse` for what does not go together."""
    if out == STDOUT and tokens is Tokens.CLEAR:
        raise WrongUse("tokens in the clear go into a new file alone, never to stdout: name it")
    if out == STDOUT and json:
        raise WrongUse("--json says on stdout what was done, where --out - puts the lines")
    if pause and tokens is Tokens.NONE:
        raise WrongUse("--pause is for connections that move: give --seal-to as well")
    if pause and which.health:
        raise WrongUse("--pause changes how connections stand, so it goes without --health")


def _ask_for_sentence(*, sure: bool) -> None:
    note(
        "Whoever gets the file can use every account in it, until each grant is revoked. --seal-to "
        "makes a file that only its receiver can use."
    )
    if sure:
        return
    if not session.is_terminal():
        raise WrongUse("there is no terminal to ask on: give --yes-i-want-tokens-in-the-clear")
    if typer.prompt(f"Type: {SENTENCE}", err=True).strip().casefold() != SENTENCE:
        raise WrongUse("that is not the sentence: nothing was written")


def _pause(database: Database, which: Which, *, yes: bool) -> None:
    session.confirm("Pause them all here, and export them?", to="pause", yes=yes)
    with progress(lambda: None) as moved:
        for number in exporting.pause(database, which):
            moved(number, f"{number:,} paused; waiting for refreshes under way")


@contextmanager
def _counting(made: Export) -> Iterator[Moved]:
    def total() -> int:
        with made.database.transaction() as db:
            return rows.count(db, made.which)

    with progress(total) as moved:
        yield moved


class _Told:
    """Says why connections are left out, of the first ones."""

    def __init__(self) -> None:
        self._number = 0

    def tell(self, connection_id: UUID, reason: str) -> None:
        """Says it."""
        self._number += 1
        if self._number <= MOST_SHOWN:
            note(f"Left out: {connection_id}: {reason}.")
        elif self._number == MOST_SHOWN + 1:
            note("… and more.")


def _say_none(made: Export) -> None:
    whose, provider = made.which.organization_id, made.which.provider
    if not made.written and not made.left_out:
        meant = check_names(made.database, organization=whose, provider=provider)
        note(f"There is no such connection{meant or ''}.")


def _summarize(made: Export, out: str, seconds: float, *, json: bool) -> None:
    told = {
        "exported": made.written,
        "left_out": made.left_out,
        "tokens": made.tokens,
        "sealed_to": made.key.id if made.key else None,
        "paused": made.paused,
        "seconds": round(seconds, 3),
    }
    sentence = f"{many(made.written, 'connection')} exported in {span(seconds)}, {made.told}"
    if out == STDOUT:
        note(f"{sentence}.")
    else:
        done(told, f"{sentence}: {out} (mode 0600).", json=json)
    if made.left_out:
        note(f"Left out: {made.left_out:,}.")
    if made.set_aside and made.tokens is not Tokens.NONE:
        pairs = many(made.set_aside, "token pair")
        note(f"{pairs} that came too late lie aside here, and are in no line.")
    if made.unread:
        whose = many(made.unread, "connection")
        note(
            f"{whose} with an answer that nobody could read, here alone: `refresher answers list`."
        )
    if made.paused:
        note("They are paused here until `refresher connections resume-exported`.")

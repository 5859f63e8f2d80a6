"""`refresher encryption`: keys for sealing tokens at rest, what each has sealed, sealing it anew."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from refresher.cli import receiving, session
from refresher.cli.output import CannotDo, Json, command, done, emit, note, table
from refresher.cli.progress import progress
from refresher.connections.key_rotation import KeyRotation
from refresher.connections.key_rotation import rotate as run
from refresher.insight.doctor.setup import running
from refresher.rules.installation import Agreement, compare
from refresher.rules.words import many, span
from refresher.runtime import cipher as ciphers
from refresher.runtime.cipher import Cipher, cipher_from
from refresher.runtime.receiving_key import ReceivingKey
from refresher.settings import load
from refresher.store import audit
from refresher.store.sealed import SEALED, KeyUse, count_rows, key_uses
from refresher.store.session import Database

MOST_SHOWN = 20
SEALS, OPENS, LOST = "seals", "opens", "missing"

app = typer.Typer()
group = typer.Typer(help="Make, change and count keys for sealing tokens.", no_args_is_help=True)
app.add_typer(group, name="encryption")


@command(
    group,
    "refresher encryption new-key",
    "export REFRESHER_ENCRYPTION_KEYS=$(refresher encryption new-key)",
)
def new_key(json: Json = False) -> None:
    """Print a new random key (32 bytes, base64) on stdout, and nothing else there."""
    key = ciphers.new_key()
    done({"key": key, "id": ciphers.key_id(ciphers.parse_key(key)).hex()}, key, json=json)
    note(
        "Set REFRESHER_ENCRYPTION_KEYS to it for every process, and keep a copy where secrets are "
        "kept: without it no stored token can be read again. To change keys, put the new one first "
        "and the old one behind it, with a comma between."
    )


@command(
    group,
    "refresher encryption new-receiving-key --out receiver.key > receiver.pub",
)
def new_receiving_key(
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="A new file for the private key, mode 0600.")
    ],
    json: Json = False,
) -> None:
    """Make a pair of keys to receive an export with; the public one is printed.

    Who exports seals to the public key, `connections export --seal-to`; who imports opens with the
    private one, `connections import --key-file`. Neither has to do with the keys at rest.
    """
    key = ReceivingKey.new()
    receiving.write(out, key)
    public = key.public
    done({"public_key": public.text, "id": public.id, "file": str(out)}, public.text, json=json)
    note(f"The private key is in {out} (mode 0600): it stays here, and goes when the move is done.")


@command(
    group, "refresher encryption rotate", "refresher encryption rotate --json | jq .unopenable"
)
def rotate(
    force: Annotated[
        bool, typer.Option("--force", help="Also to a key with which no running process seals.")
    ] = False,
    json: Json = False,
) -> None:
    """Seal every stored secret with the first key, while everything goes on running.

    Give every process the new key first, in front of the old one, and deploy; then run this; then
    take the old key away. Stop it at any time and run it again. What no key opens is left as it is,
    counted, and told on stderr. Refused while a process that runs seals with another key.
    """
    settings = load()
    cipher = cipher_from(settings)
    started = time.monotonic()
    with session.database(settings) as opened:
        if not force:
            _refuse_other_keys(opened, cipher)
        result: KeyRotation | None = None
        with progress(lambda: _rows(opened)) as moved:
            for result in run(opened, cipher):
                resealed = f"{result.resealed:,} sealed anew"
                moved(result.rows, f"{result.rows:,} rows of pass {result.passes}, {resealed}")
        with opened.transaction() as db:
            audit.note(db, session.actor(), "encryption_rotated")
            uses = key_uses(db)
    _tell(result, cipher, uses, time.monotonic() - started, json=json)
    if result is not None and not result.complete:
        raise typer.Exit(1)


def _refuse_other_keys(opened: Database, cipher: Cipher) -> None:
    """Refuses a key that a running process does not know, and one that it has put behind another."""
    ours = cipher.key_ids
    for process in running(opened):
        theirs = process.runs_with.keys
        if compare(theirs, ours) is Agreement.SAME:
            continue
        who = f"the {process.role} on {process.host} (process {process.process_id})"
        seals = f"{who} runs with key {theirs[0]}, this terminal with {ours[0]}"
        if ours[0] not in theirs:
            raise CannotDo(
                f"{seals}, which that does not know: it could open nothing any more. Give every "
                f"process {ours[0]} in front of {theirs[0]} first; --force does it all the same"
            )
        raise CannotDo(
            f"{seals}: if {ours[0]} is the new one, put it first there too; if it is the old one, "
            f"put {theirs[0]} first here; --force does it all the same"
        )


@command(group, "refresher encryption status", "refresher encryption status --json | jq .unneeded")
def status(json: Json = False) -> None:
    """Show how many stored secrets each key has sealed, and whether we hold it.

    A key that no line names is needed by nothing stored, and can be taken away.
    """
    settings = load()
    cipher = cipher_from(settings)
    with session.database(settings) as opened, opened.transaction() as db:
        uses = key_uses(db)
    if json:
        emit(
            {
                "keys": cipher.key_ids,
                "unneeded": unneeded(cipher, uses),
                "values": _lines(cipher, uses),
            }
        )
        return
    table(
        ["table", "column", "key", "values", "the key"],
        [tuple(line.values()) for line in _lines(cipher, uses)],
    )
    _advise(cipher, uses)


def unneeded(cipher: Cipher, uses: list[KeyUse]) -> list[str]:
    """Returns the ids of the keys behind the first that have sealed nothing that is stored."""
    used = {use.key_id for use in uses}
    return [key for key in cipher.key_ids[1:] if key not in used]


def _lines(cipher: Cipher, uses: list[KeyUse]) -> list[dict[str, object]]:
    def role(key: str) -> str:
        if key == cipher.key_ids[0]:
            return SEALS
        return OPENS if key in cipher.key_ids else LOST

    return [
        {
            "table": use.table,
            "column": use.column,
            "key_id": use.key_id,
            "values": use.values,
            "role": role(use.key_id),
        }
        for use in uses
    ]


def _advise(cipher: Cipher, uses: list[KeyUse]) -> None:
    older = sum(use.values for use in uses if use.key_id in cipher.key_ids[1:])
    lost = sum(use.values for use in uses if use.key_id not in cipher.key_ids)
    if older:
        note(f"With an older key: {older:,}; `refresher encryption rotate` seals them anew.")
    if lost:
        note(f"With a key that is not here: {lost:,}; put it behind the first one.")
    for key in unneeded(cipher, uses):
        note(f"Key {key} is needed by nothing that is stored: take it away everywhere.")


def _tell(
    result: KeyRotation | None, cipher: Cipher, uses: list[KeyUse], seconds: float, *, json: bool
) -> None:
    broken = result.unopenable if result else {}
    if json:
        emit(
            {
                "resealed": result.resealed if result else 0,
                "passes": result.passes if result else 0,
                "complete": result.complete if result else True,
                "unopenable": [{"table": t, "id": str(i)} for t, i in broken],
                "unneeded": unneeded(cipher, uses),
                "seconds": round(seconds, 3),
            }
        )
    else:
        resealed = result.resealed if result else 0
        rows = many(resealed, "row")
        typer.echo(f"{rows} sealed with key {cipher.key_ids[0]} in {span(seconds)}.")
    for reason in list(broken.values())[:MOST_SHOWN]:
        note(f"Left as it is: {reason}.")
    if len(broken) > MOST_SHOWN:
        note(f"… and {len(broken) - MOST_SHOWN:,} more that no key opens; --json lists them.")
    if result is not None and not result.complete:
        note(
            f"{result.changed_meanwhile:,} rows are being sealed with an older key: give every "
            "process the new key first, then run this again."
        )
    if not json:
        _advise(cipher, uses)


def _rows(opened: Database) -> int | None:
    with opened.transaction() as db:
        return sum(count_rows(db, one) for one in SEALED) or None

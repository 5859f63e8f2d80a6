"""`refresher encryption`: keys for sealing tokens at rest, and changing them (`rotating.py`)."""

from __future__ import annotations

import typer

from refresher.cli import rotating
from refresher.cli.output import CONTEXT, Json, emit, examples, note
from refresher.runtime import cipher


def register(app: typer.Typer) -> None:
    """Adds `encryption` with its commands."""
    group = typer.Typer(
        help="Make, change and count keys for sealing tokens.", no_args_is_help=True
    )
    epilog = examples(
        "refresher encryption new-key",
        "export REFRESHER_ENCRYPTION_KEYS=$(refresher encryption new-key)",
    )
    group.command("new-key", epilog=epilog)(new_key)
    group.command(
        "rotate",
        epilog=examples(
            "refresher encryption rotate", "refresher encryption rotate --json | jq .unopenable"
        ),
    )(rotating.rotate)
    group.command(
        "status",
        epilog=examples(
            "refresher encryption status", "refresher encryption status --json | jq .unneeded"
        ),
    )(rotating.status)
    app.add_typer(group, name="encryption", context_settings=CONTEXT)


def new_key(json: Json = False) -> None:
    """Print a new random key (32 bytes, base64) on stdout, and nothing else there."""
    key = cipher.new_key()
    if json:
        emit({"key": key, "id": cipher.key_id(cipher.parse_key(key)).hex()})
    else:
        typer.echo(key)
    note(
        "Set REFRESHER_ENCRYPTION_KEYS to it for every process, and keep a copy where secrets are "
        "kept: without it no stored token can be read again. To change keys, put the new one first "
        "and the old one behind it, with a comma between."
    )

"""`refresher token`: the only command that prints a secret."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from refresher.cli import opening
from refresher.cli.finding import Id, find
from refresher.cli.output import Json, emit, examples, note, span
from refresher.cli.refusal import Refused

if TYPE_CHECKING:
    from refresher.rules.connection import Secret
    from refresher.store.connections import StoredToken


def register(app: typer.Typer) -> None:
    """Adds `token`."""
    epilog = examples(
        "refresher token 7b0d2a4e",
        'curl -H "Authorization: Bearer $(refresher token 7b0d2a4e)" https://api.example.com/me',
    )
    app.command("token", epilog=epilog)(token)


def token(
    connection: Id,
    even_expired: Annotated[
        bool, typer.Option("--even-expired", help="Print a dead one too.")
    ] = False,
    json: Json = False,
) -> None:
    """Print the stored access token of a connection, and nothing else, on stdout.

    Nothing is refreshed by this. Where the token has expired, the exit code is 1 and stderr says so.
    """
    from refresher.store import connections
    from refresher.wiring import cipher_from

    settings = opening.read_settings()
    cipher = cipher_from(settings)
    with opening.database(settings) as database:
        found = find(database, connection)
        with database.transaction() as db:
            stored = connections.stored_token(db, found)
    if stored is None:
        raise Refused(f"{found} is deleted: importing it again brings it back")
    if stored.access_token is None:
        raise Refused(
            f"{found} has no access token yet; `refresher connections show {found}` says why"
        )
    if not even_expired:
        _refuse_expired(stored)
    _print(cipher.open(stored.access_token, stored.owner_id, "access_token"), stored, json=json)


def _refuse_expired(stored: StoredToken) -> None:
    if stored.left_seconds is None or stored.left_seconds > 0:
        return
    mend = f"`refresher connections refresh {stored.owner_id}` fetches a fresh one"
    if stored.status == "reconnect_required":
        mend = "the provider ended the grant, so the account must be connected again"
    raise Refused(f"the access token expired {span(-stored.left_seconds)} ago: {mend}")


def _print(opened: Secret, stored: StoredToken, *, json: bool) -> None:
    if _is_terminal():
        note("This is a secret: whoever has it can act for the account until it expires.")
    if json:
        emit({"access_token": opened.reveal(), "expires_at": stored.expires_at})
    else:
        typer.echo(opened.reveal())


def _is_terminal() -> bool:
    return sys.stdout.isatty()

"""`refresher apps`: our OAuth clients at the providers. A secret is never an argument.

Arguments stand in the process list and in the shell's history; so a secret comes from a hidden prompt,
from stdin, or from an environment variable.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from refresher.cli import opening
from refresher.cli.output import CONTEXT, Json, distance, emit, examples, note, table
from refresher.cli.refusal import WrongUse
from refresher.rules.connection import Secret

MOST_CHARACTERS = 4_096
SECRET_WAYS = "--secret-stdin, --secret-env VARIABLE or --no-secret"


def register(app: typer.Typer) -> None:
    """Adds `apps` with its commands."""
    group = typer.Typer(help="Store our OAuth clients at the providers.", no_args_is_help=True)
    epilog = examples(
        "refresher apps set google --client-id 123.apps.googleusercontent.com",
        "refresher apps set acme --client-id abc --secret-env ACME_SECRET",
        "pass show acme | refresher apps set acme --name eu --client-id abc --secret-stdin",
    )
    group.command("set", epilog=epilog)(set_)
    group.command("list", epilog=examples("refresher apps list"))(list_)
    app.add_typer(group, name="apps", context_settings=CONTEXT)


def set_(
    provider: Annotated[str, typer.Argument(help="The provider, such as google.")],
    client_id: Annotated[str, typer.Option(help="The client id that the provider gave.")],
    name: Annotated[
        str, typer.Option(help="Where you have several apps at one provider.")
    ] = "default",
    secret_stdin: Annotated[
        bool, typer.Option("--secret-stdin", help="Read it from stdin.")
    ] = False,
    secret_env: Annotated[str | None, typer.Option(help="Read it from this variable.")] = None,
    no_secret: Annotated[
        bool, typer.Option("--no-secret", help="A public client has none.")
    ] = False,
    json: Json = False,
) -> None:
    """Store an app: its client id, and its client secret sealed.

    Asks for the secret, unless an option says where it is. Connections that waited for this app, or
    for its right secret, go on at once.
    """
    from refresher.apps import store_app
    from refresher.catalogue import AppEntry
    from refresher.wiring import catalogue_from, cipher_from

    settings = opening.read_settings()
    catalogue, cipher = catalogue_from(settings), cipher_from(settings)
    catalogue[provider]
    client_id, name = _checked("--client-id", client_id), _checked("--name", name)
    secret = _secret(stdin=secret_stdin, variable=secret_env, none=no_secret)
    app = AppEntry(provider, client_id, secret, name)
    with opening.database(settings) as database:
        changed = store_app(database, cipher, app)
    if json:
        emit({"provider": provider, "name": name, "client_id": client_id, "changed": changed})
    else:
        how = "is stored" if changed else "was stored like that already"
        typer.echo(f"{provider}/{name} {how}.")
    if (provider, name) in {(entry.provider, entry.name) for entry in catalogue.apps}:
        note("The providers file has this app too, and wins when the scheduler starts.")


def list_(json: Json = False) -> None:
    """List the stored apps, never their secrets, and which of them a provider refuses."""
    from refresher.store import apps

    with opening.database() as database, database.transaction() as db:
        found = apps.every(db)
    if json:
        for app in found:
            emit(app)
        return
    columns = ["app", "client id", "secret", "paused until", "because", "updated"]
    table(
        columns,
        [
            (f"{a.provider}/{a.name}", a.client_id, "sealed" if a.has_secret else "none",
             a.paused_until, a.pause_reason, distance(a.updated_at))
            for a in found
        ],
    )  # fmt: skip
    if not found:
        note("No app is stored yet: `refresher apps set PROVIDER --client-id YOUR_CLIENT_ID`.")


def _secret(*, stdin: bool, variable: str | None, none: bool) -> Secret | None:
    if stdin + (variable is not None) + none > 1:
        raise WrongUse(f"give one of {SECRET_WAYS}, not several")
    if none:
        return None
    return Secret(_secret_text(stdin=stdin, variable=variable))


def _secret_text(*, stdin: bool, variable: str | None) -> str:
    if variable is not None:
        # Its name is not repeated: somebody may have given the secret itself.
        return _checked("the variable that --secret-env names", os.environ.get(variable, ""))
    if stdin:
        return _checked("the secret on stdin", sys.stdin.read(MOST_CHARACTERS + 2).rstrip("\r\n"))
    if not _is_terminal():
        raise WrongUse(f"there is no terminal to ask for the client secret on: give {SECRET_WAYS}")
    return _checked("the secret", str(typer.prompt("Client secret", hide_input=True, err=True)))


def _checked(what: str, text: str) -> str:
    """Returns `text` without the spaces around it, or refuses it without repeating it."""
    text = text.strip()
    if not text:
        raise WrongUse(f"{what} is empty, or not set")
    if len(text) > MOST_CHARACTERS:
        raise WrongUse(f"{what} is longer than {MOST_CHARACTERS:,} characters")
    if not text.isascii() or not text.isprintable():
        raise WrongUse(f"{what} contains characters that no client id, name or secret may have")
    return text


def _is_terminal() -> bool:
    return sys.stdin.isatty()

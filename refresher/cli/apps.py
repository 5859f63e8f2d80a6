"""`refresher apps`: our OAuth clients at the providers. A secret is never an argument.

Arguments stand in the process list and in the shell's history; so a secret comes from a hidden prompt,
from stdin, or from an environment variable.
"""

from __future__ import annotations

import os
import sys
from dataclasses import asdict, replace
from typing import Annotated

import typer

from refresher.catalogue import AppEntry, checked_app
from refresher.cli import app_material as material
from refresher.cli import session
from refresher.cli.output import Json, WrongUse, command, distance, done, listing, note
from refresher.connections.oauth_apps import end_rotation, rotate_secret, store_app
from refresher.errors import CatalogueError, NoSuchApp
from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Secret
from refresher.runtime.cipher import cipher_from
from refresher.runtime.parts import catalogue_from
from refresher.settings import Settings, load
from refresher.store import audit, oauth_apps
from refresher.store.audit import AuditEntry

COLUMNS = ["app", "client id", "secret", "besides", "from", "paused until", "because", "updated"]
SECRET_WAYS = "--secret-stdin, --secret-env VARIABLE or --no-secret"


app = typer.Typer()
group = typer.Typer(help="Store our OAuth clients at the providers.", no_args_is_help=True)
app.add_typer(group, name="apps")


@command(
    group,
    "refresher apps set google --client-id 123.apps.googleusercontent.com",
    "refresher apps set acme --client-id abc --secret-env ACME_SECRET",
    "pass show acme | refresher apps set acme --name eu --client-id abc --secret-stdin",
    name="set",
)
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
    previous_secret_env: material.PreviousSecretEnv = None,
    private_key_file: material.PrivateKeyFile = None,
    key_id: material.KeyId = None,
    certificate_file: material.CertificateFile = None,
    certificate_key_file: material.CertificateKeyFile = None,
    placeholder: material.Placeholders = None,
    placeholder_env: material.PlaceholdersEnv = None,
    json: Json = False,
) -> None:
    """Store an app as a whole: its client id, its client secret sealed, and its keys.

    Asks for the secret, unless an option says where it is. Connections that waited for this app, or
    for its right secret, go on at once.
    """
    client = ClientCredentials(
        material.checked("--client-id", client_id),
        _secret(stdin=secret_stdin, variable=secret_env, none=no_secret),
        previous_client_secret=material.from_variable("previous-secret-env", previous_secret_env),
        private_key=material.from_file("private-key-file", private_key_file),
        key_id=key_id,
        certificate=material.text_of("certificate-file", certificate_file),
        certificate_key=material.from_file("certificate-key-file", certificate_key_file),
        placeholders=material.values(placeholder, placeholder_env),
    )
    _store(AppEntry(provider, client, material.checked("--name", name)), json=json)


def _store(app: AppEntry, *, json: bool) -> None:
    """Stores an app once it is found good, and tells what came of it."""
    settings = load()
    catalogue, cipher = catalogue_from(settings), cipher_from(settings)
    app = replace(app, client=checked_app(app.client, catalogue[app.provider]))
    with session.database(settings) as database:
        changed = store_app(database, cipher, app, session.actor())
    how = "is stored" if changed else "was stored like that already"
    known = {"provider": app.provider, "name": app.name, "client_id": app.client.client_id}
    done({**known, "changed": changed}, f"{app.key} {how}.", json=json)
    if app.key in {entry.key for entry in catalogue.apps}:
        note("The providers file has this app too, and wins when the scheduler starts.")


@command(
    group,
    "refresher apps rotate-secret acme",
    "refresher apps rotate-secret acme --secret-env NEW_SECRET",
    "refresher apps rotate-secret acme --end",
    name="rotate-secret",
)
def rotate(
    provider: Annotated[str, typer.Argument(help="The provider, such as google.")],
    name: Annotated[str, typer.Option(help="Which of several apps there.")] = "default",
    secret_stdin: Annotated[
        bool, typer.Option("--secret-stdin", help="Read it from stdin.")
    ] = False,
    secret_env: Annotated[str | None, typer.Option(help="Read it from this variable.")] = None,
    end: Annotated[
        bool, typer.Option("--end", help="Forget the secret before: the provider takes it no more.")
    ] = False,
    json: Json = False,
) -> None:
    """Store a new client secret, and keep the one before until the provider takes it no more.

    Whichever of the two is refused, the other is tried before that counts: nothing stops, whether the
    provider changes sooner or later than you do.
    """
    if end and (secret_stdin or secret_env):
        raise WrongUse("--end takes no secret: it forgets the one before")
    settings = load()
    cipher = cipher_from(settings)
    secret = None if end else _secret(stdin=secret_stdin, variable=secret_env, none=False)
    with session.database(settings) as database:
        if secret is None:
            changed = end_rotation(database, cipher, provider, name, session.actor())
        else:
            changed = rotate_secret(database, cipher, provider, name, secret, session.actor())
    done(
        {"provider": provider, "name": name, "changed": changed, "two_secrets": not end},
        _told(f"{provider}/{name}", end=end, changed=changed),
        json=json,
    )
    if (provider, name) in _of_file(settings):
        note("The providers file has this app too, and wins when the scheduler starts.")


def _told(key: str, *, end: bool, changed: bool) -> str:
    if end:
        return f"{key} has one secret again." if changed else f"{key} had one secret already."
    if not changed:
        return f"{key} has this secret already."
    return f"{key} has a new secret, and the one before until `apps rotate-secret --end`."


@command(group, "refresher apps list", name="list")
def list_(json: Json = False) -> None:
    """List the stored apps, never their secrets, and which of them a provider refuses.

    An app comes from the providers file, which wins when the scheduler starts, or was stored by hand.
    """
    settings = load()
    with session.database(settings) as database, database.transaction() as db:
        found = oauth_apps.every(db)
    of_file = _of_file(settings)
    keys = [(a.provider, a.name) for a in found]
    origins = {key: "file" if key in of_file else "stored" for key in keys}
    listing(
        found,
        COLUMNS,
        lambda a: [
            f"{a.provider}/{a.name}",
            a.client_id,
            "sealed" if a.has_secret else "none",
            a.material,
            origins[a.provider, a.name],
            a.paused_until,
            a.pause_reason,
            distance(a.updated_at),
        ],
        json=json,
        spare=("updated", "besides", "secret"),
        none="No app is stored yet: `refresher apps set PROVIDER --client-id YOUR_CLIENT_ID`.",
        described=lambda a: {**asdict(a), "origin": origins[a.provider, a.name]},
    )


@command(group, "refresher apps delete acme --name eu", "refresher apps delete acme --yes")
def delete(
    provider: Annotated[str, typer.Argument(help="The provider, such as google.")],
    name: Annotated[str, typer.Option(help="Which of several apps there.")] = "default",
    yes: session.Yes = False,
    json: Json = False,
) -> None:
    """Delete a stored app. Its connections keep their tokens, and wait until it is stored again."""
    settings = load()
    key = f"{provider}/{name}"
    with session.database(settings) as database:
        with database.transaction() as db:
            known = oauth_apps.names(db)
            users = oauth_apps.used_by(db, provider, name)
        if (provider, name) not in known:
            raise NoSuchApp(provider, name, known)
        question = f"Delete {key} (connections that use it: {users:,})?"
        session.confirm(question, to="delete", yes=yes)
        with database.transaction() as db:
            oauth_apps.delete(db, provider, name)
            audit.append(
                db, [AuditEntry(session.actor().id, "app_deleted", None, subject=f"app:{key}")]
            )
    done(
        {"provider": provider, "name": name, "deleted": True, "connections": users},
        f"{key} is deleted; connections that wait for it from now on: {users:,}.",
        json=json,
    )
    if (provider, name) in _of_file(settings):
        note("The providers file has this app: the scheduler stores it again when it starts.")


def _of_file(settings: Settings) -> set[tuple[str, str]]:
    """Returns the apps that the providers file has; none where it cannot be read."""
    try:
        catalogue = catalogue_from(settings)
    except CatalogueError:
        return set()
    unusable = {one.app for one in catalogue.unusable if one.app is not None}
    return {(app.provider, app.name) for app in catalogue.apps} | unusable


def _secret(*, stdin: bool, variable: str | None, none: bool) -> Secret | None:
    if stdin + (variable is not None) + none > 1:
        raise WrongUse(f"give one of {SECRET_WAYS}, not several")
    if none:
        return None
    return Secret(_secret_text(stdin=stdin, variable=variable))


def _secret_text(*, stdin: bool, variable: str | None) -> str:
    if variable is not None:
        # Its name is not repeated: somebody may have given the secret itself.
        return material.checked(
            "the variable that --secret-env names", os.environ.get(variable, "")
        )
    if stdin:
        return material.checked(
            "the secret on stdin", sys.stdin.read(material.MOST_CHARACTERS + 2).rstrip("\r\n")
        )
    if not session.is_terminal():
        raise WrongUse(f"there is no terminal to ask for the client secret on: give {SECRET_WAYS}")
    return material.checked(
        "the secret", str(typer.prompt("Client secret", hide_input=True, err=True))
    )

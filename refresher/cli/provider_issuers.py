"""`refresher providers add | confirm`: entries whose endpoints an issuer's metadata tells."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from datetime import UTC, date, datetime
from json import dumps
from pathlib import Path
from shutil import copymode
from typing import Annotated
from urllib.parse import urlsplit

import typer

from refresher.catalogue import load as load_entries
from refresher.catalogue import user_file
from refresher.catalogue.discovery import Metadata
from refresher.catalogue.tables import NAME_PATTERN
from refresher.cli import provider_servers as server
from refresher.cli import session
from refresher.cli.output import Json, WrongUse, command, done, emit, note
from refresher.errors import CatalogueError
from refresher.rules.providers import ClientAuth
from refresher.runtime.parts import catalogue_from
from refresher.settings import Settings, load
from refresher.store import audit, issuers

app = typer.Typer()
METHODS = (
    *("client_secret_post", "client_secret_basic", "private_key_jwt", "client_secret_jwt"),
    *("tls_client_auth", "self_signed_tls_client_auth", "none"),
)
"""Ways of a client to prove itself, as metadata has them; those that need the least first."""
COMMON = {"www", "accounts", "account", "login", "auth", "oauth", "id", "sso", "api", "identity"}


@command(
    app,
    "refresher providers add https://login.acme.example",
    "refresher providers add https://mcp.acme.example/mcp --name acme-mcp",
    "refresher providers add https://login.acme.example --name acme --dry-run",
)
def add(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="An issuer, as it names itself; or an MCP server.")
    ],
    name: Annotated[str | None, typer.Option(help="What the entry is called.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="The providers file, if not REFRESHER_PROVIDERS_FILE.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the entry.")] = False,
    json: Json = False,
) -> None:
    """Ask an issuer or an MCP server for its metadata, and write an entry into the providers file.

    The entry names the issuer: its endpoints are looked up, and looked up again once a day. Where the
    issuer registers clients by itself, refresher becomes one, and its app is stored.
    """
    settings = load()
    chosen = name or _name(url)
    if not re.fullmatch(NAME_PATTERN, chosen):
        raise WrongUse(f'"{chosen}" is no name for a provider: give another one with --name')
    found = server.look(settings, url)
    target = file or settings.providers_file
    if not dry_run:
        _check_free(settings, target, chosen)
    client = None if dry_run else server.client(settings, chosen, found)
    auth = client.client_auth.value if client else _method(found.metadata)
    text = entry(chosen, found, auth, datetime.now(UTC).date())
    if not dry_run:
        _write(settings, target, chosen, text)
    if client is not None:
        server.store(settings, chosen, client)
    if json:
        written = None if dry_run else str(target)
        told = {"name": chosen, "file": written, "entry": text, "metadata": found.metadata.plain()}
        emit({**told, "registered": client.how if client else None})
        return
    typer.echo(text, nl=False)
    if not dry_run:
        note(f"Written to {target}. {server.next_step(settings, chosen, client)}")


@command(app, "refresher providers confirm acme")
def confirm(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The provider, such as acme.")],
    json: Json = False,
) -> None:
    """Let tokens go where an issuer's metadata says now: to a host where they never went."""
    settings = load()
    with session.database(settings) as database:
        issuer = catalogue_from(settings, database)[name].issuer
        with database.transaction() as db:
            now = issuers.confirm(db, issuer) if issuer else None
            if now is not None:
                audit.note(db, session.actor(), "issuer_confirmed", subject=f"provider:{name}")
    if now is None or now.document is None:
        raise WrongUse(f"there is nothing to confirm: the endpoints of {name} have not moved")
    url = now.document["token_url"]
    done(now.document, f"{name}: tokens are asked for at {url} from now on.", json=json)


def entry(name: str, looked: server.Looked, client_auth: str | None, today: date) -> str:
    """Returns the table of an entry: what the metadata says, and no more."""
    found, resource = looked.metadata, looked.resource
    consents = found.authorize_url is not None
    given: dict[str, object] = {
        "extends": ("mcp" if resource else "oidc") if consents else None,
        "title": urlsplit(resource or looked.issuer).netloc if consents else None,
        "issuer": looked.issuer,
        "client_auth": client_auth,
        "authorize_url": found.authorize_url,
        "introspection_url": found.introspection_url,
        "pkce": "supported" if "S256" in found.challenge_methods and not resource else None,
        "default_scopes": list(looked.scopes) or None,
    }
    lines = [f"{field} = {_toml(value)}" for field, value in given.items() if value is not None]
    if resource:
        lines.append(f"default_placeholders = {{ resource = {_toml(resource)} }}")
    lines += [f"checked_on = {today}", f"sources = [{_toml(found.source)}]"]
    if found.scopes:
        lines.append(f"notes = {_toml('scopes it knows: ' + ' '.join(found.scopes))}")
    said = [f"# its token_endpoint, looked up again once a day: {found.token_url}"]
    if found.auth_methods:
        said.append(f"# token_endpoint_auth_methods_supported: {', '.join(found.auth_methods)}")
    return "\n".join([f"[providers.{name}]", *said, *lines, ""])


def _toml(text: object) -> str:
    return dumps(text, ensure_ascii=False)


def _method(found: Metadata) -> str | None:
    """Returns the way of a client to prove itself that the server takes and we know."""
    for named in METHODS:
        with suppress(ValueError):
            if named in found.auth_methods:
                return ClientAuth(named).value
    return None


def _name(issuer: str) -> str:
    labels = (urlsplit(issuer).hostname or "").split(".")
    telling = [one for one in labels[:-1] if one not in COMMON] or labels
    return re.sub(r"[^a-z0-9_-]", "", telling[-1])


def _check_free(settings: Settings, file: Path | None, name: str) -> None:
    if file is None:
        raise WrongUse("no providers file: set REFRESHER_PROVIDERS_FILE, or give --file")
    path = file.resolve()
    known = user_file.read(path, strict=True).named("providers") if path.exists() else set()
    if name in known or name in catalogue_from(settings):
        raise WrongUse(f'there is a provider called "{name}": give another name with --name')


def _write(settings: Settings, file: Path | None, name: str, text: str) -> None:
    """Appends the entry to the file, which is exchanged whole once the entry is known to be right."""
    assert file is not None  # it was checked
    path = file.resolve()
    before = path.read_text("utf-8") if path.exists() else ""
    new = path.with_name(f"{path.stem}.{os.getpid()}.toml")
    try:
        new.write_text(f"{before.rstrip()}\n\n{text}" if before else text, encoding="utf-8")
        if path.exists():
            copymode(path, new)
        _check(new, name, allow_loopback=settings.allow_insecure_hosts == "loopback")
        new.replace(path)
    except OSError as error:
        raise WrongUse(f"{path} cannot be written: {error.strerror}") from None
    finally:
        new.unlink(missing_ok=True)


def _check(file: Path, name: str, *, allow_loopback: bool) -> None:
    for one in load_entries(file, allow_loopback=allow_loopback, tolerant=True).broken:
        if one.provider == name:
            raise CatalogueError(one.why)

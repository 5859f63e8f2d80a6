"""`refresher connect`: from a provider's name to a connection, by way of a browser."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from refresher.catalogue import AppEntry, checked_app
from refresher.cli import connect_pages as pages
from refresher.cli import session, working
from refresher.cli.app_material import checked
from refresher.cli.output import CannotDo, Json, WrongUse, command, emit, note, plain
from refresher.connections import connect as consent
from refresher.connections.connect import Order
from refresher.connections.discovered import Discovered, discovered
from refresher.connections.oauth_apps import store_app, sync_apps
from refresher.errors import DiscoveryRefused, RefresherError
from refresher.rules.clients import ClientCredentials
from refresher.rules.connect import Outcome, Session, State
from refresher.rules.connect_view import view
from refresher.rules.connection import Secret
from refresher.rules.providers import Provider
from refresher.rules.redirects import fault, redirect_uri, slug
from refresher.runtime.services import Services
from refresher.settings import Settings, load
from refresher.store import oauth_apps

WAIT_SECONDS = 600.0
LOOK_SECONDS = 0.5

app = typer.Typer()


Whom = Annotated[
    str, typer.Argument(help="The provider, such as google; or an issuer's, or MCP server's, URL.")
]


class NotConnected(RefresherError):
    """The consent did not come to a connection."""

    exit_code = 5


@command(
    app,
    "refresher connect google",
    "refresher connect google --scope https://www.googleapis.com/auth/calendar.readonly",
    "refresher connect https://mcp.acme.example/mcp",
    "refresher connect shopify --host acme.myshopify.com --organization acme --external-id shop",
    "ID=$(refresher connect github --no-browser); refresher token $ID",
)
def connect(
    provider: Whom,
    scope: Annotated[list[str] | None, typer.Option(help="Ask for this too; repeat it.")] = None,
    organization: Annotated[str, typer.Option(help="Whose connection it is.")] = "default",
    external_id: Annotated[
        str | None, typer.Option(help="Your own id of it; left out: the account's.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="The account's own host there.")] = None,
    app_name: Annotated[str, typer.Option("--app", help="Which of several apps.")] = "default",
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the URL.")] = False,
    json: Json = False,
) -> None:
    """Connect an account: opens a page in the browser, and waits for the consent.

    Prints the connection's id. An account that is connected already is connected again. Where our app
    at the provider is not known yet, asks for it. Ends with 5 when nothing was connected within ten
    minutes. Sessions that are open or over: `refresher connect sessions list`.
    """
    wanted = Order(
        organization_id=organization,
        external_id=external_id,
        scopes=tuple(scope or ()),
        host=host,
        app=app_name,
    )
    with working.services(_settings(provider)) as services:
        order = _aimed(services, provider, wanted)
        found = _led(services, order, opens=not no_browser)
        entry = services.catalogue[found.provider]
    _tell(found, entry.known_as, json=json)


def _aimed(services: Services, given: str, wanted: Order) -> Order:
    """Returns the order with the provider that is meant, at which our app is known then."""
    at = _discovered(services, given)
    entry = services.catalogue[at.provider]
    if entry.connect is not None:  # else it is refused anyway, and nothing is asked for
        _have_app(services, entry, wanted.app or "", wanted.host)
    scopes = wanted.scopes or at.scopes
    return replace(wanted, provider=entry.name, placeholders=at.placeholders, scopes=scopes)


def _led(services: Services, order: Order, *, opens: bool) -> Session:
    """Makes a session, leads to its page, and returns how it stands when it is over, or the time is."""
    made = consent.make(services, order, session.actor())
    with _withdrawn_at_the_end(services, made.session.id), pages.served(services, made.url):
        note(f"Open this page in a browser:\n\n    {made.url}\n")
        if opens:
            pages.open_page(made.url)
        return _wait(services, made.session.id)


def _settings(given: str) -> Settings:
    """Returns the settings; who has this command line adds the servers that sessions may name."""
    settings = pages.with_address(load())
    return settings.model_copy(update={"connect_discovery": "any"} if "://" in given else {})


def _discovered(services: Services, given: str) -> Discovered:
    """Returns the provider that a name means, or a URL; registers us where we are not known."""
    if "://" not in given:
        return Discovered(given)
    try:
        return discovered(services, issuer=given, by=session.actor())
    except DiscoveryRefused as no_issuer:
        said = f"{given} is no issuer: {no_issuer}"
    try:
        return discovered(services, server_url=given, by=session.actor())
    except DiscoveryRefused as no_server:
        raise WrongUse(f"{said}; and no MCP server: {no_server}") from None


def _have_app(services: Services, provider: Provider, name: str, host: str | None) -> None:
    """Asks for our app at the provider and stores it, where it is not known yet."""
    sync_apps(services)
    with services.database.transaction() as db:
        known = oauth_apps.names(db)
    if not provider.needs_app or (provider.name, name) in known:
        return
    uri = redirect_uri(services.settings.public_url or "", slug(provider, host))
    if why := fault(provider, uri):
        raise CannotDo(f"{why}; set REFRESHER_PUBLIC_URL to where a web process is reached")
    note(f"Register an app at {provider.title}, with this redirect URI:\n\n    {uri}\n")
    if not session.is_terminal():
        raise WrongUse(
            f"there is no app {provider.name}/{name} yet, and no terminal to ask on: "
            f"`refresher apps set {provider.name} --client-id YOUR_CLIENT_ID` stores it"
        )
    client_id = checked("the client id", str(typer.prompt("Client id", err=True)))
    asked = "Client secret (empty: it has none)"
    secret = str(typer.prompt(asked, default="", show_default=False, hide_input=True, err=True))
    client = ClientCredentials(client_id, Secret(checked("the secret", secret)) if secret else None)
    entry = AppEntry(provider.name, checked_app(client, provider), name)
    store_app(services.database, services.cipher, entry, session.actor())


@contextmanager
def _withdrawn_at_the_end(services: Services, session_id: UUID) -> Iterator[None]:
    """Leaves no link behind that somebody could still use: nobody waits for what comes of it."""
    try:
        yield
    finally:
        if consent.find(services, session_id, session.actor()).state is not State.ENDED:
            consent.cancel(services, session_id, session.actor())


def _wait(services: Services, session_id: UUID) -> Session:
    """Waits for the end of a session, ten minutes at most, and tells of each attempt that failed."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        bar.add_task("Waiting for the consent in the browser")
        until, told = time.monotonic() + WAIT_SECONDS, 0
        while True:
            found = consent.find(services, session_id, session.actor())
            if found.trouble is not None and found.attempts > told:
                told = found.attempts
                said = f"{found.trouble.sentence}; the page in the browser leads on"
                bar.console.print(plain(said), markup=False, highlight=False)
            if found.state is State.ENDED or time.monotonic() > until:
                return found
            time.sleep(LOOK_SECONDS)


def _tell(found: Session, what: str, *, json: bool) -> None:
    seen = view(found)
    if json:
        emit(seen)
    if found.outcome is not Outcome.CONNECTED:
        why = seen.problem.sentence if seen.problem else "nobody consented"
        raise NotConnected(f"{what} was not connected within ten minutes: {why}")
    if not json:
        typer.echo(str(found.connection_id))
    whose = f" as {seen.account}" if seen.account else ""
    note(f"{what} is connected{whose}: `refresher token {found.connection_id}`.")

"""`refresher dashboard`: a link that signs in once, on this machine, without a key being typed."""

from __future__ import annotations

import os
import sys
import webbrowser
from typing import Annotated

import typer

from refresher.cli import session
from refresher.cli.connect_pages import is_loopback, with_address
from refresher.cli.output import CannotDo, Json, command, done, note
from refresher.connections import dashboard_links
from refresher.rules.words import span
from refresher.runtime.serving.sockets import LOOPBACK
from refresher.settings import Settings, load
from refresher.store.session import Database

NoOpen = Annotated[bool, typer.Option("--no-open", help="Do not open it in a browser.")]

app = typer.Typer()


@command(app, "refresher dashboard", "refresher dashboard --no-open")
def dashboard(no_open: NoOpen = False, json: Json = False) -> None:
    """Sign in to the dashboard of the web process on this machine, without typing a key.

    Prints a link that works once, for ten minutes, and from this machine alone (or through a tunnel to
    it); opens it where a browser is. Its session may do all but read tokens, by a key that is made for
    it and called “dashboard links”: revoking that key ends all such sessions.
    """
    settings = load()
    if settings.dashboard == "off":
        raise CannotDo("REFRESHER_DASHBOARD is off: there is no dashboard")
    with session.database(settings) as database:
        link = made(database, settings)
    done({"url": link, "seconds": dashboard_links.LINK_SECONDS}, link, json=json)
    if not json:
        note(f"It works once, within {span(dashboard_links.LINK_SECONDS)}, on this machine.")
        if not no_open:
            open_page(link)


def made(database: Database, settings: Settings, port: int = 0) -> str:
    """Makes a link; returns it as a browser on this machine opens it."""
    base = with_address(settings).public_url or ""
    if port or not is_loopback(base):
        base = f"http://{LOOPBACK}:{port or settings.port}"
    return base + dashboard_links.make(database, session.actor())


def open_page(url: str) -> bool:
    """Opens a page in a browser, if a person is at this terminal, and has a display."""
    has_display = sys.platform in {"darwin", "win32"} or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    return has_display and session.is_terminal(sys.stdout) and webbrowser.open(url)

"""Where the pages of a consent are served while `refresher connect` waits: elsewhere, or here."""

from __future__ import annotations

import sys
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from urllib.parse import urlsplit

from refresher.catalogue.discovery import Unfit
from refresher.cli import session
from refresher.cli.output import CannotDo
from refresher.outbound.metadata import ask_ourselves
from refresher.runtime.services import Services
from refresher.runtime.serving.sockets import LOOPBACK, listen
from refresher.settings import Settings

PROBE_SECONDS = 10.0
MOST_VISITORS = 20


def with_address(settings: Settings) -> Settings:
    """Returns the settings with a public URL: PORT of this machine, where none is set."""
    if settings.public_url is not None:
        return settings
    port = settings.port or Settings.model_fields["port"].default
    return settings.model_copy(update={"public_url": f"http://{LOOPBACK}:{port}"})


@contextmanager
def served(services: Services, url: str) -> Iterator[None]:
    """Lets the block run while `url` leads to its page: served here, where nobody listens there.

    Raises `CannotDo` where something else listens, or nobody and it is not for us to.
    """
    status = _status(url)
    if status == 200:
        yield
        return
    base = services.settings.public_url
    if status is not None:
        raise CannotDo(
            f"what answers at {base} does not know this session ({status}): REFRESHER_PUBLIC_URL must "
            "lead to a web process on the same database"
        )
    if not is_loopback(url):
        raise CannotDo(
            f"nobody answers at {base} (REFRESHER_PUBLIC_URL): start `python -m refresher.web` there"
        )
    with _serving(services, url):
        yield


def open_page(url: str) -> bool:
    """Opens our own page in a browser, if a person is at this terminal and the page on this machine."""
    return session.is_terminal(sys.stdin) and is_loopback(url) and webbrowser.open(url)


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine, whatever a name server says."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _status(url: str) -> int | None:
    """Returns what looking at the page answers, which changes nothing; None where nobody listens."""
    try:
        return ask_ourselves(url, method="HEAD").status
    except Unfit:
        return None


@contextmanager
def _serving(services: Services, url: str) -> Iterator[None]:
    from refresher.runtime.serving.server import Serving  # noqa: PLC0415  an HTTP server
    from refresher.web.connect.app import ConnectPages  # noqa: PLC0415

    parts = urlsplit(url)
    sockets = listen(parts.hostname or LOOPBACK, parts.port or 80, setting="REFRESHER_PUBLIC_URL")
    app = ConnectPages(services)
    serving = Serving(app, sockets, most=MOST_VISITORS, patience_seconds=PROBE_SECONDS)
    try:
        yield
    finally:
        serving.stop()
        app.close()

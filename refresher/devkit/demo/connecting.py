"""What `refresher demo --with-connect` adds: the pages of a consent, and a visitor who clicks through.

The pages are served by `python -m refresher.web`, as in production. The visitor is a browser without a
window: it opens the link of a session, presses the button, allows it at the provider, and comes back.
From then on the connection is one among the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic, sleep

from refresher.connections import connect
from refresher.connections.connect_orders import Order
from refresher.devkit.browser import Browser, Unreachable
from refresher.devkit.demo.interruption import Note
from refresher.devkit.demo.plan import DemoFailed
from refresher.devkit.demo.stage import NAME, START_SECONDS, STOP_SECONDS, Stage
from refresher.rules.access import Actor
from refresher.rules.connect import Outcome
from refresher.rules.connection import connection_id
from refresher.runtime.children import Child
from refresher.store import standing

ACCOUNT = "zoe"
FIRST_SECONDS, STEP_SECONDS = 2.0, 2.5
BY = Actor("cli:demo")


class Visitor:
    """One person's way, in steps that people can follow; `notes` tell of each."""

    def __init__(self, stage: Stage) -> None:
        self.notes: list[Note] = []
        self.has_connected = False
        self._stage = stage
        self._browser = Browser()
        order = Order(organization_id="demo", provider=NAME, external_id=ACCOUNT, scopes=("read",))
        self._made = connect.make(stage.services, order, BY)
        self._steps = iter((self._look, self._leave, self._allow, self._see_it_refreshed))
        self._next, self._next_at = next(self._steps), FIRST_SECONDS

    def step(self, now_seconds: float) -> None:
        """Does what is next, when its time has come; raises `DemoFailed` where a page is not there."""
        if now_seconds < self._next_at:
            return
        text = self._next()
        if text is not None:
            self.notes.append(Note(now_seconds, text))
            self._next = next(self._steps, _nothing)
        self._next_at = now_seconds + STEP_SECONDS

    def close(self) -> None:
        """Closes the browser."""
        self._browser.close()

    def _look(self) -> str:
        self._browser.open(f"{self._stage.provider.url}/login?account={ACCOUNT}")
        page = self._browser.open(self._made.url)
        return f"a link is opened: “{page.title}”"

    def _leave(self) -> str:
        page = self._browser.submit()
        return f"the button leads to the provider, which asks: “{page.title}”"

    def _allow(self) -> str:
        began = monotonic()
        page = self._browser.submit("Allow")
        session = connect.find(self._stage.services, self._made.session.id, BY)
        if session.outcome is not Outcome.CONNECTED:
            raise DemoFailed(f"the visitor did not connect: {page.status} {page.words[:200]}")
        self.has_connected = True
        return f"allowed, and {monotonic() - began:.1f} s later: “{page.title}”"

    def _see_it_refreshed(self) -> str | None:
        with self._stage.services.database.transaction() as db:
            found = standing.snapshot(db, connection_id("demo", NAME, ACCOUNT))
        is_fresh = found is not None and (found.credential_version or 0) > 1
        return f"the token of {ACCOUNT} was refreshed by itself" if is_fresh else None


def _nothing() -> None:
    """Comes after the last step."""


@contextmanager
def prepared(stage: Stage) -> Iterator[Visitor | None]:
    """Serves the pages and has a visitor ready, if the plan says so."""
    if not stage.plan.with_connect:
        yield None
        return
    with pages(stage):
        visitor = Visitor(stage)
        try:
            yield visitor
        finally:
            visitor.close()


@contextmanager
def pages(stage: Stage) -> Iterator[int]:
    """Serves the pages as a process of its own; yields its number."""
    environment = {**stage.environment, "PORT": str(stage.port)}
    web = Child(
        ["refresher.web"], stage.leash, environment=environment, log=stage.directory / "web.log"
    )
    web.start()
    try:
        _await(web, f"http://127.0.0.1:{stage.port}")
        yield web.pid or 0
    finally:
        web.stop(STOP_SECONDS)


def _await(web: Child, url: str) -> None:
    """Waits until the pages are there."""
    began = monotonic()
    with Browser() as browser:
        while True:
            with suppress(Unreachable):
                browser.open(f"{url}/live")
                return
            if web.pid is None or monotonic() - began > START_SECONDS:
                raise DemoFailed(f"the pages are not served: {web.last_words()}")
            sleep(0.05)

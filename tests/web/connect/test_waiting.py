"""A provider that takes its time: the page waits, and nobody is let down who goes away meanwhile."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from refresher.devkit.browser import Browser
from refresher.rules.connect import Outcome, Session
from refresher.web.connect import visits
from tests.waiting import wait_until
from tests.web.connect.stage import Stage
from tests.web.connect.test_visits import BUTTON


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visits, "WAIT_SECONDS", 0.1)


def slow(stage: Stage, seconds: float) -> None:
    """Has the next code be answered late."""
    stage.provider.admin.add_fault("slow", on="code", count=1, seconds=seconds)


def came_back(stage: Stage, browser: Browser, url: str) -> str:
    """Returns the callback to which the browser is about to come."""
    browser.open(url)
    return browser.submit(BUTTON, until="/connect/callback").next_url or ""


def leaves(stage: Stage, browser: Browser, callback: str) -> None:
    """Comes to the callback, and does not stay for the answer."""
    cookie = browser.jar.header(callback, is_same_site=False, is_lax=True)
    path = callback.removeprefix(stage.url)
    head = f"GET {path} HTTP/1.1\r\nhost: connect.example\r\ncookie: {cookie}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", urlsplit(stage.here).port or 0)) as sent:
        sent.sendall(head.encode())


def is_connected(stage: Stage, session: Session) -> bool:
    """Whether it has come to a connection."""
    return stage.now(session).outcome is Outcome.CONNECTED


def test_a_page_waits_and_goes_on_by_itself(stage: Stage) -> None:
    """The callback answers soon; its result looks again each two seconds until it is there."""
    session, url = stage.link()
    with stage.browser("ann") as ann:
        callback = came_back(stage, ann, url)
        slow(stage, 0.8)
        page = ann.open(callback, until="look=1")
        assert "One moment, please" in page.words
        assert page.headers["refresh"] == f"2; url=/connect/result/{session.id}?look=1"
        late = ann.open(f"{stage.url}/connect/result/{session.id}?look=30")
        assert ("longer than usual" in late.words, "refresh" in late.headers) == (True, False)
        assert list(late.links) == ["Look again"]
        assert "is connected" in ann.open(f"{stage.url}/connect/result/{session.id}").words


def test_who_goes_away_is_connected_all_the_same(stage: Stage) -> None:
    """The code is under way, and what comes of it does not depend on the browser."""
    session, url = stage.link()
    with stage.browser("zoe") as zoe:
        callback = came_back(stage, zoe, url)
        slow(stage, 0.5)
        leaves(stage, zoe, callback)
        wait_until(lambda: is_connected(stage, session))


def test_a_process_that_stops_waits_for_its_codes(database_url: str, tmp_path: Path) -> None:
    """Asked to stop in the middle of an exchange, it ends when the answer is stored."""
    with Stage.opened(database_url, tmp_path) as stage, stage.browser("kim") as kim:
        session, url = stage.link()
        callback = came_back(stage, kim, url)
        slow(stage, 1.0)
        leaves(stage, kim, callback)
        wait_until(lambda: stage.sent_codes == 1)
        assert not is_connected(stage, session)
        stage.stop()
        assert is_connected(stage, session)

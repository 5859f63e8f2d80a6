"""Chromium, driven by Playwright, with profiles that remember what was asked of whom.

Nothing but this machine can be reached from it: whatever a page fetched from elsewhere would fail, and
is told (`Profile.asked`).
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.foreign.programs import FETCHED
from tests.postgres_versions import COMPLETE
from tests.waiting import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Request

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((found for name in NAMES if (found := shutil.which(name))), None)
HAS_PLAYWRIGHT = importlib.util.find_spec("playwright") is not None
ARGUMENTS = (
    "--no-sandbox",  # which root cannot have
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
CALLBACKS = "*/connect/callback/*"
WAIT_MILLISECONDS = 30_000
"""Against hanging only: a busy machine may take ten times as long."""
needs_chromium = pytest.mark.skipif(
    not (CHROMIUM and HAS_PLAYWRIGHT) and COMPLETE not in os.environ,
    reason="needs Chromium and Playwright: `make browser` fetches them",
)
needs_browser = pytest.mark.skipif(
    not (CHROMIUM and HAS_PLAYWRIGHT and FETCHED.exists()) and COMPLETE not in os.environ,
    reason="needs Chromium, Playwright and OAuth servers out of npm: `make browser` fetches them",
)


@dataclass
class Profile:
    """One person's browser: cookies and history of its own."""

    context: BrowserContext
    requests: list[Request] = field(default_factory=list)

    def page(self) -> Page:
        """Opens a tab."""
        page: Page = self.context.new_page()
        return page

    def caught(self, page: Page, act: Callable[[], None], urls: str = CALLBACKS) -> str:
        """Does what leads the tab to such a URL; returns the URL, for which nobody was asked."""
        session = self.context.new_cdp_session(page)
        found: list[str] = []

        def stop(event: dict[str, Any]) -> None:
            found.append(event["request"]["url"])
            reason = {"requestId": event["requestId"], "errorReason": "Aborted"}
            session.send("Fetch.failRequest", reason)

        # Playwright's own routes do not see where a redirect leads.
        session.on("Fetch.requestPaused", stop)
        session.send("Fetch.enable", {"patterns": [{"urlPattern": urls}]})
        act()
        wait_until(lambda: found or page.wait_for_timeout(20))
        session.detach()
        return found[0]

    def cookies(self) -> dict[str, str]:
        """Returns the cookies that it holds, whoever gave them."""
        return {one["name"]: one["value"] for one in self.context.cookies()}

    def asked(self) -> list[str]:
        """Returns every URL that was asked for, in order."""
        return [request.url for request in self.requests]

    def told_elsewhere(self) -> list[str]:
        """Returns every Referer that one origin was sent of another."""
        sent = [(one.url, one.all_headers().get("referer", "")) for one in self.requests]
        return [referer for url, referer in sent if _origin(url) != _origin(referer)]


class Chromium:
    """One browser, of which each test takes fresh profiles."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._profiles: list[Profile] = []

    def profile(self, **options: Any) -> Profile:
        """Returns a fresh profile; `options` are those of Playwright's `new_context`."""
        context = self._browser.new_context(**options)
        context.set_default_timeout(WAIT_MILLISECONDS)
        made = Profile(context)
        context.on("request", lambda request: made.requests.append(request))  # noqa: PLW0108 (no built-in)
        self._profiles.append(made)
        return made

    def close_profiles(self) -> None:
        """Ends all of them."""
        while self._profiles:
            self._profiles.pop().context.close()


@contextmanager
def running() -> Iterator[Chromium]:
    """Runs Chromium within the block, in which no event loop may be run on this thread."""
    assert HAS_PLAYWRIGHT, "Playwright is not there: `make browser`"
    assert CHROMIUM, "Chromium is not there (Debian: apt install chromium)"
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 (an extra of its own)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield Chromium(browser)
        finally:
            browser.close()


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"

"""A tab of Chromium with the dashboard of a `Site` in this process: no socket, a clock that stands.

What the tab asks for is answered by the application itself, headers and all; nothing else is reached.
"""

from __future__ import annotations

from contextlib import suppress
from html import escape
from typing import TYPE_CHECKING, Any

from tests.browser.chromium import Chromium
from tests.browser.dashboard.kit import ALLOWED
from tests.dashboard.kit import HERE, Person

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

ONWARD = '<!doctype html><meta http-equiv="refresh" content="0; url={}"><title>onward</title>'


class Window:
    """One tab of somebody who is signed in. `complaints` are what its console tells as an error."""

    def __init__(self, browser: Chromium, person: Person, **options: Any) -> None:
        self.person = person
        self.complaints: list[str] = []
        self._profile = browser.profile(**options)
        context = self._profile.context
        context.route("**/*", self._answer)
        context.add_cookies(
            [{"name": n, "value": v, "url": HERE} for n, v in person.cookies.items()]
        )
        self.tab: Page = self._profile.page()
        self.tab.on("console", self._note)
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self, path: str) -> Page:
        """Goes to an address of the dashboard; returns the tab."""
        self.tab.goto(f"{HERE}{path}")
        return self.tab

    def close(self) -> None:
        """Ends it; what its pages still ask for is answered by nobody."""
        self._profile.context.unroute_all(behavior="ignoreErrors")
        self._profile.context.close()

    def _note(self, message: Any) -> None:
        if message.type == "error" and not message.text.startswith(ALLOWED):
            self.complaints.append(message.text)

    def _answer(self, route: Route) -> None:
        request = route.request
        if not request.url.startswith(HERE):
            route.abort()
            return
        answer = self.person.site(
            request.method,
            request.url,
            key=None,
            headers=request.all_headers(),
            content=request.post_data_buffer or b"",
        )
        with suppress(KeyError):
            del answer.headers["content-length"]
        if "location" in answer.headers:
            # Where a redirect leads, Playwright asks the network: a page leads there instead.
            onward = ONWARD.format(escape(answer.headers.pop("location")))
            told = {**answer.headers, "content-type": "text/html; charset=utf-8"}
            route.fulfill(status=200, headers=told, body=onward)
            return
        route.fulfill(status=answer.status_code, headers=dict(answer.headers), body=answer.content)

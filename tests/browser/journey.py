"""A person's way: from a link over our page to the provider's, and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.browser.chromium import Chromium, Profile
from tests.browser.deployment import Deployment
from tests.browser.people import Person

if TYPE_CHECKING:
    from playwright.sync_api import Page

RESULT = re.compile(r"/connect/result/[0-9a-f-]{36}$")


@dataclass
class Journey:
    """One person at one provider, in a browser of her own."""

    deployment: Deployment
    person: Person
    profile: Profile

    @classmethod
    def begun(cls, deployment: Deployment, person: Person, browser: Chromium) -> Journey:
        """Returns one in a fresh profile."""
        return cls(deployment, person, browser.profile())

    def opened(self, session: Mapping[str, Any], page: Page | None = None) -> Page:
        """Opens a session's link in a new tab, or in this one."""
        page = page or self.profile.page()
        page.goto(session["url"])
        return page

    def leave(self, session: Mapping[str, Any], page: Page | None = None) -> Page:
        """Opens the link and presses its button: the tab is at the provider then."""
        page = self.opened(session, page)
        self.press(page)
        return page

    def press(self, page: Page) -> None:
        """Presses the one button of our page, and waits until the tab has left."""
        here = self.deployment.url
        page.get_by_role("button").click()
        page.wait_for_url(lambda url: not url.startswith(here))

    def at_consent(self, session: Mapping[str, Any]) -> Page:
        """Leaves and signs in: the tab is at the provider's question then."""
        page = self.leave(session)
        self.person.sign_in(page)
        return page

    def caught_callback(self, page: Page) -> str:
        """Allows it, and keeps the way back from being taken; returns its URL."""
        return self.profile.caught(page, lambda: self.person.allow(page))

    def connect(self, session: Mapping[str, Any]) -> Page:
        """Goes the whole way, and waits for its end."""
        page = self.at_consent(session)
        self.person.allow(page)
        return self.arrived(page)

    def arrived(self, page: Page) -> Page:
        """Waits until a tab shows how it ended: our result page, or the application's."""
        page.wait_for_url(lambda url: RESULT.search(url) or "connect_status=" in url)
        page.get_by_role("status").wait_for(state="detached")  # "one moment, please"
        return page


def heading(page: Page) -> str:
    """Returns what a page says first."""
    return str(page.locator("h1").inner_text())


def words(page: Page) -> str:
    """Returns all that a page says."""
    return str(page.locator("body").inner_text())

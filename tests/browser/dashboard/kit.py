"""The dashboard of a running deployment, and people who use it in browsers of their own.

`dash.person()` is signed in; `person.open("/ui")` shows a page. Whatever a page tells its console as an
error, or asks of another site, fails the test when it ends (`Dash.complaints`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from refresher.connections import api_keys
from refresher.devkit.oauth_server import FakeProvider
from refresher.rules.access import Actor, Scope
from tests.browser.chromium import Chromium, Profile
from tests.browser.deployment import Deployment

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

BY = Actor("cli:ann")
ANSWERS = "Failed to load resource: the server responded with a status of "
"""What Chromium tells of any page that is an error's: wanted ones are asserted by their tests."""
ALLOWED = tuple(
    f"{ANSWERS}{status}" for status in (400, 401, 403, 404, 405, 409, 410, 413, 422, 429, 503)
)


@dataclass(frozen=True)
class Connected:
    """A connection, and the account at the fake provider that it is of."""

    id: UUID
    external_id: str
    account: str

    @property
    def path(self) -> str:
        """Its page."""
        return f"/ui/connections/{self.id}"


@dataclass
class Someone:
    """One person with one tab."""

    dash: Dash
    profile: Profile
    page: Page

    @property
    def context(self) -> BrowserContext:
        """The browser's own: cookies, offline, and so on."""
        return self.profile.context

    def open(self, path: str) -> Page:
        """Opens a page of the dashboard in the tab."""
        self.page.goto(f"{self.dash.url}{path}")
        return self.page

    def sign_in(self, key: str, *, only_look: bool = False) -> Page:
        """Fills in the sign-in form that the tab shows, and sends it."""
        self.page.get_by_label("API key").fill(key)
        if only_look:
            self.page.get_by_label("Only look").check()
        self.page.get_by_role("button", name="Sign in").click()
        return self.page

    @property
    def path(self) -> str:
        """Where the tab is."""
        return str(self.page.url).removeprefix(self.dash.url)

    @property
    def words(self) -> str:
        """All that the page says."""
        return str(self.page.locator("body").inner_text())

    @property
    def heading(self) -> str:
        """What the page says first."""
        return str(self.page.locator("h1").inner_text())

    @property
    def sentence(self) -> str:
        """The answer of the page."""
        return str(self.page.locator(".verdict h2").first.inner_text())


@dataclass
class Dash:
    """A deployment with a web and a scheduler process, and a fake provider called `fake`."""

    deployment: Deployment
    fake: FakeProvider
    browser: Chromium
    complaints: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)
    """Beginnings of complaints that a test brings about on purpose."""

    @property
    def url(self) -> str:
        """Where it is."""
        return self.deployment.url

    def key(self, scopes: Iterable[Scope] = Scope, organization_id: str | None = None) -> str:
        """Makes an API key; returns its text."""
        made = api_keys.create(
            self.deployment.services.database, name="ann", scopes=frozenset(scopes),
            organization_id=organization_id, by=BY,
        )  # fmt: skip
        return made.text.reveal()

    def stranger(self, **options: Any) -> Someone:
        """Returns somebody who is not signed in; `options` are Playwright's, of a profile."""
        profile = self.browser.profile(**options)
        profile.context.on("page", self._watch)
        return Someone(self, profile, profile.page())

    def person(self, key: str | None = None, *, only_look: bool = False, **options: Any) -> Someone:
        """Returns somebody signed in, at the overview: with every scope, unless a key is given."""
        person = self.stranger(**options)
        person.open("/ui/sign-in")
        person.sign_in(key or self.key(), only_look=only_look)
        person.page.wait_for_url(f"{self.url}/ui")
        return person

    def connect(self, external_id: str, organization_id: str = "acme", **fields: Any) -> Connected:
        """Stores a connection with a grant of the fake provider's."""
        [grant] = self.fake.admin.create_grants(1)
        answer = {
            "access_token": grant.access_token,
            "refresh_token": grant.refresh_token,
            "expires_in": grant.expires_in,
            "token_type": "Bearer",
        }
        body = {"provider": "fake", "organization_id": organization_id, "external_id": external_id}
        told = self.deployment.api(
            "PUT", "/v1/connections", json={**body, "answer": answer, **fields}
        )
        return Connected(UUID(told["id"]), external_id, grant.external_id)

    def _watch(self, page: Page) -> None:
        page.on("console", lambda told: self._heard(told.type, told.text))
        page.on("pageerror", lambda error: self._heard("error", str(error)))
        page.on("request", lambda request: self._asked(request.url))

    def _heard(self, kind: str, text: str) -> None:
        if kind == "error" and not text.startswith((*ALLOWED, *self.allowed)):
            self.complaints.append(text)

    def _asked(self, url: str) -> None:
        is_ours = url.startswith((self.url, "data:", "about:"))
        if not is_ours and not any(url.startswith(one) for one in self.allowed):
            self.complaints.append(f"asked for {url}")

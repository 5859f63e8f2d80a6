"""What a person does at a provider's pages: signs in, and allows or not.

Each person knows the pages of one server that we did not write, by the words on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from playwright.sync_api import Page


class Person(Protocol):
    """Whoever sits at the provider's pages."""

    def sign_in(self, page: Page) -> None:
        """Gets from the login page to the one that asks for consent."""

    def allow(self, page: Page) -> None:
        """Says yes there."""

    def refuse(self, page: Page) -> None:
        """Says no there."""


@dataclass(frozen=True)
class AtOidcProvider:
    """At oidc-provider (npm): any password will do; who signs in is who consents."""

    name: str = "ann"

    def sign_in(self, page: Page) -> None:
        """Fills the login form."""
        page.fill('input[name="login"]', self.name)
        page.fill('input[name="password"]', "anything")
        page.click('button[type="submit"]')
        page.wait_for_selector("text=Authorize")

    def allow(self, page: Page) -> None:
        """Presses "Continue"."""
        page.click('button[type="submit"]')

    def refuse(self, page: Page) -> None:
        """Follows "Cancel"."""
        page.click("text=Cancel")


@dataclass(frozen=True)
class AtDjango:
    """At Django's login page, and the consent page of django-oauth-toolkit."""

    password: str
    name: str = "ann"

    def sign_in(self, page: Page) -> None:
        """Fills the login form."""
        page.fill('input[name="username"]', self.name)
        page.fill('input[name="password"]', self.password)
        page.click('input[type="submit"]')
        page.wait_for_selector("#authorizationForm")

    def allow(self, page: Page) -> None:
        """Presses "Authorize"."""
        page.click('input[name="allow"]')

    def refuse(self, page: Page) -> None:
        """Presses "Cancel"."""
        page.click('input[value="Cancel"]')


@dataclass(frozen=True)
class AtFake:
    """At our own fake provider's page, which lets people untick what they do not allow."""

    name: str = "ann"
    unticks: tuple[str, ...] = ()

    def sign_in(self, page: Page) -> None:
        """Says who it is."""
        page.fill('input[name="account"]', self.name)

    def allow(self, page: Page) -> None:
        """Allows what is still ticked."""
        for scope in self.unticks:
            page.uncheck(f'input[value="{scope}"]')
        page.click('button[value="allow"]')

    def refuse(self, page: Page) -> None:
        """Presses "Cancel"."""
        page.click('button[value="cancel"]')

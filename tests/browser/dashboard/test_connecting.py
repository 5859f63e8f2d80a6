"""Journey 7: from "reconnect required" to fresh, by a link that one person makes and another uses."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from tests.browser.chromium import needs_chromium
from tests.browser.conftest import elsewhere
from tests.browser.dashboard.kit import Dash, Someone
from tests.browser.people import AtFake

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.slow, needs_chromium]


@pytest.fixture
def dash(dash: Dash) -> Dash:
    """The dashboard; whoever owns an account goes to the provider."""
    dash.allowed.append(elsewhere(dash.fake))
    return dash


def link_on(page: Page) -> str:
    """The link that a page shows."""
    return str(page.get_by_role("link", name="Open here").get_attribute("href"))


def consent(dash: Dash, link: str, account: str) -> Page:
    """The owner of an account opens a link in a browser of their own, and allows it."""
    page = dash.stranger().page
    page.goto(link)
    page.get_by_role("button").click()
    page.wait_for_selector('input[name="account"]')
    person = AtFake(account)
    person.sign_in(page)
    person.allow(page)
    page.wait_for_url("**/connect/result/*")
    page.get_by_role("status").wait_for(state="detached")
    return page


def connected(dash: Dash, ann: Someone, account: str) -> UUID:
    """Has Ann make a link by hand, and the owner of an account use it; returns the connection."""
    page = ann.open("/ui/connect")
    assert ann.sentence == "Accounts of 1 provider can be connected."
    page.select_option("select[name=provider]", "fake")
    page.fill("input[name=organization]", "acme")
    page.get_by_role("button", name="Make the link").click()
    page.get_by_text("Shown once").wait_for()
    assert "connected" in consent(dash, link_on(page), account).locator("h1").inner_text()
    page.get_by_text("Connected", exact=True).first.wait_for()  # on the open page, by itself
    sql = "select id from connection where account_label like :label"
    return UUID(str(dash.deployment.run(sql, label=f"{account}%")[0][0]))


def test_7_reconnect(dash: Dash) -> None:
    """A link on the broken connection's page; another account is refused; then it is fresh again."""
    ann = dash.person()
    id_ = connected(dash, ann, "ann")
    dash.fake.admin.revoke("ann")
    page = ann.open(f"/ui/connections/{id_}")
    page.get_by_role("button", name="Refresh now").click()
    page.get_by_text("Reconnect required").first.wait_for()
    watching = ann.context.new_page()
    watching.goto(f"{dash.url}/ui/connections/{id_}")
    page.get_by_role("button", name="Make a reconnect link").click()
    page.get_by_text("Shown once").wait_for()
    assert ann.sentence.startswith("Whoever opens the link has to sign in as ann")
    assert "Signing in with another account is refused" in ann.words
    link = link_on(page)
    other = consent(dash, link, "ben")
    assert "another account" in other.locator("body").inner_text().lower()
    assert watching.get_by_text("Reconnect required").first.is_visible()
    done = consent(dash, link, "ann")
    assert "connected" in done.locator("h1").inner_text()
    watching.locator(".verdict h2").filter(has_text="Fresh").wait_for()
    page.get_by_text("Connected again: it is fresh.").wait_for()
    page.reload()  # the browser sends the form again: the link is not shown a second time
    assert link not in page.content()


def test_7_a_link_is_withdrawn(dash: Dash) -> None:
    """What is under way stands in a list, and is cancelled there: the link leads nowhere."""
    ann = dash.person()
    page = ann.open("/ui/connect")
    page.select_option("select[name=provider]", "fake")
    page.fill("input[name=organization]", "acme")
    page.fill("input[name=external_id]", "withdrawn")
    page.get_by_role("button", name="Make the link").click()
    page.get_by_text("Shown once").wait_for()
    link = link_on(page)
    row = page.get_by_role("row").filter(has_text="withdrawn")
    row.get_by_role("button", name="Cancel").click()
    assert ann.sentence == "The connect session is cancelled: its link leads nowhere."
    owner = dash.stranger()
    owner.page.goto(link)
    assert owner.page.get_by_role("button").count() == 0

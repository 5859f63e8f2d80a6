"""Journey 14: a hidden tab asks nothing; pause; focus is kept; Postgres away, and back by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.browser.chromium import needs_chromium
from tests.browser.dashboard.kit import Dash
from tests.services import PostgresServer

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request

pytestmark = [pytest.mark.slow, needs_chromium]
HIDE = """(hidden) => {
    Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
}"""
LIVE = "**/ui/live/**"
TICK = 6_000
"""A page asks every five seconds."""


@contextmanager
def polls(page: Page) -> Iterator[list[str]]:
    """Counts what the page asks for by itself within the block."""
    asked: list[str] = []

    def note(request: Request) -> None:
        if "/ui/live/" in request.url:
            asked.append(request.url)

    page.on("request", note)
    yield asked
    page.remove_listener("request", note)


def test_14_a_page_stays_up_to_date_while_somebody_looks(dash: Dash) -> None:
    """It asks every five seconds, not while it is hidden or paused; who is in a part keeps it."""
    dash.connect("live-1")
    page = dash.person().page
    with page.expect_response(LIVE):
        pass
    with polls(page) as asked:
        page.evaluate(HIDE, True)
        page.wait_for_timeout(TICK)
        assert asked == []
        with page.expect_response(LIVE):  # at once when it is seen again
            page.evaluate(HIDE, False)
    page.get_by_role("button", name="Pause updates").click()
    with polls(page) as asked:
        page.wait_for_timeout(TICK)
        assert asked == []
        page.reload()  # it is remembered
        pause = page.get_by_role("button", name="Pause updates", pressed=True)
        page.wait_for_timeout(TICK)
        assert asked == []
        with page.expect_response(LIVE):
            pause.click()
    summary = page.locator('[data-part="charts"] summary').first
    summary.click()
    before = page.locator(".live time").inner_text()
    page.get_by_text(before, exact=True).wait_for(state="detached")
    assert summary.evaluate("one => one === document.activeElement && one.parentElement.open")


def test_14_postgres_away_and_back(dash: Dash, postgres: PostgresServer) -> None:
    """The last look stays with its age, another page keeps what it shows; both come back."""
    one = dash.connect("live-2")
    ann = dash.person()
    page, other = ann.page, ann.context.new_page()
    other.goto(f"{dash.url}{one.path}")
    with page.expect_response(LIVE), other.expect_response(LIVE):
        pass
    postgres.stop()
    try:
        page.get_by_role("heading", name="Postgres is away. What you see is").wait_for()
        assert page.get_by_role("link", name="Connect an account").count() == 0
        assert page.get_by_text("Refreshes a second").first.is_visible()
        banner = other.locator("[data-banner]")
        banner.wait_for()
        assert other.get_by_role("button", name="Refresh now").count() == 0
        assert "live-2" in other.locator("main").inner_text()
    finally:
        postgres.start()
    page.get_by_role("heading", name="Postgres is away").wait_for(state="detached")
    page.get_by_role("link", name="Connect an account").wait_for()
    banner.wait_for(state="detached")
    other.get_by_role("button", name="Refresh now").wait_for()


def test_a_key_leads_to_the_search_and_a_button_copies(dash: Dash) -> None:
    """The slash focuses the search, unless somebody types; an id is copied by its button."""
    one = dash.connect("live-3")
    ann = dash.person()
    ann.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = ann.open(one.path)
    page.keyboard.press("/")
    assert page.locator("#find").evaluate("one => one === document.activeElement")
    page.keyboard.type("a/b")
    assert page.locator("#find").input_value() == "a/b"
    page.locator("[data-copy]").first.click()
    page.get_by_text("Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator("[data-copy]").first.get_attribute("data-copy")

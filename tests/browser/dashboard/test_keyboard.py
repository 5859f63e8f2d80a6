"""Journey 16: filters, deeds and a bulk job by the keyboard alone; the focus is seen everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.browser.chromium import Chromium, needs_chromium
from tests.browser.dashboard import demo
from tests.browser.dashboard.demo import Demo
from tests.browser.dashboard.window import Window

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.slow, needs_chromium]
MOST_PRESSED = 250
FOCUS = """
    () => {
        const one = document.activeElement, label = one.labels && one.labels[0];
        const text = one.getAttribute("aria-label") || (label || one).innerText || one.value || "";
        return text.trim().split("\\n")[0].trim();
    }
    """
"""What has the focus is called so."""
IS_SEEN = """
    () => {
        const style = getComputedStyle(document.activeElement);
        return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    }
    """
OUT_OF_ORDER = '[...document.querySelectorAll("[tabindex]")].filter(one => one.tabIndex > 0).length'


@pytest.fixture(scope="module", name="shown")
def _shown(module_database_url: str) -> Iterator[Demo]:
    with demo.running(module_database_url) as made:
        yield made


@pytest.fixture(name="window")
def _window(shown: Demo, browser: Chromium) -> Iterator[Window]:
    window = Window(browser, shown.person, viewport={"width": 1440, "height": 900})
    yield window
    assert window.complaints == []
    window.close()


def reach(tab: Page, name: str, key: str = "Tab") -> None:
    """Presses Tab until what is called so has the focus, which must be seen there.

    A name that ends in `…` is the beginning of one.
    """
    begins = name.endswith("…")
    met = []
    for _ in range(MOST_PRESSED):
        tab.keyboard.press(key)
        met.append(tab.evaluate(FOCUS))
        if met[-1].startswith(name.rstrip("…")) if begins else met[-1] == name:
            assert tab.evaluate(IS_SEEN), f"nobody sees that {name} has the focus"
            return
    pytest.fail(f"{name} is not reached; what was: {met}")


def press(tab: Page, name: str) -> None:
    """Goes to a link or button by Tab, and presses it; waits for the page that follows."""
    reach(tab, name)
    with tab.expect_navigation():
        tab.keyboard.press("Enter")
    tab.wait_for_selector("main h1")
    assert tab.evaluate(OUT_OF_ORDER) == 0


def sentence(tab: Page) -> str:
    """Returns what a page says first."""
    return str(tab.locator(".verdict h2").first.inner_text())


def test_16_lists_by_the_keyboard(window: Window) -> None:
    """Journey 4: skip to the content, choose a list, filter it, next page, and back; `/` searches."""
    tab = window.open("/ui/connections")
    reach(tab, "Skip to content")
    tab.keyboard.press("Enter")
    press(tab, "Reconnect required…")
    assert "health=reconnect_required" in tab.url
    reach(tab, "Provider")
    tab.keyboard.type("Hub")
    press(tab, "Apply")
    assert "provider=hubspot" in tab.url
    tab = window.open("/ui/connections")
    first = tab.locator("tbody a").first.inner_text()
    press(tab, "Next page")
    assert tab.locator("tbody a").first.inner_text() != first
    tab.go_back()
    assert tab.locator("tbody a").first.inner_text() == first
    tab.keyboard.press("/")
    tab.keyboard.type("118044210377")
    with tab.expect_navigation():
        tab.keyboard.press("Enter")
    assert tab.locator("h1").inner_text() == "Support inbox"


def test_16_deeds_by_the_keyboard(window: Window, shown: Demo) -> None:
    """Journey 6: pause, resume, disable with its question, enable, delete with what is typed."""
    tab = window.open(f"/ui/connections/{shown.ids['page_5120443']}")
    press(tab, "Pause")
    press(tab, "Resume")
    reach(tab, "More")
    tab.keyboard.press("Enter")
    press(tab, "Disable")
    press(tab, "Disable this connection")
    press(tab, "Enable")
    reach(tab, "More")
    tab.keyboard.press("Enter")
    press(tab, "Delete")
    reach(tab, "Type the external id")
    tab.keyboard.type("page_5120443")
    press(tab, "Delete this connection")
    tab = window.open(f"/ui/connections/{shown.ids['page_5120443']}")
    assert sentence(tab).startswith("Deleted")


def test_16_a_bulk_job_by_the_keyboard(window: Window) -> None:
    """Journey 8: choose two, see what would happen, and have it done."""
    tab = window.open("/ui/connections?provider=salesforce")
    reach(tab, "Choose 00D5g000004bXyE")
    tab.keyboard.press("Space")
    reach(tab, "Pause", "Shift+Tab")
    with tab.expect_navigation():
        tab.keyboard.press("Enter")
    assert tab.locator("h1").inner_text().startswith("Pause")
    press(tab, "Pause 1 connection")
    assert "/ui/bulk/" in tab.url

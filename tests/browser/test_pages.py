"""The pages of a consent as a browser shows them: on a narrow phone, under their own policy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from refresher.web.connect.pages import Pages
from tests.browser.chromium import Chromium, needs_browser
from tests.browser.pictures import PAGES

pytestmark = [pytest.mark.slow, needs_browser]
URL = "http://localhost/page"
NARROWEST = {"width": 320, "height": 640}
"""WCAG 2.2, 1.4.10: nothing is lost, and nothing scrolls sideways, at this width."""
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
FOCUS = "getComputedStyle(document.activeElement).outlineStyle"
BACKGROUND = "getComputedStyle(document.body).backgroundColor"


@pytest.fixture
def show(browser: Chromium) -> Callable[[str, str], Any]:
    """Shows a page, with the headers that it is sent with; whatever it complains of fails the test."""
    made, said = Pages("Acme"), []

    def shown(name: str, scheme: str) -> Any:
        form, values = PAGES[name]
        answer = made.page(form, values)
        profile = browser.profile(viewport=NARROWEST, color_scheme=scheme)
        page = profile.page()
        page.on("console", lambda message: said.append(message.text))
        headers = dict(answer.headers)
        body = bytes(answer.body)
        page.route(URL, lambda route: route.fulfill(status=200, headers=headers, body=body))
        page.goto(URL)
        assert said == [], name
        assert profile.asked() == [URL]
        return page

    return shown


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_and_can_be_used(show: Callable[[str, str], Any], scheme: str) -> None:
    """Its style counts; it fits 320 px; what is pressed is 44 px high, and shows where it is."""
    for name in PAGES:
        page = show(name, scheme)
        assert page.evaluate(BACKGROUND) != "rgba(0, 0, 0, 0)", name
        assert page.evaluate(SIDEWAYS) == 0, name
        for button in page.locator("button, .button, input").all():
            assert button.bounding_box()["height"] >= 44, name
        if page.locator("a, button, input").count():
            page.keyboard.press("Tab")
            assert page.evaluate(FOCUS) != "none", name

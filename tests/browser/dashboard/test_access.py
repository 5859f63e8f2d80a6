"""Journey 16: every page passes axe in both themes at three widths, and fits a width of 320 pixels.

Pages are taken from the routes, so that none can be forgotten: a new pattern needs its values here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from refresher.web.dashboard.routes import ROUTES
from tests.browser.chromium import Chromium, needs_chromium
from tests.browser.dashboard import demo
from tests.browser.dashboard.demo import Demo
from tests.browser.dashboard.window import Window
from tests.foreign.programs import HERE
from tests.postgres_versions import COMPLETE

AXE = HERE / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = """
    runOnly => axe.run(document, {runOnly}).then(found => found.violations.map(one =>
        `${one.id}: ${one.nodes.slice(0, 3).map(node => node.html.slice(0, 160)).join(", ")}`))
    """
WIDE = """
    () => document.documentElement.scrollWidth <= 320 ? null : [...document.querySelectorAll("main *")]
        .filter(one => one.getBoundingClientRect().right > 320)
        .slice(0, 3).map(one => one.outerHTML.slice(0, 200))
    """
"""The elements that stand out to the right, where any do."""
OF_COLOUR = ["color-contrast", "link-in-text-block"]
"""What the other theme may break: it changes nothing but colours."""
needs_axe = pytest.mark.skipif(
    not AXE.exists() and COMPLETE not in os.environ,
    reason="needs axe-core: `make browser` fetches it",
)
pytestmark = [pytest.mark.slow, needs_chromium, needs_axe]


@pytest.fixture(scope="module", name="shown")
def _shown(module_database_url: str) -> Iterator[Demo]:
    with demo.running(module_database_url) as made:
        yield made


def addresses(shown: Demo) -> list[str]:
    """Returns the address of every page, and of those that look different with a question."""
    patterns = sorted({route.pattern for route in ROUTES if route.method == "GET"})
    made = [_filled(pattern, shown) for pattern in patterns]
    one = f"/ui/connections/{shown.ids['118044210377']}"
    dead = f"/ui/connections/{shown.ids['44871902']}"
    return [
        *made,
        dead,
        f"{one}?at=1h%20ago",
        f"{one}?at=nonsense",
        f"/ui/connections/{UUID(int=0)}",
    ]


def _filled(pattern: str, shown: Demo) -> str:
    """Returns an address of this pattern."""
    known: dict[str, dict[str, Any]] = {
        "/ui/connections/{id}": {"id": shown.ids["118044210377"]},
        "/ui/providers/{name}": {"name": "google"},
        "/ui/apps/{provider}/{name}": {"provider": "google", "name": "default"},
        "/ui/organizations/{id*}": {"id*": "org-2041"},
        "/ui/recipients/{id}": {"id": demo.REFUSED},
        "/ui/webhooks/{id}": {"id": shown.endpoint},
        "/ui/bulk/{job}": {"job": demo.BULK_JOB},
        "/ui/keys/{id}": {"id": shown.key_ids["billing"]},
    }
    parts = next((p for start, p in known.items() if pattern.startswith(start)), {})
    return pattern.format(**parts)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_16_axe_finds_nothing(shown: Demo, browser: Chromium, width: int) -> None:
    """On no page, and the browser complains of nothing: no script, style or address is foreign."""
    viewport = {"width": width, "height": 900}
    window, found = Window(browser, shown.person, viewport=viewport, color_scheme="light"), {}
    for path in addresses(shown):
        tab = window.open(path)
        tab.evaluate(AXE.read_text(encoding="utf-8"))
        faults = tab.evaluate(RUN, {"type": "tag", "values": RULES})
        tab.emulate_media(color_scheme="dark")
        faults += tab.evaluate(RUN, {"type": "rule", "values": OF_COLOUR})
        tab.emulate_media(color_scheme="light")
        if faults:
            found[path] = faults
    assert found == {}
    assert window.complaints == []


def test_16_nothing_scrolls_sideways_on_the_smallest_screen(shown: Demo, browser: Chromium) -> None:
    """WCAG 2.2, 1.4.10 Reflow: 320 CSS pixels."""
    window = Window(browser, shown.person, viewport={"width": 320, "height": 640})
    wide = {path: found for path in addresses(shown) if (found := window.open(path).evaluate(WIDE))}
    assert wide == {}

"""Journey 15: without JavaScript, too. Signing in and deeds are tried both ways in their own files."""

from __future__ import annotations

import pytest

from tests.browser.chromium import needs_chromium
from tests.browser.dashboard.kit import Dash
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, needs_chromium]


def test_15_search(dash: Dash) -> None:
    """By external id, by its beginning, by id; none found says so."""
    of = dash.connect("without-script-1")
    ann = dash.person(java_script_enabled=False)
    for text in ("without-script-1", "without-scr", str(of.id)):
        ann.open("/ui")
        ann.page.get_by_label("Find a connection").fill(text)
        ann.page.get_by_label("Find a connection").press("Enter")
        ann.page.wait_for_url(lambda url: "find=" in url or url.endswith(of.path))
        assert "without-script-1" in ann.words
    ann.open("/ui/connections?find=nobody-at-all")
    assert "nobody-at-all" in ann.page.locator("main").inner_html()
    assert ann.page.locator("tbody tr").count() == 0


def test_15_bulk(dash: Dash) -> None:
    """Choose two, look at the preview, have it done, and see that it is."""
    two = [dash.connect(f"bulk-{n}", "of-bulk") for n in range(2)]
    ann = dash.person(java_script_enabled=False)
    ann.open("/ui/connections?organization=of-bulk")
    for box in ann.page.get_by_label("Choose bulk-").all():
        box.check()
    ann.page.get_by_role("button", name="Pause", exact=True).click()
    assert ann.heading == "Pause 2 connections?"
    ann.page.get_by_role("button", name="Pause 2 connections").click()
    ann.page.wait_for_url(f"{dash.url}/ui/bulk/*")
    wait_until(lambda: dash.deployment.run(
        "select 1 from connection where id = any(:ids) and paused_at is null",
        ids=[one.id for one in two],
    ) == [])  # fmt: skip
    ann.page.reload()
    wait_until(lambda: ann.page.reload() and "Done" in ann.words and "2" in ann.words)


def test_15_age_and_reload(dash: Dash) -> None:
    """A page says when it was made, and offers to be loaded again."""
    ann = dash.person(java_script_enabled=False)
    live = ann.page.locator(".live")
    assert live.inner_text().startswith("Updated ")
    live.get_by_role("link", name="Reload").click()
    assert ann.heading == "Overview"

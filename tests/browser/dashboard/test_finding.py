"""Journeys 3 and 4: a search leads to the one that is meant; filters, pages, and addresses to share."""

from __future__ import annotations

import pytest

from refresher.rules.access import Scope
from tests.browser.chromium import needs_chromium
from tests.browser.dashboard.kit import Dash

pytestmark = [pytest.mark.slow, needs_chromium]


@pytest.mark.parametrize("with_script", [True, False])
def test_3_searching(dash: Dash, with_script: bool) -> None:
    """By external id, by its beginning, by id; none is told; another organization's is not found."""
    one = dash.connect("find-1042", name="Ann's mailbox")
    dash.connect("find-10421")
    foreign = dash.connect("find-foreign", "globex")
    ann = dash.person(java_script_enabled=with_script)

    def search(text: str) -> None:
        ann.page.get_by_role("searchbox", name="Find a connection").fill(text)
        with ann.page.expect_navigation():
            ann.page.keyboard.press("Enter")

    for text in ("find-1042", "ann's m", str(one.id)):
        ann.open("/ui")
        search(text)
        ann.page.wait_for_url(f"{dash.url}{one.path}")
    search("find-10")
    assert ann.sentence == "2 connections fit “find-10”."
    search("nobody at all")
    assert ann.sentence == "No connection fits “nobody at all”."
    assert ann.page.get_by_role("searchbox").input_value() == "nobody at all"
    bound = dash.person(dash.key([Scope.READ], "acme"), java_script_enabled=with_script)
    bound.open(f"/ui/connections?find={foreign.id}")
    assert bound.sentence.startswith("No connection fits")
    bound.open(foreign.path)
    assert bound.heading == "Not found"


def test_4_filters_and_pages(dash: Dash) -> None:
    """Filters, the next page and back; the address shows the same to somebody else."""
    for n in range(53):
        dash.connect(f"page-{n:02}", "paging")
    dash.deployment.api("POST", f"/v1/connections/{dash.connect('page-53', 'paging').id}/pause")
    ann = dash.person()
    page = ann.open("/ui/connections")
    page.get_by_label("Organization").fill("paging")
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url("**organization=paging**")
    assert page.locator("tbody tr").count() == 50
    page.get_by_role("link", name="Next page").click()
    page.wait_for_url("**cursor=**")
    page.wait_for_selector("text=page-53")
    second = page.locator("tbody tr").all_inner_texts()
    assert len(second) == 4
    page.go_back()
    page.wait_for_selector("text=page-00")
    page.go_forward()
    ben = dash.person()
    ben.open(ann.path)
    assert [text.split()[0] for text in ben.page.locator("tbody tr").all_inner_texts()] == [
        text.split()[0] for text in second
    ]
    page.get_by_role("link", name="Paused 1").click()
    page.wait_for_url("**health=paused**")
    assert ann.sentence == "1 connection is paused."
    assert "organization=paging" in ann.path
    page.get_by_label("Choose page-53").check()
    assert page.get_by_text("1 chosen").is_visible()

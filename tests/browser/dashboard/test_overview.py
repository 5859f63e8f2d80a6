"""Journey 2: one need each on the overview; links lead to the right list; well again without reload."""

from __future__ import annotations

import pytest

from refresher.notify import endpoints
from refresher.notify.endpoints import WantedEndpoint
from refresher.outbound.egress import Egress
from refresher.store import webhooks
from tests.browser.chromium import needs_chromium
from tests.browser.dashboard.kit import BY, Dash
from tests.refresh.pausing import hold
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, needs_chromium]
GONE = """
    update refresh_schedule set state = 2, lease_until = null, parked_reason = 'reconnect_required'
    where connection_id = :id
    """
LINKS = {
    "Put it right": ("/ui/apps/fake/default", "fake/default"),
    "Show them": ("/ui/connections?health=reconnect_required", "acme-1"),
    "Open it": ("/ui/webhooks/", "hooks.example.net"),
}
BACK = """
    update refresh_schedule set state = 0, parked_reason = null,
        due_at = refresher_now() + interval '30 minutes' where connection_id = :id
    """


def disabled_endpoint(dash: Dash) -> None:
    """Makes an endpoint that gave up by itself."""
    services = dash.deployment.services
    egress = Egress(lookup=lambda _host: ["93.184.216.34"])
    wanted = WantedEndpoint("https://hooks.example.net/in", ["*"], None, None)
    made, _ = endpoints.add(services.database, services.cipher, egress, wanted, BY)
    with services.database.transaction() as db:
        webhooks.disable(db, made, "it answered 410 Gone")


def test_2_the_overview_tells_what_needs_a_person(dash: Dash) -> None:
    """Well; then one need each with its link; then well again, on the page that stayed open."""
    one, _ = dash.connect("acme-1"), dash.connect("acme-2")
    run, ann = dash.deployment.run, dash.person()
    page, well = ann.page, "Every token is fresh, and nothing needs a person."
    wait_until(lambda: ann.sentence == well, reason=lambda: ann.words)
    run(GONE, id=one.id)
    run("update connection set status = 'reconnect_required' where id = :id", id=one.id)
    with dash.deployment.services.database.transaction() as db:
        hold(db, "app", "fake/default", sort="refused", reason="invalid_client", seconds=600)
    disabled_endpoint(dash)
    needs = "Every token is fresh. 3 things need a person."
    wait_until(lambda: ann.sentence == needs, reason=lambda: ann.words)
    assert page.get_by_role("status").inner_text() == ann.sentence
    assert page.locator(".todo h3").all_inner_texts() == [
        "Acme Calendar refuses our app fake/default", "1 connection has to be connected again",
        "A webhook endpoint is disabled",
    ]  # fmt: skip
    column = page.get_by_role("navigation", name="Main").inner_text().split()
    assert column.count("1") == 4
    for link, (wanted, shown) in LINKS.items():
        page.get_by_role("link", name=link).click()
        assert ann.path.startswith(wanted)
        assert shown in page.locator("main").inner_text()
        page.go_back()
    run(BACK, id=one.id)
    run("update connection set status = 'active' where id = :id", id=one.id)
    run("delete from pause")
    run("delete from webhook_endpoint")
    wait_until(lambda: ann.sentence == well, reason=lambda: ann.words)
    assert page.locator(".todo").count() == 0

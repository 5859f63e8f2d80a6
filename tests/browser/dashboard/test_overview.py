"""Journey 2: one need each on the overview; links lead to the right list; well again without reload."""

from __future__ import annotations

import pytest

from refresher.notify import endpoints
from refresher.notify.endpoints import WantedEndpoint
from refresher.outbound.egress import Egress
from refresher.store import webhooks
from tests.browser.chromium import needs_chromium
from tests.browser.dashboard.kit import BY, Dash

pytestmark = [pytest.mark.slow, needs_chromium]
GONE = """
    update refresh_schedule set state = 2, lease_until = null, parked_reason = 'reconnect_required'
    where connection_id = :id
    """
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
    ann = dash.person()
    page = ann.page
    well = "Every token is fresh, and nothing needs a person."
    page.get_by_role("status").filter(has_text=well).wait_for()
    assert ann.sentence == well
    run(BACK, id=one.id)
    run("update connection set status = 'active' where id = :id", id=one.id)
    run("delete from pause")
    run("delete from webhook_endpoint")
    page.get_by_role("status").filter(has_text=well).wait_for()
    assert ann.sentence == well
    assert page.locator(".todo").count() == 0

"""A web process that is killed while a code is under way (T16 of the design), seen from a browser."""

from __future__ import annotations

import pytest

from tests.browser.chromium import needs_browser
from tests.browser.conftest import Site
from tests.browser.journey import heading, words
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, needs_browser]
OVER = "update connect_session set exchange_until = refresher_now() where id = :id"


def test_t16_killed_while_the_code_is_under_way(site: Site) -> None:
    """Nothing of ours exists then; it is never sent again, and the person may begin anew."""
    deployment, ann = site.deployment, site.at_fake()
    first = deployment.session("fake", external_id="t16")
    ann.connect(first)
    connection = deployment.ended(first)["connection_id"]
    session = deployment.session(connection_id=connection)
    site.fake.admin.add_fault("slow", on="code", count=1, seconds=20)
    page = ann.at_consent(session)
    before = site.fake.admin.summary().code_requests
    callback = ann.caught_callback(page)
    page.evaluate("url => { location = url }", callback)
    wait_until(lambda: deployment.status(session)["state"] == "exchanging")
    wait_until(lambda: site.fake.admin.summary().code_requests == before + 1)
    deployment.kill_web()
    deployment.start_web()
    deployment.run(OVER, id=session["id"])
    wait_until(lambda: deployment.status(session)["state"] == "open")
    page.goto(callback)
    assert "Nothing was connected" in words(ann.arrived(page))
    assert deployment.refreshes(connection)
    ann.press(page)
    ann.person.allow(page)
    assert heading(ann.arrived(page)) == "Acme Calendar is connected"
    assert site.fake.admin.summary().code_requests == before + 2

"""Journey 1: sign in, wrong and right; the cookie; sign out; a revoked key; back to where one was."""

from __future__ import annotations

import pytest

from refresher.connections import api_keys, dashboard_links
from refresher.rules.access import Scope
from tests.browser.chromium import needs_chromium
from tests.browser.dashboard.kit import BY, Dash

pytestmark = [pytest.mark.slow, needs_chromium]


@pytest.mark.parametrize("with_script", [True, False])
def test_1_signing_in(dash: Dash, with_script: bool) -> None:
    """The whole way, also without JavaScript (journey 15)."""
    ann = dash.stranger(java_script_enabled=with_script)
    page = ann.open("/ui/account")
    assert (ann.path, ann.heading) == ("/ui/sign-in?next=/ui/account", "Sign in")
    ann.sign_in("rfr_wrong")
    assert page.get_by_role("alert").inner_text().startswith("This API key is not known.")
    key = dash.key([Scope.READ])
    ann.sign_in(key)
    page.wait_for_url(f"{dash.url}/ui/account")
    assert "You are signed in as ann." in ann.words
    (cookie,) = [one for one in ann.context.cookies() if one["name"] == "refresher"]
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["secure"]) == (True, "Strict", False)
    assert key not in page.content()
    page.get_by_role("button", name="Sign out").click()
    assert ann.sentence == "You are signed out."
    ann.open("/ui/account")
    assert ann.heading == "Sign in"
    ann.sign_in(key)
    page.wait_for_url(f"{dash.url}/ui/account")
    api_keys.revoke(dash.deployment.services.database, key.split("_")[1], by=BY)
    page.wait_for_timeout(1_100)
    page.reload()
    assert ann.sentence == "The API key of this session was revoked."
    ann.sign_in(dash.key([Scope.READ]))
    page.wait_for_url(f"{dash.url}/ui/account")


def test_a_link_signs_in_by_itself(dash: Dash) -> None:
    """As `refresher up` opens it: nobody types anything, and it works once."""
    path = dashboard_links.make(dash.deployment.services.database, BY)
    ann = dash.stranger()
    ann.open(path)
    ann.page.wait_for_url(f"{dash.url}/ui")
    ben = dash.stranger()
    ben.open(path)
    ben.page.wait_for_selector(".verdict")
    assert ben.sentence == "This link was used, or is too old."


def test_what_this_browser_chose(dash: Dash) -> None:
    """Theme and time zone are kept, without a script, for this browser."""
    ann = dash.person()
    page = ann.open("/ui/account")
    page.get_by_label("Dark").check()
    page.get_by_label("Time zone").fill("Asia/Kolkata")
    page.get_by_role("button", name="Keep").click()
    assert ann.sentence == "Kept for this browser."
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert "IST" in page.locator(".live").inner_text()
    page.get_by_label("Time zone").fill("Mars/Olympus")
    page.get_by_role("button", name="Keep").click()
    assert "There is no time zone “Mars/Olympus”" in ann.sentence
    assert page.get_by_label("Time zone").input_value() == "Mars/Olympus"

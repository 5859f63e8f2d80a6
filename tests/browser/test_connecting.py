"""A person connects an account in a browser, at servers that we did not write."""

from __future__ import annotations

import pytest

from tests import loopback
from tests.browser.chromium import needs_browser
from tests.browser.conftest import Site
from tests.browser.journey import heading, words
from tests.browser.verifier import Verifier

pytestmark = [pytest.mark.slow, needs_browser]


def test_our_page_then_the_providers_then_ours(site: Site) -> None:
    """A mailed link: it says for whom and at which provider; the token that comes of it refreshes."""
    session, ann = site.deployment.session("oidc", external_id="link", flow="link"), site.person()
    page = ann.opened(session)
    assert "Acme Mail" in heading(page)
    assert "Ann, of Acme" in words(page)
    ann.press(page)
    ann.person.sign_in(page)
    ann.person.allow(page)
    ann.arrived(page)
    assert heading(page) == "Acme Mail is connected"
    ended = site.deployment.ended(session)
    assert (ended["outcome"], ended["problem"]) == ("connected", None)
    assert lives(site, site.deployment.refreshes(ended["connection_id"]))


def test_the_application_has_the_last_word(site: Site) -> None:
    """No page of ours is seen; nothing is connected before the application says so."""
    verifier, ann = Verifier(), site.person()
    order = {"return_url": f"{site.app.url}?tab=1", "finish": "application"}
    session = site.deployment.session(
        external_id="hop", finish_challenge=verifier.challenge, **order
    )
    page = ann.opened(session)
    ann.person.sign_in(page)
    ann.person.allow(page)
    ann.arrived(page)
    (back,) = site.app.returned
    assert back.keys() == {"tab", "connect_session", "connect_status", "connect_code"}
    assert (back["connect_session"], back["connect_status"]) == (session["id"], "confirm")
    assert site.deployment.status(session)["state"] == "held"
    said = {"code": back["connect_code"], "verifier": verifier.text}
    path = f"/v1/connect/sessions/{session['id']}/complete"
    completed = site.deployment.api("POST", path, json=said)
    assert site.deployment.token(completed["connection_id"])
    assert site.deployment.ask("POST", path, json=said).status_code == 409


def test_another_server_that_tells_less(site: Site) -> None:
    """django-oauth-toolkit: no `iss`; whose account it is tells userinfo."""
    session, ann = site.deployment.session("toolkit", external_id="files"), site.at_toolkit()
    assert heading(ann.connect(session)) == "Acme Files is connected"
    ended = site.deployment.ended(session)
    assert ended["outcome"] == "connected"
    assert site.deployment.refreshes(ended["connection_id"])


def test_a_reconnect_keeps_the_connection(site: Site) -> None:
    """The same account again: the same connection, with a token of the new grant."""
    first = site.person()
    session = site.deployment.session(external_id="again")
    first.connect(session)
    connection = site.deployment.ended(session)["connection_id"]
    before = site.deployment.token(connection)
    again = site.deployment.session(connection_id=connection)
    page = site.person().opened(again)
    assert heading(page) == "Reconnect Acme Mail"
    second = site.person()
    second.connect(again)
    ended = site.deployment.ended(again)
    assert (ended["kind"], ended["connection_id"]) == ("reconnect", connection)
    assert site.deployment.token(connection) != before
    assert lives(site, site.deployment.refreshes(connection))


def test_nothing_is_fetched_from_elsewhere(site: Site) -> None:
    """No page of ours asks anybody for a font, a style or an image; nor has it a script."""
    session, ann = site.deployment.session(external_id="quiet"), site.person()
    page = ann.connect(session)
    ours = [url for url in ann.profile.asked() if url.startswith(site.deployment.url)]
    assert all("/connect/" in url for url in ours), ours
    assert page.locator("script").count() == 0


def lives(site: Site, token: str) -> bool:
    """Whether oidc-provider takes an access token."""
    auth = ("resource", site.oidc["secret"])
    asked = loopback.post(
        f"{site.oidc['url']}/token/introspection", data={"token": token}, auth=auth
    )
    return bool(asked.json()["active"])

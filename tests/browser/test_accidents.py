"""What goes wrong without any malice, each tried in a browser (T7 to T13, T20 of the design)."""

from __future__ import annotations

import pytest

from tests import loopback
from tests.browser.chromium import needs_browser
from tests.browser.conftest import Site
from tests.browser.journey import heading, words
from tests.browser.test_attacks import changed

pytestmark = [pytest.mark.slow, needs_browser]
ENDED = "This link has ended"


def test_t7_scanners_and_prefetches_change_nothing(site: Site) -> None:
    """Looked at fifty times, then prefetched by a browser with the callback: it goes on as ever."""
    session, ann = site.deployment.session(external_id="t7", flow="link"), site.person()
    with loopback.client() as client:
        for n in range(50):
            assert client.request("HEAD" if n % 2 else "GET", session["url"]).status_code in {
                200,
                429,
            }
    assert site.deployment.status(session)["attempts"] == 0
    page = ann.at_consent(session)
    callback, before = ann.caught_callback(page), site.counted()
    ahead = {"Sec-Purpose": "prefetch", "Cookie": cookie_header(ann.profile.cookies())}
    assert loopback.get(callback, headers=ahead).status_code == 204
    assert site.counted() == before
    page.goto(callback)
    assert heading(ann.arrived(page)) == "Acme Mail is connected"


def test_t9_two_tabs(site: Site) -> None:
    """The first tab to come back wins; the other is told so, and its code is never sent."""
    session, ann = site.deployment.session(external_id="t9"), site.person()
    first = ann.at_consent(session)
    second = ann.profile.page()
    ann.leave(session, second)
    first_callback = ann.caught_callback(first)
    ann.person.sign_in(second) if second.locator('input[name="login"]').count() else None
    second_callback = ann.caught_callback(second)
    before = site.counted()
    first.goto(first_callback)
    assert heading(ann.arrived(first)) == "Acme Mail is connected"
    second.goto(second_callback)
    assert "is connected" in heading(ann.arrived(second))
    assert site.counted() == before + 1
    assert site.deployment.status(session)["attempts"] == 2


def test_t10_back_and_reload(site: Site) -> None:
    """Back from the provider the start page works; the result can be reloaded; nothing twice."""
    session, ann = site.deployment.session(external_id="t10"), site.person()
    page = ann.leave(session)
    page.go_back()
    page.wait_for_url(f"{site.deployment.url}/connect/**")
    assert heading(page) == "Connect Acme Mail"
    ann.press(page)
    ann.person.sign_in(page)
    before = site.counted()
    ann.person.allow(page)
    done = heading(ann.arrived(page))
    page.reload()
    assert heading(page) == done == "Acme Mail is connected"
    assert site.counted() == before + 1
    page.go_back()
    page.go_forward()
    assert heading(ann.arrived(page)) == done
    assert site.counted() == before + 1
    assert heading(ann.opened(session)) == "The service is connected already"


def test_t11_the_session_ends_meanwhile(site: Site) -> None:
    """Who left in time may come back: it connects."""
    session, ann = site.deployment.session(external_id="t11"), site.person()
    page = ann.at_consent(session)
    statement = "update connect_session set expires_at = now() - interval '1 s' where id = :id"
    site.deployment.run(statement, id=session["id"])
    ann.person.allow(page)
    assert heading(ann.arrived(page)) == "Acme Mail is connected"


def test_t11_the_attempt_ends_meanwhile(site: Site) -> None:
    """Who was at the provider for too long is told so, and may try again; that code is never sent."""
    session, ann = site.deployment.session(external_id="t11b"), site.person()
    page, before = ann.at_consent(session), site.counted()
    statement = (
        "update connect_attempt set expires_at = now() - interval '1 s' where session_id = :id"
    )
    site.deployment.run(statement, id=session["id"])
    ann.person.allow(page)
    assert heading(ann.arrived(page)) == "That took too long"
    assert site.counted() == before


def test_t12_who_says_no_may_say_yes(site: Site) -> None:
    """Cancel at the provider is a page of ours, with a way back to the provider that works."""
    session, ann = site.deployment.session(external_id="t12"), site.person()
    page = ann.at_consent(session)
    ann.person.refuse(page)
    assert "You did not allow it, so nothing was connected." in words(ann.arrived(page))
    assert site.deployment.status(session)["problem"]["code"] == "denied"
    ann.press(page)
    if page.locator('input[name="login"]').count():
        ann.person.sign_in(page)
    ann.person.allow(page)
    assert heading(ann.arrived(page)) == "Acme Mail is connected"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("invalid_scope", "app_wrong"),
        ("unauthorized_client", "app_wrong"),
        ("temporarily_unavailable", "provider_trouble"),
        ("interaction_required", "consent_needed"),
        ("something_new", "provider_trouble"),
    ],
)
def test_t12_errors_are_pages(site: Site, error: str, code: str) -> None:
    """Whatever the provider says has a page; 3 kB of HTML in its words are not shown."""
    session, ann = site.deployment.session(external_id=f"t12-{error}"), site.person()
    page = ann.at_consent(session)
    callback = ann.caught_callback(page)
    loud = "<script>document.title = 'taken'</script><h1>Loud</h1>" + "x" * 3_000
    page.goto(changed(callback, code=None, error=error, error_description=loud))
    ann.arrived(page)
    assert "Loud" not in page.content()
    assert page.title() != "taken"
    problem = site.deployment.status(session)["problem"]
    assert problem["code"] == code
    assert len(problem["sentence"]) <= 400


def test_t13_the_wrong_account_then_the_right_one(site: Site) -> None:
    """Nothing is changed, and the old token refreshes on; the next attempt asks who it is."""
    deployment, session = site.deployment, site.deployment.session(external_id="t13")
    site.person("ann").connect(session)
    connection = deployment.ended(session)["connection_id"]
    again, ben = deployment.session(connection_id=connection), site.person("ben")
    page = ben.connect(again)
    assert "ben" in words(page)
    assert heading(page) == "This was another account"
    status = deployment.status(again)
    assert (status["state"], status["problem"]["code"]) == ("open", "wrong_account")
    assert deployment.refreshes(connection)
    ben.press(page)
    ann = site.person("ann").person
    ann.sign_in(page)
    ann.allow(page)
    assert heading(ben.arrived(page)) == "Acme Mail is connected"
    assert deployment.ended(again)["outcome"] == "connected"
    assert deployment.refreshes(connection)


def test_t20_a_right_that_ends_meanwhile(site: Site) -> None:
    """The key that made the session is revoked while the person is away: nothing is stored."""
    deployment, ann = site.deployment, site.person()
    made = deployment.api("GET", "/v1/whoami")
    session = deployment.session(external_id="t20")
    page, before = ann.at_consent(session), site.counted()
    statement = "update api_key set revoked_at = now() where id = :id"
    deployment.run(statement, id=made["key_id"])
    try:
        ann.person.allow(page)
        page.wait_for_url(f"{deployment.url}/**")
        assert heading(page) == ENDED
        assert site.counted() == before
    finally:
        deployment.run("update api_key set revoked_at = null where id = :id", id=made["key_id"])
    assert deployment.run("select from connection where external_id = 't20'") == []


def cookie_header(cookies: dict[str, str]) -> str:
    """Returns the header that a browser would send."""
    return "; ".join(f"{name}={value}" for name, value in cookies.items())

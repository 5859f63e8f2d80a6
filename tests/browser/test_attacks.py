"""Attacks on a consent, each tried in a browser (T1 to T8 of the design; docs/connect.md)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from tests import loopback
from tests.browser.chromium import needs_browser
from tests.browser.conftest import Site
from tests.browser.journey import heading
from tests.browser.verifier import Verifier

pytestmark = [pytest.mark.slow, needs_browser]
OTHER_BROWSER = "This began in another browser"


def changed(url: str, **parameters: str | None) -> str:
    """Returns a callback's URL with these parameters instead; None takes one away."""
    parts = urlsplit(url)
    query = {**dict(parse_qsl(parts.query)), **parameters}
    return parts._replace(
        query=urlencode({k: v for k, v in query.items() if v is not None})
    ).geturl()


def test_t1_somebody_elses_callback(site: Site) -> None:
    """Login CSRF: a browser that did not begin it is told so; the code is never sent."""
    session, mallory = site.deployment.session(external_id="t1"), site.person("mallory")
    callback = mallory.caught_callback(mallory.at_consent(session))
    before = site.counted()
    page = site.person("ann").profile.page()
    page.goto(callback)
    assert heading(page) == OTHER_BROWSER
    assert site.counted() == before
    assert site.deployment.status(session)["state"] == "open"


def test_t2_a_state_that_nobody_made(site: Site) -> None:
    """Made up or absent: a page that tells nothing; no cookie is set, nobody is asked."""
    before, page = site.counted(), site.person().profile.page()
    for query in ("", "?code=c&state=" + "x" * 43, "?code=c", "?error=access_denied&state="):
        page.goto(site.deployment.callback("oidc") + query)
        assert heading(page)
        assert "Acme Mail" not in page.content()
    assert site.counted() == before
    assert page.context.cookies() == []


def test_t3_a_stolen_code_in_ones_own_attempt(site: Site) -> None:
    """PKCE: the exchange is refused, and the session may be tried again."""
    victim, thief = site.person("ann"), site.person("mallory")
    stolen = victim.caught_callback(victim.at_consent(site.deployment.session(external_id="t3a")))
    session = site.deployment.session(external_id="t3b")
    page = thief.at_consent(session)
    own = thief.caught_callback(page)
    code = dict(parse_qsl(urlsplit(stolen).query))["code"]
    page.goto(changed(own, code=code))
    thief.arrived(page)
    status = site.deployment.status(session)
    assert (status["state"], status["problem"]["code"]) == ("open", "refused_code")
    assert status["attempts"] == 1


@pytest.mark.parametrize(
    "given",
    [
        {"iss": "http://localhost:1"},
        {"iss": None},
        {"iss": "http://localhost:1", "code": None, "error": "access_denied"},
    ],
    ids=["another", "none", "another with an error"],
)
def test_t4_another_issuer(site: Site, given: dict[str, str | None]) -> None:
    """A wrong `iss`, or none where it is announced: refused before any exchange, its words unshown."""
    session, ann = site.deployment.session(external_id="t4"), site.person()
    page = ann.at_consent(session)
    callback, before = ann.caught_callback(page), site.counted()
    page.goto(changed(callback, error_description="<b>words of another</b>", **given))
    ann.arrived(page)
    assert "words of another" not in page.content()
    assert site.counted() == before
    assert site.deployment.status(session)["problem"]["code"] == "wrong_issuer"


def test_t4_the_path_of_another_provider(site: Site) -> None:
    """What one provider answers is not taken where another answers."""
    session, ann = site.deployment.session(external_id="t4p"), site.person()
    page = ann.at_consent(session)
    callback, before = ann.caught_callback(page), site.counted()
    page.goto(callback.replace("/callback/oidc", "/callback/toolkit"))
    assert heading(page)
    assert site.counted() == before
    assert site.deployment.status(session)["state"] == "open"


def test_t5_a_callback_that_comes_again(site: Site) -> None:
    """After success it leads to the result; the code was sent once, and the token lives."""
    session, ann = site.deployment.session(external_id="t5"), site.person()
    page = ann.at_consent(session)
    callback, before = ann.caught_callback(page), site.counted()
    for _ in range(2):
        page.goto(callback)
        assert heading(ann.arrived(page)) == "Acme Mail is connected"
    assert site.counted() == before + 1
    assert site.deployment.refreshes(site.deployment.ended(session)["connection_id"])


def test_t5_a_callback_that_comes_twice_at_once(site: Site) -> None:
    """Of many at the same moment one sends the code; all lead to the same result."""
    session, ann = site.deployment.session(external_id="t5b"), site.person()
    callback = ann.caught_callback(ann.at_consent(session))
    before, cookies = site.counted(), ann.profile.cookies()

    def come(_n: int) -> tuple[int, str]:
        answer = loopback.get(callback, cookies=cookies)
        return answer.status_code, answer.headers.get("location", "")

    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(come, range(8)))
    assert {status for status, _ in answers} == {303}
    assert len(answers) == 1, answers
    assert site.deployment.ended(session)["outcome"] == "connected"
    assert site.counted() == before + 1
    assert site.deployment.refreshes(site.deployment.status(session)["connection_id"])


def test_t6_a_link_that_somebody_else_opens(site: Site) -> None:
    """The page says for whom it is, before anything leaves; the first browser sees nothing of it."""
    session = site.deployment.session(external_id="t6", for_whom="Ann, of Acme")
    page = site.person("ben").opened(session)
    assert "Ann, of Acme" in page.content()
    assert site.deployment.status(session)["attempts"] == 0


def test_t6_who_did_not_begin_cannot_finish(site: Site) -> None:
    """With `finish: application` a code without its verifier is worth nothing."""
    verifier, ben = Verifier(), site.person("ben")
    session = site.deployment.session(
        external_id="t6b", finish="application", return_url=site.app.url,
        finish_challenge=verifier.challenge,
    )  # fmt: skip
    page = ben.opened(session)
    ben.person.sign_in(page)
    ben.person.allow(page)
    ben.arrived(page)
    code = site.app.returned[-1]["connect_code"]
    wrong = Verifier().text
    path = f"/v1/connect/sessions/{session['id']}/complete"
    for body in ({"code": code, "verifier": wrong}, {"code": wrong, "verifier": verifier.text}):
        assert site.deployment.ask("POST", path, json=body).status_code == 409
    assert site.deployment.status(session)["state"] == "held"


def test_t8_another_site_cannot_start_it(site: Site) -> None:
    """A form that submits itself from elsewhere is refused with a page; nothing was begun."""
    session, page = site.deployment.session(external_id="t8"), site.person().profile.page()
    form = f'<form method="post" action="{session["url"]}/start"></form>'
    with page.expect_response("**/start") as answer:
        page.goto(site.app.show(form + "<script>document.forms[0].submit()</script>"))
    assert answer.value.status == 403
    page.wait_for_url("**/start")
    assert heading(page) == "Please start here"
    assert site.deployment.status(session)["attempts"] == 0


def test_t8_no_page_of_ours_in_a_frame(site: Site) -> None:
    """The browser shows nothing of it in a frame of another site's page."""
    session, page = site.deployment.session(external_id="t8b"), site.person().profile.page()
    page.goto(site.app.show(f'<iframe src="{session["url"]}"></iframe>'))
    (frame,) = page.frames[1:]
    frame.wait_for_load_state()
    assert frame.locator("button").count() == 0
    assert "Acme Mail" not in frame.content()

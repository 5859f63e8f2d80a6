"""Behind a proxy with TLS, as in production: cookies that only https may have, and HSTS (T24)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import tls
from tests.browser.chromium import Chromium, needs_browser
from tests.browser.deployment import OIDC_PROVIDER, Deployment, entry
from tests.browser.journey import Journey, heading
from tests.browser.people import AtOidcProvider
from tests.foreign.programs import running
from tests.outbound.certificates import make_certificates
from tests.processes import Spawner

pytestmark = [pytest.mark.slow, needs_browser]


@pytest.fixture
def secure(spawn: Spawner, database_url: str, tmp_path: Path) -> Iterator[Deployment]:
    """A deployment whose public address is https, and not where it listens."""
    made = Deployment(spawn, database_url, tmp_path, {"REFRESHER_HSTS_SECONDS": "600"})
    with tls.in_front_of(made.port, make_certificates(tmp_path).server) as port:
        made.given["REFRESHER_PUBLIC_URL"] = f"https://localhost:{port}"
        with running("consent.mjs", tmp_path / "oidc.log", made.callback("oidc")) as server:
            made.start(entry(OIDC_PROVIDER, server))
            yield made
    made.close()


def test_the_cookie_is_of_this_host_alone(secure: Deployment, browser: Chromium) -> None:
    """Its prefix has browsers refuse one that another host has put; pages are https from then on."""
    session = secure.session(external_id="tls")
    profile = browser.profile(ignore_https_errors=True)
    ann = Journey(secure, AtOidcProvider(), profile)
    page = profile.page()
    answer = page.goto(session["url"])
    assert answer.all_headers()["strict-transport-security"] == "max-age=600"
    ann.press(page)
    (cookie,) = [one for one in profile.context.cookies() if "rfc-" in one["name"]]
    assert cookie["name"].startswith("__Host-rfc-")
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Lax")
    ann.person.sign_in(page)
    ann.person.allow(page)
    assert heading(ann.arrived(page)) == "Acme Mail is connected"
    assert secure.refreshes(secure.ended(session)["connection_id"])


def test_a_proxy_that_strips_cookies(secure: Deployment, browser: Chromium) -> None:
    """The callback looks like another browser's, and is told so: nothing is connected."""
    session = secure.session(external_id="stripped")
    profile = browser.profile(ignore_https_errors=True)
    ann = Journey(secure, AtOidcProvider(), profile)
    page = ann.at_consent(session)
    profile.context.clear_cookies(name=next(n for n in profile.cookies() if "rfc-" in n))
    ann.person.allow(page)
    page.wait_for_url(f"{secure.url}/**")
    assert heading(page) == "This began in another browser"

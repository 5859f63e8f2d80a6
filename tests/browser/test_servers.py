"""The servers that consent is tried at, by themselves: who signs in and allows brings a code back."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from tests import loopback
from tests.browser.chromium import Chromium, needs_browser
from tests.browser.people import AtDjango, AtOidcProvider, Person
from tests.foreign.programs import running

pytestmark = [pytest.mark.slow, needs_browser]
# A port that browsers refuse to speak with: the way back ends there, with its URL in the address bar.
BACK = "http://127.0.0.1:1/callback"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=")


@pytest.fixture(scope="module")
def oidc_provider(folder: Path) -> Iterator[dict[str, Any]]:
    """oidc-provider, with its own pages."""
    with running("consent.mjs", folder / "oidc.log", BACK) as server:
        yield server


@pytest.fixture(scope="module")
def toolkit(folder: Path) -> Iterator[dict[str, Any]]:
    """django-oauth-toolkit, with its own and Django's pages."""
    with running("django_consent", folder / "django.log", folder, BACK) as server:
        yield server


def consent(
    browser: Chromium, authorize_url: str, client_id: str, person: Person, *more: str
) -> dict[str, str]:
    """Signs in, allows, and returns what came back to the client."""
    asked = {
        "client_id": client_id, "response_type": "code", "redirect_uri": BACK, "state": "s",
        "scope": " ".join(("openid", *more)), "prompt": "consent",
        "code_challenge": CHALLENGE.decode(), "code_challenge_method": "S256",
    }  # fmt: skip
    page = browser.profile().page()
    page.goto(f"{authorize_url}?{urlencode(asked)}")
    person.sign_in(page)
    with page.expect_request(f"{BACK}*") as request:
        person.allow(page)
    return dict(parse_qsl(urlsplit(request.value.url).query))


def exchange(token_url: str, server: dict[str, Any], code: str) -> Any:
    """Returns the answer to a code."""
    sent = {"grant_type": "authorization_code", "redirect_uri": BACK}
    auth = (server["client_id"], server["secret"])
    data = {**sent, "code": code, "code_verifier": VERIFIER}
    return loopback.post(token_url, data=data, auth=auth)


def test_oidc_provider(browser: Chromium, oidc_provider: dict[str, Any]) -> None:
    """It sends `iss`; a code that comes twice ends what the first gave; both are counted."""
    url = oidc_provider["url"]
    back = consent(browser, f"{url}/auth", "refresher", AtOidcProvider(), "offline_access")
    assert (back["state"], back["iss"]) == ("s", url)
    granted = exchange(f"{url}/token", oidc_provider, back["code"]).json()
    assert set(granted) >= {"access_token", "refresh_token", "id_token"}
    assert exchange(f"{url}/token", oidc_provider, back["code"]).status_code == 400
    counted = json.loads(loopback.get(f"{url}/counted").text)
    assert counted == {"authorization_code granted": 1, "authorization_code refused": 1}


def test_django_oauth_toolkit(browser: Chromium, toolkit: dict[str, Any]) -> None:
    """It sends no `iss`; its answer names who it was."""
    url, person = toolkit["url"], AtDjango(toolkit["password"])
    back = consent(browser, f"{url}/o/authorize/", toolkit["client_id"], person)
    assert back.keys() == {"state", "code"}
    granted = exchange(f"{url}/o/token/", toolkit, back["code"]).json()
    assert set(granted) >= {"access_token", "refresh_token", "id_token"}
    assert loopback.get(f"{url}/counted").json() == {"authorization_code granted": 1}

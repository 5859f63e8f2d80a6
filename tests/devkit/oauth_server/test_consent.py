"""The authorize endpoint and what a code gives, over real sockets."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest

from refresher.devkit.oauth_server import FakeProvider
from refresher.devkit.oauth_server.consent.codes import s256
from tests import loopback

BACK = "https://app.example/back?kept=1"
VERIFIER = "v" * 43
ASK = {
    "response_type": "code",
    "client_id": "fake-client",
    "redirect_uri": BACK,
    "scope": "openid read",
    "state": "s" * 43,
    "nonce": "n1",
    "code_challenge": s256(VERIFIER),
    "code_challenge_method": "S256",
}


def ask(provider: FakeProvider, **changes: str | None) -> httpx.Response:
    """Comes to the authorize endpoint as a browser does; None leaves a parameter out."""
    asked = {name: value for name, value in {**ASK, **changes}.items() if value is not None}
    return loopback.get(f"{provider.url}/authorize", params=asked)


def came_back(response: httpx.Response) -> dict[str, str]:
    """What a callback brings."""
    assert response.status_code == 302, response.text
    assert response.headers["location"].startswith(BACK + "&")
    found = parse_qs(urlsplit(response.headers["location"]).query, strict_parsing=True)
    return {name: " ".join(values) for name, values in found.items()}


def send(
    http: httpx.Client, code: str, fields: Mapping[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    """Sends a code to the token endpoint."""
    usual = {"grant_type": "authorization_code", "code": code}
    usual |= {"redirect_uri": BACK, "code_verifier": VERIFIER}
    reply = http.post("/token", data={**usual, **(fields or {})})
    return reply.status_code, reply.json()


def test_a_code_gives_tokens_of_whom_consented(provider: FakeProvider, http: httpx.Client) -> None:
    """Code, tokens, id_token with nonce, userinfo and refresh are of one account all along."""
    back = came_back(ask(provider, login_hint="eve"))
    assert (back["state"], back["kept"], "iss" in back) == (ASK["state"], "1", False)
    status, told = send(http, back["code"])
    assert (status, told["scope"], told["token_type"]) == (200, "openid read", "Bearer")
    keys = jwt.PyJWKSet.from_dict(loopback.get(f"{provider.url}/jwks").json())
    key = keys[jwt.get_unverified_header(told["id_token"])["kid"]]
    claims = jwt.decode(told["id_token"], key, audience="fake-client", issuer=provider.url)
    assert (claims["sub"], claims["nonce"]) == ("eve", "n1")
    who = loopback.get(
        f"{provider.url}/userinfo", headers={"Authorization": f"Bearer {told['access_token']}"}
    )
    assert (who.json()["sub"], who.json()["email"]) == ("eve", "eve@fake.example")
    again = {"grant_type": "refresh_token", "refresh_token": told["refresh_token"]}
    assert http.post("/token", data=again).status_code == 200
    totals = provider.admin.summary()
    assert (totals.codes_given, totals.code_requests, totals.codes_exchanged) == (1, 1, 1)


def test_a_person_chooses_account_and_scopes(provider: FakeProvider, http: httpx.Client) -> None:
    """With a page, what the person writes and ticks is granted, and Cancel is access_denied."""
    provider.admin.change_options(consent="page", tell_issuer=True)
    page = ask(provider, client_id="fake-client", login_hint='a"b')
    assert page.status_code == 200
    assert re.findall(r'name="granted" value="(\w+)"', page.text) == ["openid", "read"]
    assert 'value="a&quot;b"' in page.text
    yes = {"account": "zoe", "granted": ["read"], "decision": "allow"}
    back = came_back(loopback.post(str(page.url), data=yes))
    assert back["iss"] == provider.url
    _, told = send(http, back["code"])
    assert (told["scope"], "id_token" in told) == ("read", False)
    assert next(provider.admin.grants()).external_id == "zoe"
    back = came_back(loopback.post(str(page.url), data={"decision": "cancel"}))
    assert (back["error"], back["state"]) == ("access_denied", ASK["state"])
    assert provider.admin.summary().consents_refused == 1


@pytest.mark.parametrize(
    "changes",
    [{"client_id": "other"}, {"redirect_uri": "https://evil.example"}, {"redirect_uri": ""}],
)
def test_nobody_is_sent_to_a_stranger(provider: FakeProvider, changes: dict[str, str]) -> None:
    """A client or a redirect URI that is not registered is a page, not a redirect."""
    provider.admin.change_options(redirect_uris=f"https://first.example {BACK}")
    assert ask(provider).status_code == 302
    assert ask(provider, **changes).status_code == 400


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
    ],
)
def test_a_wrong_request_is_told_in_the_callback(
    provider: FakeProvider, changes: dict[str, str | None], error: str
) -> None:
    """What is wrong besides client and redirect URI goes back to the application, with its state."""
    provider.admin.change_options(pkce="required")
    back = came_back(ask(provider, **changes))
    assert (back["error"], back["state"]) == (error, ASK["state"])


@pytest.mark.parametrize(
    "fields",
    [
        {"redirect_uri": "https://app.example/back?kept=1&"},
        {"redirect_uri": ""},
        {"code_verifier": "w" * 43},
        {"code_verifier": ""},
        {"code": "stranger"},
    ],
)
def test_a_code_is_for_who_asked(
    provider: FakeProvider, http: httpx.Client, fields: dict[str, str]
) -> None:
    """Another redirect URI, by one byte, or another verifier gets nothing; the code is spent by it."""
    code = came_back(ask(provider))["code"]
    assert send(http, code, fields)[1]["error"] == "invalid_grant"
    assert (send(http, code)[0] == 200) is ("code" in fields)


def test_a_code_is_over_after_its_life(provider: FakeProvider, http: httpx.Client) -> None:
    """A code gives nothing after ten minutes."""
    code = came_back(ask(provider))["code"]
    provider.admin.advance_clock(600)
    assert send(http, code)[0] == 400


@pytest.mark.parametrize(("reuse", "lives"), [("revoke", False), ("refuse", True)])
def test_a_second_send_is_counted(
    provider: FakeProvider, http: httpx.Client, reuse: str, lives: bool
) -> None:
    """A code that comes twice is refused, counted, and may take along what it gave at first."""
    provider.admin.change_options(code_reuse=reuse)
    code = came_back(ask(provider))["code"]
    _, told = send(http, code)
    assert send(http, code) == (
        400, {"error": "invalid_grant", "error_description": "code sent twice"}
    )  # fmt: skip
    again = {"grant_type": "refresh_token", "refresh_token": told["refresh_token"]}
    assert (http.post("/token", data=again).status_code == 200) is lives
    totals = provider.admin.summary()
    assert (totals.code_requests, totals.codes_sent_twice) == (2, 1)


@pytest.mark.parametrize(
    ("offline", "changes", "given"),
    [
        ("always", {}, [True, True]),
        ("never", {"prompt": "consent"}, [False, False]),
        ("first_time", {}, [True, False]),
        ("first_time", {"prompt": "select_account consent"}, [True, True]),
        ("when_asked", {}, [False, False]),
        ("when_asked", {"access_type": "offline"}, [True, True]),
        ("when_asked", {"scope": "read offline_access"}, [True, True]),
    ],
)
def test_when_access_outlives_the_visit(
    provider: FakeProvider,
    http: httpx.Client,
    offline: str,
    changes: dict[str, str],
    given: list[bool],
) -> None:
    """A refresh token is given as `offline` says, and an earlier consent's goes on being good."""
    provider.admin.change_options(offline=offline)
    told = [send(http, came_back(ask(provider, **changes))["code"])[1] for _ in range(2)]
    assert ["refresh_token" in answer for answer in told] == given
    if given[0]:
        again = {"grant_type": "refresh_token", "refresh_token": told[0]["refresh_token"]}
        assert http.post("/token", data=again).status_code == 200


def test_a_new_consent_may_end_the_older_one(provider: FakeProvider, http: httpx.Client) -> None:
    """With older_grants_live=false, the first refresh token is dead once the second code is sent."""
    provider.admin.change_options(older_grants_live=False)
    first, _ = (send(http, came_back(ask(provider))["code"])[1] for _ in range(2))
    again = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    assert http.post("/token", data=again).json()["error"] == "invalid_grant"

"""Consents that go wrong: spoilt callbacks, errors in them, id_tokens that lie."""

import hashlib
import hmac
from contextlib import nullcontext

import httpx
import jwt
import pytest

from refresher.devkit.oauth_server import FakeProvider, FaultRule
from refresher.devkit.oauth_server.options import Mistake
from tests import loopback
from tests.devkit.oauth_server.test_consent import ASK, ask, came_back, send

STATE = ASK["state"]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("state_dropped", {"state": None}),
        ("state_changed", {"state": "another" + "s" * 36}),
        ("state_twice", {"state": f"{STATE} second"}),
        ("code_twice", {"state": STATE}),
        ("iss_dropped", {"iss": None}),
        ("iss_changed", {"iss": "https://another.example"}),
    ],
)
def test_a_callback_is_spoilt(
    provider: FakeProvider, kind: str, expected: dict[str, str | None]
) -> None:
    """State, code and issuer come changed, twice or not at all, once; then all is well."""
    provider.admin.change_options(tell_issuer=True)
    provider.admin.add_fault(kind, count=1)  # type: ignore[arg-type]
    back = came_back(ask(provider))
    assert {name: back.get(name) for name in expected} == expected
    assert (" second" in back["code"]) is (kind == "code_twice")
    back = came_back(ask(provider))
    assert (back["state"], back["iss"]) == (STATE, provider.url)


def test_an_error_is_told_in_the_callback(provider: FakeProvider) -> None:
    """Any code and 3 kB of HTML travel as error and error_description, for the accounts that match."""
    words = "<b>No</b>" * 340
    provider.admin.add_fault(
        "error", on="authorize", match="bad", error="temporarily_unavailable", error_description=words
    )  # fmt: skip
    back = came_back(ask(provider, login_hint="bad-1"))
    assert (back["error"], back["error_description"]) == ("temporarily_unavailable", words)
    assert "code" in came_back(ask(provider, login_hint="good"))


def test_faults_strike_where_they_are_told_to(provider: FakeProvider, http: httpx.Client) -> None:
    """A fault on codes leaves refreshes alone, and one on userinfo both; a code's grant is not made."""
    provider.admin.add_fault("status_500", on="code", count=1)
    provider.admin.add_fault("error", on="code", count=1, status=200)
    provider.admin.add_fault("status_503", on="userinfo")
    provider.admin.add_fault("status_500", on="authorize", count=1)
    grant = provider.admin.create_grants(1)[0]
    again = {"grant_type": "refresh_token", "refresh_token": grant.refresh_token}
    assert http.post("/token", data=again).status_code == 200
    assert ask(provider).status_code == 500
    code = came_back(ask(provider))["code"]
    usual = {"grant_type": "authorization_code", "code": code}
    assert http.post("/token", data=usual).status_code == 500
    refusal = http.post("/token", data=usual)
    assert (refusal.status_code, refusal.json()["error"]) == (200, "invalid_grant")
    assert send(http, code)[0] == 200
    assert loopback.get(f"{provider.url}/userinfo").status_code == 503


@pytest.mark.parametrize(
    ("kind", "on"),
    [("truncated", "authorize"), ("drop_before", "userinfo"), ("state_dropped", "code")],
)
def test_a_fault_at_no_place_of_its_own_is_refused(kind: str, on: str) -> None:
    """A rule that could never strike is a mistake that says so."""
    with pytest.raises(Mistake, match="on: "):
        FaultRule(kind, on=on)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "style",
    [
        "no_nonce",
        "wrong_nonce",
        "wrong_audience",
        "wrong_issuer",
        "expired",
        "wrong_key",
        "unsigned",
    ],
)
def test_an_id_token_lies(provider: FakeProvider, http: httpx.Client, style: str) -> None:
    """Each wrong id_token fails the check that it is for, and no other client takes it."""
    provider.admin.change_options(id_token=style)
    told = send(http, came_back(ask(provider))["code"])[1]["id_token"]
    key = jwt.PyJWKSet.from_dict(loopback.get(f"{provider.url}/jwks").json())["fake-1"]
    refusals = {
        "wrong_audience": jwt.InvalidAudienceError,
        "wrong_issuer": jwt.InvalidIssuerError,
        "expired": jwt.ExpiredSignatureError,
        "wrong_key": jwt.InvalidSignatureError,
        "unsigned": jwt.InvalidAlgorithmError,
    }
    with pytest.raises(refusals[style]) if style in refusals else nullcontext():
        claims = jwt.decode(told, key, audience="fake-client", issuer=provider.url)
        assert claims.get("nonce") == {"no_nonce": None, "wrong_nonce": "another"}[style]


@pytest.mark.parametrize(
    ("style", "secret"), [("right", "fake-secret"), ("wrong", "not fake-secret")]
)
def test_a_callback_is_signed(provider: FakeProvider, style: str, secret: str) -> None:
    """Shop, code and state are signed with the client's secret, sorted, or with another one."""
    provider.admin.change_options(
        callback_hmac=style, callback_parameters="shop=acme.example&timestamp=1"
    )
    back = came_back(ask(provider))
    text = "&".join(f"{name}={back[name]}" for name in ("code", "shop", "state", "timestamp"))
    assert back["hmac"] == hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("tell", "granted", "told"),
    [
        ("always", None, "openid read"), ("always", "read", "read"), ("never", "read", None),
        ("when_fewer", "read", "read"), ("when_fewer", "read openid", None), ("always", "", ""),
    ],
)  # fmt: skip
def test_fewer_scopes_are_granted(
    provider: FakeProvider, http: httpx.Client, tell: str, granted: str | None, told: str | None
) -> None:
    """What is granted, and whether that is told, need not be what was asked for."""
    provider.admin.change_options(tell_scope=tell, granted_scopes=granted)
    assert send(http, came_back(ask(provider))["code"])[1].get("scope") == told


def test_a_code_gives_a_short_token_that_buys_a_longer_one(
    provider: FakeProvider, http: httpx.Client
) -> None:
    """The second step of a long-lived exchange: an hour's token, once more, is sixty days'."""
    provider.admin.change_options(
        lifetime_seconds=5_184_000, code_token_lifetime_seconds=3_600, offline="never"
    )
    short = send(http, came_back(ask(provider))["code"])[1]
    assert (short["expires_in"], "refresh_token" in short) == (3_600, False)
    longer = http.get(
        "/oauth/access_token",
        params={"grant_type": "fb_exchange_token", "fb_exchange_token": short["access_token"]},
    ).json()
    assert longer["expires_in"] == 5_184_000

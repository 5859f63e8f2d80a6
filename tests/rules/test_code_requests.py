"""What is sent after a consent: the code, the second step, the question whose a token is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from refresher.rules.authorize import (
    Party,
    code_request,
    code_url,
    second_request,
    userinfo_request,
)
from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Secret
from refresher.rules.consent import Identity, SecondStep
from refresher.rules.placeholders import UnbuildableRequest
from refresher.rules.providers import BodyForm, ClientAuth, Provider, Strategy
from tests.rules.consents import ACME, BACK, CLIENT, CODE, USERINFO, VERIFIER, draw, entry

FORM = {
    "code": "a-code",
    "redirect_uri": BACK,
    "grant_type": "authorization_code",
    "code_verifier": VERIFIER,
}
POSTED = {**FORM, "client_id": "id", "client_secret": "secret"}
LONG_LIVED: dict[str, Any] = {
    "strategy": Strategy.LONG_LIVED_EXCHANGE,
    "method": "GET",
    "body": BodyForm.QUERY,
}


@pytest.mark.parametrize(
    ("provider", "parameters", "headers"),
    [
        (ACME, POSTED, {}),
        (entry(client_auth=ClientAuth.BASIC), FORM, {"Authorization": "Basic aWQ6c2VjcmV0"}),
        (
            entry({"code_client_auth": ClientAuth.BASIC}),
            FORM,
            {"Authorization": "Basic aWQ6c2VjcmV0"},
        ),
        (entry(client_auth=ClientAuth.NONE), {**FORM, "client_id": "id"}, {}),
        (entry(client_auth=ClientAuth.NONE, **LONG_LIVED), {**FORM, "client_id": "id"}, {}),
        (
            entry({"code_client_auth": ClientAuth.POST}, client_auth=ClientAuth.NONE, **LONG_LIVED),
            POSTED,
            {},
        ),
        (entry(pkce="no"), {n: t for n, t in POSTED.items() if n != "code_verifier"}, {}),
        (
            entry({"code_grant_type": ""}),
            {n: t for n, t in POSTED.items() if n != "grant_type"},
            {},
        ),
        (entry({"code_parameters": {"expiring": "1"}}), {**POSTED, "expiring": "1"}, {}),
        (entry(parameters={"expiring": "1"}), POSTED, {}),
        (
            entry(parameter_names={"client_id": "client_key"}),
            {"client_key": "id", **{n: t for n, t in POSTED.items() if n != "client_id"}},
            {},
        ),
        (
            entry(headers={"X-Now": "{now}", "Authorization": "Bearer {access_token}"}),
            POSTED,
            {"X-Now": "1000"},
        ),
    ],
)
def test_a_code_is_sent_as_the_entry_says(
    provider: Provider, parameters: dict[str, str], headers: dict[str, str]
):
    """With the attempt's redirect URI and verifier, and the app proved; without any token's header."""
    request = code_request(Party(provider, CLIENT), CODE, draw)
    assert dict(request.parameters) == parameters
    assert dict(request.headers) == {"Accept": "application/json", **headers}
    assert (request.method, request.body) == (provider.method, provider.body)
    assert request.url == "https://acme.example/token"


def test_the_code_may_travel_otherwise_than_a_refresh():
    """Place, method and form are the entry's own for the code; so is what stands in the URL."""
    provider = entry(
        {"code_url": "https://{host}/code", "code_method": "POST", "code_body": BodyForm.JSON},
        host_pattern="a[.]example",
        query={"key": "{client_id}", "token": "{access_token}"},
        **LONG_LIVED,
    )
    party = Party(provider, CLIENT, "a.example")
    assert code_url(party) == "https://a.example/code"
    request = code_request(party, replace(CODE, url=code_url(party), verifier=None), draw)
    assert (request.method, request.body) == ("POST", BodyForm.JSON)
    assert request.query == {"key": "id"}
    assert "code_verifier" not in request.parameters
    assert code_url(Party(ACME, CLIENT)) == "https://acme.example/token"
    assert "a-code" not in repr(request)


def test_an_app_that_signs_proves_itself_so_with_the_code():
    """The assertion is for the token endpoint, as with a refresh (RFC 7523 section 2.2)."""
    provider = entry(client_auth=ClientAuth.CLIENT_SECRET_JWT)
    client = ClientCredentials("id", Secret("a secret of more than thirty-two bytes"))
    request = code_request(Party(provider, client), CODE, draw)
    assert request.parameters["client_assertion"].count(".") == 2
    assert "client_secret" not in request.parameters


@pytest.mark.parametrize(
    ("step", "method", "body", "parameters"),
    [
        (
            SecondStep(
                url="https://{host}/long",
                method="GET",
                grant_type="ig_exchange_token",
                parameters={"client_secret": "{client_secret}"},
            ),
            "GET",
            BodyForm.QUERY,
            {"access_token": "short", "grant_type": "ig_exchange_token", "client_secret": "secret"},
        ),
        (
            SecondStep(url="https://{host}/long", token_parameter="fb_exchange_token"),
            "POST",
            BodyForm.FORM,
            {"fb_exchange_token": "short"},
        ),
    ],
)
def test_a_short_lived_token_is_exchanged(
    step: SecondStep, method: str, body: BodyForm, parameters: dict[str, str]
):
    """All that it sends is said by the step itself (C18)."""
    provider = entry(host_pattern="a[.]example")
    request = second_request(Party(provider, CLIENT, "a.example"), step, Secret("short"))
    assert (request.method, request.body, request.url) == (method, body, "https://a.example/long")
    assert dict(request.parameters) == parameters


@pytest.mark.parametrize(
    ("identity", "facts", "method", "headers", "parameters"),
    [
        (USERINFO, {}, "GET", {"Authorization": "Bearer at"}, {}),
        (replace(USERINFO, url=None), {"identity_url": USERINFO.url}, "GET",
         {"Authorization": "Bearer at"}, {}),
        (replace(USERINFO, headers={"authorization": "OAuth {access_token}"}), {}, "GET",
         {"authorization": "OAuth at"}, {}),
        (USERINFO, {"headers": {"User-Agent": "ours", "X-Old": "{refresh_token}"}}, "GET",
         {"User-Agent": "ours", "Authorization": "Bearer at"}, {}),
        (replace(USERINFO, method="POST"), {}, "POST", {"Authorization": "Bearer at"}, {}),
        (replace(USERINFO, method="POST", body='{"query": "{ viewer { id } }"}'), {}, "POST",
         {"Authorization": "Bearer at"}, {"query": "{ viewer { id } }"}),
    ],
)  # fmt: skip
def test_a_token_is_asked_whose_it_is(
    identity: Identity,
    facts: dict[str, Any],
    method: str,
    headers: dict[str, str],
    parameters: dict[str, str],
):
    """By the entry's own URL, with the token in the usual header or as the entry says."""
    party = Party(entry({"identity": identity}, **facts), CLIENT)
    request = userinfo_request(party, Secret("at"))
    assert (request.method, request.url) == (method, "https://acme.example/me")
    assert dict(request.headers) == {"Accept": "application/json", **headers}
    assert dict(request.parameters) == parameters
    assert (request.body is BodyForm.JSON) == (identity.body is not None)


def test_an_entry_that_names_no_place_to_ask_is_said():
    """Nothing is sent anywhere."""
    party = Party(entry({"identity": replace(USERINFO, url=None)}), CLIENT)
    with pytest.raises(UnbuildableRequest, match="no URL of acme tells"):
        userinfo_request(party, Secret("at"))

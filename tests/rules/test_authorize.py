"""What a consent is asked for with: the URL (C1, C2, C5, C6), the code's request, and what follows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from refresher.rules.authorize import (
    Asking,
    Code,
    Party,
    asked_scopes,
    authorize_url,
    code_request,
    code_url,
    second_request,
    userinfo_request,
    uses_nonce,
)
from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Secret
from refresher.rules.consent import Consent, Identity, SecondStep
from refresher.rules.fillings import Stamp
from refresher.rules.placeholders import UnbuildableRequest
from refresher.rules.providers import BodyForm, ClientAuth, Provider, Strategy

USERINFO = Identity(found_in=("userinfo",), url="https://acme.example/me", paths=(("id",),))
ACME = Provider(
    "acme",
    "https://acme.example/token",
    authorize_url="https://acme.example/authorize",
    connect=Consent(identity=USERINFO),
)
CLIENT = ClientCredentials("id", Secret("secret"))
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
HEX = "13d31e961a1ad8ec2f16b10c4c982e0876a878ad6df144566ee1894acb70f9c3"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"  # RFC 7636 appendix B
BACK = "https://ours.example/connect/callback/acme"
ASKING = Asking(BACK, Secret("a-state"), Secret(VERIFIER), Secret("a-nonce"))
CODE = Code(Secret("a-code"), "https://acme.example/token", BACK, Secret(VERIFIER))
USUAL = {
    "response_type": "code",
    "client_id": "id",
    "redirect_uri": BACK,
    "state": "a-state",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}
NO_PKCE = {name: text for name, text in USUAL.items() if not name.startswith("code_ch")}


def entry(connect: dict[str, Any] | None = None, **facts: Any) -> Provider:
    """Returns the entry with other facts, also of its `[connect]`."""
    consent = replace(ACME.connect, **connect) if connect else ACME.connect  # type: ignore[type-var]
    return replace(ACME, connect=consent, **facts)


def query(url: str) -> dict[str, str]:
    """Returns the parameters of a URL, each of which stands there once."""
    pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True, strict_parsing=True)
    assert len(pairs) == len(dict(pairs))
    return dict(pairs)


def draw() -> Stamp:
    """Returns a time and a number."""
    return Stamp(1_000.0, "7")


PROMPTING = entry(
    {"other_account": {"prompt": "select_account"}}, authorize_parameters={"prompt": "consent"}
)


@pytest.mark.parametrize(
    ("provider", "asking", "expected"),
    [
        (ACME, {}, USUAL),
        (ACME, {"scopes": ("a b", "c")}, {**USUAL, "scope": "a b c"}),
        (entry(scope_separator=","), {"scopes": ("a", "c")}, {**USUAL, "scope": "a,c"}),
        (entry({"scope_parameter": "user_scope"}), {"scopes": ("a",)}, {**USUAL, "user_scope": "a"}),
        (entry(pkce="no"), {}, NO_PKCE),
        (
            entry({"pkce_encoding": "hex"}),
            {},
            {**USUAL, "code_challenge": HEX},
        ),
        (ACME, {"scopes": ("openid",)}, {**USUAL, "scope": "openid", "nonce": "a-nonce"}),
        (
            entry({"identity": replace(USERINFO, found_in=("id_token", "userinfo"))}),
            {},
            {**USUAL, "nonce": "a-nonce"},
        ),
        (
            PROMPTING,
            {},
            {**USUAL, "prompt": "consent"},
        ),
        (
            PROMPTING,
            {"other_account": True},
            {**USUAL, "prompt": "select_account"},
        ),
        (entry({"login_hint": "login"}), {"hint": "ann"}, {**USUAL, "login": "ann"}),
        (entry({"login_hint": "login"}), {}, USUAL),
        (ACME, {"hint": "ann"}, USUAL),
        (
            entry({"parameters": ("user_scope",)}),
            {"parameters": {"user_scope": "chat:write"}},
            {**USUAL, "user_scope": "chat:write"},
        ),
        (
            entry(parameter_names={"client_id": "client_key"}),
            {},
            {"client_key": "id", **{n: t for n, t in USUAL.items() if n != "client_id"}},
        ),
        (
            entry(authorize_parameters={"state": "fixed", "app": "{client_id}"}),
            {},
            {**USUAL, "app": "id"},
        ),
    ],
)  # fmt: skip
def test_a_person_is_sent_with_what_the_entry_says(
    provider: Provider, asking: dict[str, Any], expected: dict[str, str]
):
    """State, challenge and redirect URI are those of the attempt, whatever an entry adds."""
    url = authorize_url(Party(provider, CLIENT), replace(ASKING, **asking))
    assert url.startswith("https://acme.example/authorize?")
    assert query(url) == expected


def test_the_url_of_a_host_keeps_its_own_parameters():
    """Placeholders stand in URL and parameters; what the URL has already stays; a space is `%20`."""
    provider = entry(
        authorize_url="https://{host}/authorize?v=2",
        authorize_parameters={"resource": "{resource}"},
        host_pattern=r"[a-z]+\.example",
        placeholders={"resource": "https://.+"},
    )
    party = Party(provider, CLIENT, "eu.example", {"resource": "https://r.example/mcp"})
    url = authorize_url(party, replace(ASKING, scopes=("a", "b")))
    assert url.startswith(
        "https://eu.example/authorize?v=2&resource=https%3A%2F%2Fr.example%2Fmcp&"
    )
    assert "scope=a%20b" in url
    with pytest.raises(UnbuildableRequest, match="does not match acme's pattern"):
        authorize_url(replace(party, host="evil.example.com"), ASKING)


@pytest.mark.parametrize(
    ("provider", "asking", "sentence"),
    [
        (entry(authorize_url=None), {}, "nobody can connect to acme here"),
        (replace(ACME, connect=None), {}, "nobody can connect to acme here"),
        (ACME, {"parameters": {"prompt": "none"}}, 'takes no parameter "prompt".* none'),
        (
            entry({"parameters": ("user_scope",)}),
            {"parameters": {"team": "1"}},
            'no parameter "team".*user_scope',
        ),
        (
            entry(authorize_parameters={"key": "{client_secret}"}),
            {},
            "client_secret} is nothing for a URL that a person sees",
        ),
    ],
)
def test_what_makes_no_url_is_said(provider: Provider, asking: dict[str, Any], sentence: str):
    """No secret ever stands in a URL that a browser shows, and no parameter that nobody listed."""
    with pytest.raises(UnbuildableRequest, match=sentence):
        authorize_url(Party(provider, CLIENT), replace(ASKING, **asking))


def test_each_scope_is_asked_for_once():
    """The entry's own come first; a reconnect asks for those stored as well."""
    provider = entry({"scopes": ("email",)}, default_scopes=("offline",))
    assert asked_scopes(provider, ("b", "email"), ("a", "b")) == ("offline", "email", "a", "b")
    assert asked_scopes(replace(provider, connect=None), ("b",)) == ("offline", "b")
    assert not uses_nonce(replace(provider, connect=None), ("b",))


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

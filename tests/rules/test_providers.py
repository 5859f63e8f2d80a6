"""Building a token request: which parameters, where the app stands, which URL."""

from base64 import b64decode
from dataclasses import replace
from typing import Any

import pytest

from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Secret
from refresher.rules.placeholders import UnbuildableRequest
from refresher.rules.providers import BodyForm, ClientAuth, Provider, Strategy
from refresher.rules.requests import TokenRequest, build_request, resolve_url

ACME = Provider("acme", "https://acme.example/token")
TENANTS = replace(
    ACME, token_url="https://{host}/token", host_pattern=r"[a-z]+\.acme\.example(:[0-9]+)?"
)
APP = ClientCredentials("an-id", Secret("a secret/ü"))
ACCESS, REFRESH = Secret("access"), Secret("refresh")
PUBLIC = ClientCredentials("an-id", None)
LONG_LIVED: dict[str, Any] = {"strategy": Strategy.LONG_LIVED_EXCHANGE, "grant_type": "x_exchange"}


def request(
    provider: Provider,
    client: ClientCredentials | None = APP,
    access_token: Secret | None = ACCESS,
    refresh_token: Secret | None = REFRESH,
    scopes: tuple[str, ...] = (),
) -> TokenRequest:
    """Returns the request for sample tokens."""
    return build_request(
        provider,
        client=client,
        access_token=access_token,
        refresh_token=refresh_token,
        scopes=scopes,
    )


GRANT = {"grant_type": "refresh_token", "refresh_token": "refresh"}
IN_BODY = {"client_id": "an-id", "client_secret": "a secret/ü"}


@pytest.mark.parametrize(
    ("changes", "client", "expected"),
    [
        ({}, APP, {**GRANT, **IN_BODY}),
        ({}, PUBLIC, {**GRANT, "client_id": "an-id"}),
        ({"client_auth": ClientAuth.BASIC}, APP, GRANT),
        ({"client_auth": ClientAuth.NONE}, APP, {**GRANT, "client_id": "an-id"}),
        ({"client_auth": ClientAuth.NONE}, None, GRANT),
        (
            {"parameter_names": {"client_id": "client_key", "refresh_token": "rt"}},
            PUBLIC,
            {"grant_type": "refresh_token", "rt": "refresh", "client_key": "an-id"},
        ),
        (
            {"parameters": {"expiring": "1"}},
            PUBLIC,
            {**GRANT, "client_id": "an-id", "expiring": "1"},
        ),
        (
            {"grant_type": "renew", "token_parameter": "code"},
            PUBLIC,
            {"grant_type": "renew", "code": "refresh", "client_id": "an-id"},
        ),
        (
            {**LONG_LIVED, "client_auth": ClientAuth.NONE},
            APP,
            {"grant_type": "x_exchange", "access_token": "access"},
        ),
        (
            {**LONG_LIVED, "token_parameter": "x_exchange"},
            APP,
            {"grant_type": "x_exchange", "x_exchange": "access", **IN_BODY},
        ),
        (
            {"strategy": Strategy.CLIENT_CREDENTIALS},
            APP,
            {"grant_type": "client_credentials", **IN_BODY},
        ),
        (
            {"strategy": Strategy.CLIENT_CREDENTIALS, "grant_type": "account_credentials"},
            APP,
            {"grant_type": "account_credentials", **IN_BODY},
        ),
    ],
)
def test_the_parameters_follow_from_the_entry(changes, client, expected):
    """Grant, token and app are sent under the names, and in the ways, that the entry says."""
    assert dict(request(replace(ACME, **changes), client).parameters) == expected


def test_scopes_travel_only_where_the_entry_says_so():
    """A scope on a refresh picks the resource at some providers and is refused by others."""
    # Given
    asking = replace(ACME, send_scope=True)

    # Then
    assert request(asking, scopes=("a", "b")).parameters["scope"] == "a b"
    assert "scope" not in request(asking).parameters
    assert "scope" not in request(ACME, scopes=("a", "b")).parameters


def test_basic_credentials_are_form_encoded_first():
    """Both halves are encoded before the colon joins them (RFC 6749 section 2.3.1)."""
    # When
    header = request(replace(ACME, client_auth=ClientAuth.BASIC)).headers["Authorization"]

    # Then
    assert b64decode(header.removeprefix("Basic ")) == b"an-id:a+secret%2F%C3%BC"


def test_method_body_and_headers_are_the_entry_s():
    """The entry's own headers win over ours, and the body kind is handed on."""
    # When
    built = request(
        replace(ACME, method="GET", body=BodyForm.QUERY, headers={"Accept": "text/plain", "X": "y"})
    )

    # Then
    assert (built.method, built.body) == ("GET", BodyForm.QUERY)
    assert dict(built.headers) == {"Accept": "text/plain", "X": "y"}


@pytest.mark.parametrize(
    ("provider", "tokens", "sentence"),
    [
        (ACME, {"refresh_token": None}, "the connection stores no refresh token"),
        (ACME, {"refresh_token": Secret("")}, "the connection stores no refresh token"),
        (
            replace(ACME, **LONG_LIVED),
            {"access_token": None},
            "the connection stores no access token",
        ),
        (ACME, {"client": None}, "no app is configured for provider acme"),
        (
            replace(ACME, client_auth=ClientAuth.BASIC),
            {"client": None},
            "no app is configured for provider acme",
        ),
        (
            TENANTS,
            {},
            r"host is missing: provider acme needs one for each connection \(its pattern: .+\)",
        ),
    ],
)
def test_a_missing_piece_is_one_sentence(provider, tokens, sentence):
    """What is missing is said, without a token in the sentence, and nothing is built."""
    with pytest.raises(UnbuildableRequest, match=f"^{sentence}$"):
        request(provider, **tokens)


def test_a_request_hides_its_parameters():
    """Neither tokens nor the app's secret are in the `repr`."""
    shown = repr(request(replace(ACME, client_auth=ClientAuth.BASIC)))
    assert "refresh" not in shown
    assert "Basic" not in shown


@pytest.mark.parametrize(
    ("provider", "host", "url"),
    [
        (ACME, None, "https://acme.example/token"),
        (ACME, "ignored.example", "https://acme.example/token"),
        (replace(ACME, refresh_url="https://acme.example/r"), None, "https://acme.example/r"),
        (TENANTS, "one.acme.example", "https://one.acme.example/token"),
        (TENANTS, "one.acme.example:8443", "https://one.acme.example:8443/token"),
        (replace(TENANTS, default_host="two.acme.example"), None, "https://two.acme.example/token"),
        (replace(TENANTS, default_host="two.acme.example"), "", "https://two.acme.example/token"),
        (
            replace(TENANTS, default_host="two.acme.example"),
            "one.acme.example",
            "https://one.acme.example/token",
        ),
        (replace(TENANTS, refresh_url="https://acme.example/r"), None, "https://acme.example/r"),
    ],
)
def test_the_url_is_the_refresh_url_with_the_connection_s_host(provider, host, url):
    """A refresh URL wins over the token URL; a connection's host over the default one."""
    assert resolve_url(provider, host) == url


@pytest.mark.parametrize(
    "host",
    [
        "one.other.example",
        "one.acme.example.evil.example",
        "evil.example/one.acme.example",
        "one.acme.example\n",
        " one.acme.example",
        "ONE.acme.example",
        "one.acme.example@evil.example",
        "one.acme.example:",
    ],
)
def test_a_host_that_the_pattern_does_not_match_whole_is_refused(host):
    """A stored row cannot send a refresh token to somebody else's server."""
    with pytest.raises(UnbuildableRequest, match="does not match acme's pattern"):
        resolve_url(TENANTS, host)


@pytest.mark.parametrize(
    "host",
    ["a/b", "a@b", "a?b", "a#b", "a:b", "a\\b", "a%2fb", "a b", "a\n", "-a", ".a", "a.", "ä.a"],
)
def test_no_pattern_lets_more_than_a_host_through(host):
    """Even an entry that allows everything gets names of hosts only."""
    with pytest.raises(UnbuildableRequest, match="does not match"):
        resolve_url(replace(TENANTS, host_pattern="(?s:.*)"), host)


def test_a_placeholder_without_a_pattern_sends_nowhere():
    """An entry that forgot its pattern allows no host at all."""
    with pytest.raises(UnbuildableRequest, match="does not match"):
        resolve_url(replace(TENANTS, host_pattern=None), "one.acme.example")


@pytest.mark.parametrize(
    ("changes", "needed"),
    [
        ({}, True),
        ({"client_auth": ClientAuth.NONE}, True),
        ({**LONG_LIVED}, True),
        ({**LONG_LIVED, "client_auth": ClientAuth.NONE}, False),
        ({"strategy": Strategy.CLIENT_CREDENTIALS}, True),
    ],
)
def test_an_app_is_needed_unless_the_token_speaks_for_itself(changes, needed):
    """Only an exchange of the token alone does without our app; a public client names itself."""
    assert replace(ACME, **changes).needs_app is needed


def test_the_request_of_a_plug_in_is_not_made_here():
    """Nothing is sent by mistake in the place of what another package makes."""
    with pytest.raises(UnbuildableRequest, match="the plug-in of its entry makes its requests"):
        request(replace(ACME, strategy=Strategy.PLUGIN, plugin="odd"))

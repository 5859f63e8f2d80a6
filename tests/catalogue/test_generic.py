"""`extends = "mcp"` and `extends = "oidc"`: an issuer and its metadata make a whole entry of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from refresher.catalogue.discovery import Metadata, resolved
from refresher.catalogue.generic import entry, slug
from refresher.rules.connection import Secret
from refresher.rules.providers import ClientAuth
from refresher.rules.requests import build_request
from tests.catalogue.conftest import Fault, Load

ISSUER = "https://auth.example"
TOLD = Metadata(
    f"{ISSUER}/token",
    authorize_url=f"{ISSUER}/authorize",
    identity_url=f"{ISSUER}/me",
    jwks_url=f"{ISSUER}/keys",
    scopes=("openid", "offline_access", "mail"),
    announces_iss=True,
)
MCP = f'[providers.acme]\nextends = "mcp"\nissuer = "{ISSUER}"\nclient_auth = "none"\n'


def asked(text: str, load_text: Load, placeholders: dict[str, str] | None = None) -> object:
    """Returns what a refresh of the entry says."""
    request = build_request(
        resolved(load_text(text)["acme"], TOLD),
        client=None,
        access_token=None,
        refresh_token=Secret("r"),
        placeholders=placeholders,
    )
    return request.parameters.get("resource")


def test_an_issuer_makes_an_entry_that_can_connect(load_text: Load):
    """The file names the issuer; the rest is told: endpoints, scopes, keys, that it names itself."""
    text = f'[providers.acme]\nextends = "oidc"\nissuer = "{ISSUER}"\n'
    whole = resolved(load_text(text)["acme"], TOLD)
    assert whole.authorize_url == f"{ISSUER}/authorize"
    assert dict(whole.authorize_parameters) == {"prompt": "consent"}
    consent = whole.connect
    assert consent is not None
    assert (consent.scopes, consent.announces_iss) == (("openid", "offline_access"), True)
    assert (consent.jwks_url, consent.identity.found_in) == (
        f"{ISSUER}/keys", ("id_token", "userinfo"),
    )  # fmt: skip


def test_what_the_metadata_lacks_is_not_asked_for(load_text: Load):
    """No scope that it does not list, no keys and no userinfo that are not there."""
    bare = replace(TOLD, identity_url=None, jwks_url=None, scopes=(), announces_iss=False)
    whole = resolved(load_text(MCP)["acme"], bare)
    assert whole.connect is not None
    assert (whole.connect.scopes, whole.connect.announces_iss) == ((), False)
    assert (whole.connect.jwks_url, whole.connect.identity.found_in) == (None, ("id_token",))
    assert "prompt" not in whole.authorize_parameters


def test_what_the_entry_says_counts(load_text: Load):
    """Its own scopes, its own prompt; an entry that looks elsewhere for the account needs no keys."""
    text = (
        MCP + 'authorize_parameters = { prompt = "login" }\n[providers.acme.connect]\n'
        'scopes = ["offline_access"]\nidentity = { found_in = "userinfo", paths = ["sub"] }\n'
    )
    whole = resolved(load_text(text)["acme"], TOLD)
    assert whole.connect is not None
    assert (whole.connect.scopes, whole.connect.jwks_url) == (("offline_access",), None)
    assert whole.authorize_parameters["prompt"] == "login"
    assert whole.connect.code_parameters["resource"] == "{resource}"


def test_a_resource_goes_into_each_request_and_none_into_none(load_text: Load):
    """The connection's, else the entry's; where there is none, no empty parameter is sent."""
    url = "https://mcp.example/mcp"
    assert asked(MCP, load_text) is None
    assert asked(MCP, load_text, {"resource": url}) == url
    text = MCP + f'default_placeholders = {{ resource = "{url}" }}\n'
    assert asked(text, load_text) == url


def test_an_issuer_without_an_entry_has_a_name_of_its_own():
    """The same each time, and people read its host."""
    provider = entry(ISSUER, ClientAuth.BASIC)
    assert provider.name == slug(ISSUER) == "i-644d89f1ac9a1487"
    assert (provider.title, provider.client_auth, provider.is_looked_up) == (
        "auth.example", ClientAuth.BASIC, True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[providers.acme]\nextends = "mcp"', "token_url is missing (or an issuer"),
        ('[providers.acme]\nextends = "mpc"', 'extends is "mpc", but no built-in provider is'),
        (MCP + 'default_placeholders = { resource = "x" }', 'resource "x" does not match'),
    ],
)
def test_what_does_not_fit_is_one_sentence(fault: Fault, text: str, sentence: str):
    """As for every entry that extends another."""
    assert sentence in fault(text)

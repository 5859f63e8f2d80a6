"""The request that ends a grant (RFC 7009 section 2.1)."""

from dataclasses import replace

import pytest

from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Secret
from refresher.rules.placeholders import UnbuildableRequest
from refresher.rules.providers import BodyForm, ClientAuth, Provider
from refresher.rules.requests import build_revocation

ACME = Provider("acme", "https://acme.example/token", revocation_url="https://acme.example/revoke")
CLIENT = ClientCredentials("id", Secret("secret"))
TOKEN = Secret("refresh")


def test_the_token_goes_to_the_revocation_endpoint():
    """A form with the token, and the client proved as at the token endpoint."""
    request = build_revocation(ACME, client=CLIENT, token=TOKEN)
    assert request is not None
    assert (request.method, request.url, request.body) == (
        "POST",
        ACME.revocation_url,
        BodyForm.FORM,
    )
    assert request.parameters == {"token": "refresh", "client_id": "id", "client_secret": "secret"}
    basic = build_revocation(
        replace(ACME, client_auth=ClientAuth.BASIC), client=CLIENT, token=TOKEN
    )
    assert basic is not None
    assert dict(basic.parameters) == {"token": "refresh"}
    assert "Authorization" in basic.headers


def test_without_an_endpoint_there_is_no_request():
    """A provider whose entry has no revocation_url cannot be asked."""
    assert build_revocation(replace(ACME, revocation_url=None), client=CLIENT, token=TOKEN) is None


def test_a_host_is_checked_here_as_well():
    """A connection's host fills the placeholder only if the entry's pattern allows it."""
    hosted = replace(
        ACME, revocation_url="https://{host}/revoke", host_pattern=r"[a-z]+\.acme\.example"
    )
    request = build_revocation(hosted, client=CLIENT, token=TOKEN, host="eu.acme.example")
    assert request is not None
    assert request.url == "https://eu.acme.example/revoke"
    with pytest.raises(UnbuildableRequest, match="does not match"):
        build_revocation(hosted, client=CLIENT, token=TOKEN, host="attacker.example")

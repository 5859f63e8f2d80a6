"""The request that ends a grant (RFC 7009 section 2.1)."""

from dataclasses import replace
from typing import Any

import pytest

from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Secret
from refresher.rules.fillings import Stamp
from refresher.rules.placeholders import UnbuildableRequest
from refresher.rules.providers import BodyForm, ClientAuth, Provider
from refresher.rules.revocations import build_revocation

ACME = Provider("acme", "https://acme.example/token", revocation_url="https://acme.example/revoke")
CLIENT = ClientCredentials("id", Secret("secret"))
TOKEN = Secret("refresh")


def test_the_token_goes_to_the_revocation_endpoint():
    """A form with the token, and the client proved as at the token endpoint."""
    request = build_revocation(ACME, client=CLIENT, refresh_token=TOKEN)
    assert request is not None
    assert (request.method, request.url, request.body) == (
        "POST",
        ACME.revocation_url,
        BodyForm.FORM,
    )
    assert request.parameters == {"token": "refresh", "client_id": "id", "client_secret": "secret"}
    basic = build_revocation(
        replace(ACME, client_auth=ClientAuth.BASIC), client=CLIENT, refresh_token=TOKEN
    )
    assert basic is not None
    assert dict(basic.parameters) == {"token": "refresh"}
    assert "Authorization" in basic.headers


def test_without_an_endpoint_there_is_no_request():
    """A provider whose entry has no revocation_url cannot be asked."""
    assert (
        build_revocation(replace(ACME, revocation_url=None), client=CLIENT, refresh_token=TOKEN)
        is None
    )


BEARER = {"Authorization": "Bearer {access_token}"}
ACCESS = Secret("access")


@pytest.mark.parametrize(
    ("changes", "parameters", "headers"),
    [
        ({"revocation_client_auth": ClientAuth.NONE}, {"token": "refresh"}, {}),
        (
            {
                "revocation_client_auth": ClientAuth.NONE,
                "revocation_parameters": {},
                "revocation_headers": BEARER,
            },
            {},
            {"Authorization": "Bearer access"},
        ),
        (
            {
                "revocation_client_auth": ClientAuth.NONE,
                "revocation_parameters": {"client_id": "{client_id}", "access_token": "{token}"},
                "revocation_headers": {"Authorization": "Client {client_secret}"},
                "revocation_token": "access_token",
            },
            {"client_id": "id", "access_token": "access"},
            {"Authorization": "Client secret"},
        ),
        (
            {"client_auth": ClientAuth.BASIC, "revocation_client_auth": ClientAuth.POST},
            {"token": "refresh", "client_id": "id", "client_secret": "secret"},
            {},
        ),
        (
            {"client_auth": ClientAuth.NONE, "headers": {"X-Now": "{now}"}},
            {"token": "refresh", "client_id": "id"},
            {"X-Now": "5"},
        ),
    ],
)
def test_many_have_their_own_way(
    changes: dict[str, Any], parameters: dict[str, str], headers: dict[str, str]
):
    """Another proof of the app or none, the token in a header, the access token."""
    request = build_revocation(
        replace(ACME, **changes),
        client=CLIENT,
        access_token=ACCESS,
        refresh_token=TOKEN,
        draw=lambda: Stamp(5.0, ""),
    )
    assert request is not None
    assert dict(request.parameters) == parameters
    assert dict(request.headers) == {"Accept": "application/json", **headers}


def test_the_method_and_the_place_of_parameters_are_the_entry_s():
    """DELETE with a form, GET with a query."""
    deleted = replace(ACME, revocation_method="DELETE")
    fetched = replace(ACME, revocation_method="GET", revocation_body=BodyForm.QUERY)
    for entry in (deleted, fetched):
        request = build_revocation(entry, client=CLIENT, access_token=ACCESS)
        assert request is not None
        assert (request.method, request.body) == (entry.revocation_method, entry.revocation_body)
        assert request.parameters["token"] == "access", "the access token, where there is no other"


def test_a_token_that_is_not_there_is_told():
    """An entry that wants the access token is not given the other one."""
    entry = replace(ACME, revocation_token="access_token")
    with pytest.raises(UnbuildableRequest, match="stores no token"):
        build_revocation(entry, client=CLIENT, refresh_token=TOKEN)


def test_an_app_s_values_count_here_as_well():
    """Its host, checked like a connection's."""
    hosted = replace(
        ACME, revocation_url="https://{host}/revoke", host_pattern=r"[a-z]+\.acme\.example"
    )
    client = replace(CLIENT, placeholders={"host": "us.acme.example"})
    request = build_revocation(hosted, client=client, refresh_token=TOKEN)
    assert request is not None
    assert request.url == "https://us.acme.example/revoke"
    with pytest.raises(UnbuildableRequest, match="host is missing"):
        build_revocation(hosted, client=CLIENT, refresh_token=TOKEN)


def test_a_host_is_checked_here_as_well():
    """A connection's host fills the placeholder only if the entry's pattern allows it."""
    hosted = replace(
        ACME, revocation_url="https://{host}/revoke", host_pattern=r"[a-z]+\.acme\.example"
    )
    request = build_revocation(hosted, client=CLIENT, refresh_token=TOKEN, host="eu.acme.example")
    assert request is not None
    assert request.url == "https://eu.acme.example/revoke"
    with pytest.raises(UnbuildableRequest, match="does not match"):
        build_revocation(hosted, client=CLIENT, refresh_token=TOKEN, host="attacker.example")

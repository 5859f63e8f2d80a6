"""What the provider tells of itself, registration, and a resource server that leads to it."""

import gzip
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from refresher.devkit.oauth_server import FakeProvider
from tests import loopback
from tests.devkit.oauth_server.test_consent import BACK, ask, came_back, send

SERVER = "/.well-known/oauth-authorization-server"
RESOURCE = "/.well-known/oauth-protected-resource"


@pytest.mark.parametrize(
    ("style", "is_so"),
    [
        (
            "right",
            lambda told, url: told["issuer"] == url and told["token_endpoint"] == f"{url}/token",
        ),
        ("other_issuer", lambda told, url: told["issuer"] == "https://strange.example"),
        ("other_endpoint", lambda told, _: told["token_endpoint"].startswith("https://strange.")),
        ("private_endpoint", lambda told, _: told["token_endpoint"].startswith("http://169.254.")),
        ("javascript", lambda told, _: told["authorization_endpoint"].startswith("javascript:")),
        ("command", lambda told, _: "$(" in told["authorization_endpoint"]),
        ("no_s256", lambda told, _: told["code_challenge_methods_supported"] == ["plain"]),
    ],
)
def test_metadata_is_right_or_wrong(
    provider: FakeProvider, style: str, is_so: Callable[[dict[str, Any], str], bool]
) -> None:
    """One field is wrong as the option says, at both well-known places."""
    provider.admin.change_options(metadata=style)
    for place in (SERVER, "/.well-known/openid-configuration"):
        assert is_so(loopback.get(provider.url + place).json(), provider.url)


def test_metadata_may_be_no_metadata(provider: FakeProvider) -> None:
    """Nothing there, a page, a redirect to a private address, what unpacks to 48 MB, a gigabyte."""
    for style, status in (("missing", 404), ("page", 200), ("redirect", 302)):
        provider.admin.change_options(metadata=style)
        assert loopback.get(provider.url + SERVER).status_code == status
    provider.admin.change_options(metadata="bomb")
    with loopback.client() as http, http.stream("GET", provider.url + SERVER) as response:
        packed = b"".join(response.iter_raw())
    assert len(packed) < 64 * 1024 < 40_000_000 < len(gzip.decompress(packed))
    provider.admin.change_options(metadata="huge")
    with loopback.client() as http, http.stream("GET", provider.url + SERVER) as response:
        assert len(next(response.iter_raw(1024 * 1024))) == 1024 * 1024


def test_a_client_registers_itself(provider: FakeProvider) -> None:
    """RFC 7591: a public client has no secret and PKCE; `resource` is no member of a registration."""
    place = f"{provider.url}/register"
    wanted = {"redirect_uris": [BACK], "token_endpoint_auth_method": "none"}
    told = loopback.post(place, json=wanted)
    assert (told.status_code, "client_secret" in told.json()) == (201, False)
    client_id = told.json()["client_id"]
    code = came_back(ask(provider, client_id=client_id))["code"]
    with loopback.client(base_url=provider.url) as http:
        assert send(http, code, {"client_id": client_id})[0] == 200
    assert loopback.post(place, json={**wanted, "resource": "x"}).status_code == 400
    assert "client_secret" in loopback.post(place, json={"redirect_uris": [BACK]}).json()
    assert provider.admin.summary().clients_registered == 2


def test_a_resource_server_leads_to_its_issuer(provider: FakeProvider, http: httpx.Client) -> None:
    """A challenge leads to metadata, to a token, and with too few scopes to a step-up."""
    url = provider.url
    challenge = loopback.post(f"{url}/mcp").headers["www-authenticate"]
    assert f'resource_metadata="{url}{RESOURCE}/mcp"' in challenge
    assert loopback.get(f"{url}{RESOURCE}/mcp").json()["authorization_servers"] == [url]
    provider.admin.change_options(metadata="two_servers")
    servers = loopback.get(f"{url}{RESOURCE}").json()["authorization_servers"]
    assert servers == ["https://strange.example", url]
    _, told = send(http, came_back(ask(provider))["code"])
    bearer = {"Authorization": f"Bearer {told['access_token']}"}
    assert loopback.post(f"{url}/mcp", headers=bearer).json()["result"]["serverInfo"]
    refused = loopback.post(f"{url}/mcp?needs=write", headers=bearer)
    assert (refused.status_code, 'scope="write"' in refused.headers["www-authenticate"]) == (
        403,
        True,
    )


def test_each_request_names_the_resource(provider: FakeProvider, http: httpx.Client) -> None:
    """RFC 8707: authorize, code and refresh without `resource`, or with another, are invalid_target."""
    resource = f"{provider.url}/mcp"
    provider.admin.change_options(resource=resource)
    assert came_back(ask(provider))["error"] == "invalid_target"
    code = came_back(ask(provider, resource=resource))["code"]
    assert send(http, code, {"resource": "https://other.example"})[1]["error"] == "invalid_target"
    told = send(http, code, {"resource": resource})[1]
    again = {"grant_type": "refresh_token", "refresh_token": told["refresh_token"]}
    assert http.post("/token", data=again).json()["error"] == "invalid_target"
    assert http.post("/token", data={**again, "resource": resource}).status_code == 200

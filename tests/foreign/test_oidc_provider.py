"""oidc-provider (npm): every way in which a client proves itself, opaque tokens and JWTs, a realm."""

from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest

from tests import loopback
from tests.foreign.kit import Deployment, IsAlive, needs_node
from tests.foreign.programs import running

pytestmark = [pytest.mark.slow, needs_node]
ENTRY = """
[providers.{name}]
token_url = "{base}/token"
revocation_url = "{base}/token/revocation"
{fields}

[apps.{name}]
client_id = "{name}"
"""
SECRET = 'client_secret = "{secret}"\n'
FIELDS = {
    "basic": 'client_auth = "client_secret_basic"\nrotation = "always"',
    "post": 'client_auth = "post"\nplaceholders = { realm = "[a-z]+" }',
    "public": 'client_auth = "none"',
    "still": 'client_auth = "basic"\nrotation = "never"',
    "jwt": 'client_auth = "basic"\naccess_token_lifetime_fields = []',
    "machine": 'strategy = "client_credentials"\nclient_auth = "basic"',
}


def entry(name: str, server: dict[str, Any]) -> str:
    """Returns the tables of one entry and its app."""
    base = server["url"].replace("acme", "{realm}") if "realm" in FIELDS[name] else server["url"]
    secret = "" if name == "public" else SECRET.format(**server)
    return ENTRY.format(name=name, base=base, fields=FIELDS[name]) + secret


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The server; each entry is a client of its own there."""
    log = tmp_path_factory.mktemp("oidc-provider") / "log"
    with running("oidc_provider.mjs", log) as told:
        yield told


@pytest.fixture(scope="module")
def deployment(
    server: dict[str, Any], module_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """Refresher, with an entry for each client."""
    providers = "".join(entry(name, server) for name in FIELDS)
    made = Deployment(module_database_url, tmp_path_factory.mktemp("refresher"), providers)
    yield made
    made.close()


@pytest.fixture(scope="module")
def is_alive(server: dict[str, Any]) -> IsAlive:
    """Asks the server (RFC 7662)."""

    def asked(token: str) -> bool:
        url, auth = f"{server['url']}/token/introspection", ("basic", server["secret"])
        return bool(loopback.post(url, data={"token": token}, auth=auth).json()["active"])

    return asked


@pytest.mark.parametrize("name", ["basic", "post", "still"])
def test_a_client_with_a_secret(
    name: str, deployment: Deployment, server: dict[str, Any], is_alive: IsAlive
) -> None:
    """In a header, or in the body to a realm of the connection's; with rotation and without."""
    realm: dict[str, object] = {"placeholders": {"realm": "acme"}} if name == "post" else {}
    connection = deployment.register(name, **server["grants"][name] | realm)
    rotates = name != "still"
    deployment.assert_refreshes(connection, is_alive, rotates=rotates)
    deployment.assert_ends_when_revoked(connection, is_alive, rotates=rotates)


def test_a_public_client_with_pkce(
    deployment: Deployment, server: dict[str, Any], is_alive: IsAlive
) -> None:
    """A code is exchanged with its verifier, the answer handed in whole, and refreshed by id alone."""
    code = {"grant_type": "authorization_code", "client_id": "public", **server["grants"]["public"]}
    answer = loopback.post(f"{server['url']}/token", data=code)
    assert answer.status_code == httpx.codes.OK, answer.text
    connection = deployment.register("public", answer=answer.json())
    assert is_alive(deployment.access_token(connection))
    assert deployment.refresh_now(connection) == "refreshed"
    assert is_alive(deployment.access_token(connection))
    deployment.assert_ends_when_revoked(connection, is_alive)


def test_an_access_token_that_tells_its_own_end(
    deployment: Deployment, server: dict[str, Any]
) -> None:
    """It is a JWT that the server's key verifies, and lives for us as long as its `exp` says."""
    (key,) = jwt.PyJWKSet.from_dict(loopback.get(f"{server['url']}/jwks").json()).keys

    def is_signed(token: str) -> bool:
        return bool(jwt.decode(token, key, ["RS256"], audience="urn:api"))

    connection = deployment.register("jwt", **server["grants"]["jwt"])
    deployment.assert_refreshes(connection, is_signed)
    claims = jwt.decode(deployment.access_token(connection), options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 300
    expires_at = deployment.state(connection).expires_at
    assert expires_at is not None
    assert expires_at.timestamp() == pytest.approx(claims["exp"], abs=30)


def test_a_spent_refresh_token_ends_the_family(
    deployment: Deployment, server: dict[str, Any], is_alive: IsAlive
) -> None:
    """Somebody presents a token that was rotated away: the server ends all of it, and we are told."""
    spent = server["grants"]["thief"]["refresh_token"]
    connection = deployment.register("basic", "thief", refresh_token=spent)
    deployment.assert_refreshes(connection, is_alive)
    stolen = {"grant_type": "refresh_token", "refresh_token": spent}
    refused = loopback.post(f"{server['url']}/token", data=stolen, auth=("basic", server["secret"]))
    assert refused.json()["error"] == "invalid_grant"
    assert not is_alive(deployment.access_token(connection))
    deployment.assert_is_dead(connection)


def test_client_credentials(deployment: Deployment, is_alive: IsAlive) -> None:
    """A connection that hands in nothing has tokens minted for it, again and again."""
    connection = deployment.register("machine", "machine")
    deployment.assert_refreshes(connection, is_alive, rotates=None)

"""oidc-provider (npm): the ways in which a client proves itself, opaque tokens and JWTs, a realm."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from refresher.connections import discovery
from tests import loopback
from tests.foreign.kit import SECRET, Deployment, IsAlive, asking, needs_node, providers_file
from tests.foreign.programs import running
from tests.outbound.certificates import make_certificates

pytestmark = [pytest.mark.slow, needs_node]
URLS = 'token_url = "<url>/token"\nrevocation_url = "<url>/token/revocation"\n'
REALM = 'token_url = "<realms>/{realm}/token"\nplaceholders = { realm = "[a-z]+" }\n'
CERTIFICATE = 'certificate_file = "client.pem"\ncertificate_key_file = "client.pem"'
ENTRIES = {
    "basic": (URLS + 'client_auth = "client_secret_basic"\nrotation = "always"', SECRET),
    "post": (URLS + 'client_auth = "client_secret_post"', SECRET),
    "still": (URLS + 'client_auth = "basic"\nrotation = "never"', SECRET),
    "key": (
        URLS + 'client_auth = "private_key_jwt"',
        'private_key_file = "key.pem"\nkey_id = "our-key"',
    ),
    "hmac": (URLS + 'client_auth = "client_secret_jwt"\nassertion_audience = "<url>"', SECRET),
    "public": (URLS + 'client_auth = "none"', ""),
    "jwt": (URLS + 'client_auth = "basic"\naccess_token_lifetime_fields = []', SECRET),
    "realm": (REALM + 'client_auth = "basic"', f'client_id = "basic"\n{SECRET}'),
    "found": ('issuer = "<url>"', f'client_id = "post"\n{SECRET}'),
    "machine": (URLS + 'client_auth = "basic"\nstrategy = "client_credentials"', SECRET),
}
CERTIFIED = {
    "certified": ('issuer = "<url>"\nclient_auth = "tls_client_auth"', CERTIFICATE),
    "pinned": (
        URLS.replace("<url>", "<tls>") + 'client_auth = "self_signed_tls_client_auth"',
        CERTIFICATE,
    ),
}


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
    folder = tmp_path_factory.mktemp("refresher")
    (folder / "key.pem").write_text(server["key"])
    made = Deployment(module_database_url, folder, providers_file(server, ENTRIES))
    yield made
    made.close()


@pytest.fixture(scope="module")
def is_alive(server: dict[str, Any]) -> IsAlive:
    """Asks the server."""
    return asking(f"{server['url']}/token/introspection", ("basic", server["secret"]))


@pytest.mark.parametrize("name", ["basic", "post", "still", "key", "hmac"])
def test_a_client_that_proves_itself(
    name: str, deployment: Deployment, server: dict[str, Any], is_alive: IsAlive
) -> None:
    """By its secret in a header or the body, by a signature with its key or its secret."""
    connection = deployment.register(name, **server["grants"][name])
    rotates = name != "still"
    deployment.assert_refreshes(connection, is_alive, rotates=rotates)
    deployment.assert_ends_when_revoked(connection, is_alive, rotates=rotates)


@pytest.mark.parametrize("name", CERTIFIED)
def test_a_client_that_shows_a_certificate(
    name: str, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the name in it, where the issuer says that such apps go; or by its key alone (RFC 8705)."""
    certificates = make_certificates(tmp_path)
    (tmp_path / "client.pem").write_bytes(certificates.client.pem())
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    with (
        running("oidc_provider.mjs", tmp_path / "log", tmp_path) as server,
        closing(
            Deployment(database_url, tmp_path, providers_file(server, CERTIFIED))
        ) as deployment,
    ):
        url, auth = f"{server['url']}/token/introspection", ("basic", server["secret"])
        is_alive = asking(url, auth)
        discovery.look(deployment.services)
        connection = deployment.register(name, **server["grants"][name])
        deployment.assert_refreshes(connection, is_alive)
        deployment.assert_ends_when_revoked(connection, is_alive)


def test_an_issuer_tells_the_rest(
    deployment: Deployment, server: dict[str, Any], is_alive: IsAlive
) -> None:
    """Its metadata has the token endpoint, and where a grant is given back (RFC 8414)."""
    discovery.look(deployment.services)
    connection = deployment.register("found", **server["grants"]["found"])
    deployment.assert_refreshes(connection, is_alive)
    deployment.assert_ends_when_revoked(connection, is_alive)


def test_a_realm_of_the_connections_own(
    deployment: Deployment, server: dict[str, Any], is_alive: IsAlive
) -> None:
    """The token endpoint's URL has the realm's name in it; another realm's page is not there."""
    realm = {"placeholders": {"realm": "acme"}}
    connection = deployment.register("realm", **server["grants"]["realm"] | realm)
    deployment.assert_refreshes(connection, is_alive)
    other = {"placeholders": {"realm": "other"}, "refresh_token": "of-nobody"}
    elsewhere = deployment.register("realm", "elsewhere", **other)
    assert deployment.tick()["refreshed"] == 0
    assert deployment.state(elsewhere).status == "active"


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

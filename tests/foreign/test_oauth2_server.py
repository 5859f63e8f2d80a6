"""node-oauth2-server (npm): opaque tokens in memory, strict rotation, a header read as it is."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests import loopback
from tests.foreign.kit import SECRET, Deployment, IsAlive, needs_node, providers_file
from tests.foreign.programs import running

pytestmark = [pytest.mark.slow, needs_node]
APP = f'client_id = "<client_id>"\n{SECRET}'
URL = 'token_url = "<url>/token"\n'
ENTRIES = {
    "raw": (URL + 'client_auth = "basic_raw"\nrotation = "always"', APP),
    "encoded": (URL + 'client_auth = "basic"\nrotation = "always"', APP),
    "body": (URL + 'client_auth = "post"\nrotation = "always"', APP),
    "changing": (
        URL + 'client_auth = "basic_raw"',
        'client_id = "<client_id>"\nclient_secret = "not yet"\nprevious_client_secret = "<secret>"',
    ),
    "machine": (URL + 'client_auth = "post"\nstrategy = "client_credentials"', APP),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The server; its one client has an id and a secret that form-encoding would change."""
    with running("oauth2_server.mjs", tmp_path_factory.mktemp("oauth2-server") / "log") as told:
        yield told


@pytest.fixture(scope="module")
def deployment(
    server: dict[str, Any], module_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """Refresher, with several entries for that server."""
    folder = tmp_path_factory.mktemp("refresher")
    made = Deployment(module_database_url, folder, providers_file(server, ENTRIES))
    yield made
    made.close()


@pytest.fixture(scope="module")
def is_alive(server: dict[str, Any]) -> IsAlive:
    """Asks a resource of the server."""

    def asked(token: str) -> bool:
        bearer = {"Authorization": f"Bearer {token}"}
        return loopback.get(f"{server['url']}/me", headers=bearer).status_code == 200

    return asked


@pytest.mark.parametrize(("name", "grant"), [("raw", 0), ("body", 1)])
def test_a_client_with_odd_characters_in_its_secret(
    name: str, grant: int, deployment: Deployment, server: dict[str, Any], is_alive: IsAlive
) -> None:
    """In a header that nobody decodes, and in the body; a token that was used ends the grant."""
    connection = deployment.register(name, refresh_token=server["grants"][grant])
    deployment.assert_refreshes(connection, is_alive)
    _, live = deployment.tokens(connection)
    elsewhere = {"grant_type": "refresh_token", "refresh_token": live}
    client = {"client_id": server["client_id"], "client_secret": server["secret"]}
    assert loopback.post(f"{server['url']}/token", data=elsewhere | client).status_code == 200
    deployment.assert_is_dead(connection)


def test_a_header_encoded_as_the_rfc_says_is_the_apps_fault(
    deployment: Deployment, server: dict[str, Any]
) -> None:
    """This server refuses it with `invalid_client`, and the grant stays unharmed."""
    connection = deployment.register("encoded", refresh_token=server["grants"][2])
    assert deployment.tick()["misconfigured"] == 1
    assert deployment.state(connection).status == "active"
    assert deployment.tokens(connection) == (None, server["grants"][2])


def test_a_secret_that_is_being_changed(
    deployment: Deployment, server: dict[str, Any], is_alive: IsAlive
) -> None:
    """The server does not know the new one yet: the one before is tried, and nothing is held up."""
    connection = deployment.register("changing", refresh_token=server["grants"][3])
    deployment.assert_refreshes(connection, is_alive)


def test_client_credentials(deployment: Deployment, is_alive: IsAlive) -> None:
    """Tokens are minted for a connection that hands in nothing."""
    connection = deployment.register("machine", "machine")
    deployment.assert_refreshes(connection, is_alive, rotates=None)

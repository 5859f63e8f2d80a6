"""Authlib (PyPI): clients that sign, and a grant that is a signature; joserfc verifies them there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import loopback
from tests.foreign.kit import SECRET, Deployment, asking, providers_file
from tests.foreign.programs import running

pytestmark = pytest.mark.slow
URLS = 'token_url = "<url>/token"\nrevocation_url = "<url>/revocation"\n'
SERVICE = """strategy = "jwt_bearer"
client_auth = "none"
assertion = { sub = "{subject}" }
placeholders = { subject = ".+@.+" }
dead_grant_errors = ["invalid_client: Client has no permission"]"""
ENTRIES = {
    "rsa": (URLS + 'client_auth = "private_key_jwt"', 'private_key_file = "rsa.pem"'),
    "ec": (
        URLS + 'client_auth = "private_key_jwt"\nsigning_algorithm = "ES256"',
        'private_key_file = "ec.pem"',
    ),
    "hmac": (URLS + 'client_auth = "client_secret_jwt"', SECRET),
    "service": (URLS + SERVICE, 'private_key_file = "service.pem"'),
}


@pytest.fixture(scope="module")
def authlib(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Authlib's server."""
    with running("authlib_server", tmp_path_factory.mktemp("authlib") / "log") as told:
        yield told


@pytest.fixture
def at_authlib(authlib: dict[str, Any], database_url: str, tmp_path: Path) -> Iterator[Deployment]:
    """Refresher, with an entry for each client there."""
    for name, key in authlib["keys"].items():
        (tmp_path / f"{name}.pem").write_text(key)
    made = Deployment(database_url, tmp_path, providers_file(authlib, ENTRIES))
    yield made
    made.close()


@pytest.mark.parametrize("name", ["rsa", "ec", "hmac"])
def test_a_client_of_authlib_that_signs(
    name: str, at_authlib: Deployment, authlib: dict[str, Any]
) -> None:
    """With RSA, with a curve, or with the secret; an assertion is good for one request."""
    is_alive = asking(f"{authlib['url']}/introspection", (name, authlib["secret"]))
    connection = at_authlib.register(name, **authlib["grants"][name])
    at_authlib.assert_refreshes(connection, is_alive)
    at_authlib.assert_ends_when_revoked(connection, is_alive)


def test_a_grant_that_is_a_signature(at_authlib: Deployment, authlib: dict[str, Any]) -> None:
    """A service acts for a user until the user takes that back: RFC 7523 section 2.1."""
    is_alive = asking(f"{authlib['url']}/introspection", ("service", authlib["secret"]))
    user = "ann@example.com"
    connection = at_authlib.register("service", placeholders={"subject": user})
    at_authlib.assert_refreshes(connection, is_alive, rotates=None)
    assert loopback.client().delete(f"{authlib['url']}/users/{user}").status_code == 204
    at_authlib.assert_is_dead(connection)

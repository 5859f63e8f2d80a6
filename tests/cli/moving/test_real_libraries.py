"""What the real libraries store is imported, and refreshed: nothing here is a sample of ours.

Nango's and Composio's APIs are not there to be asked; that the answers of our own server (`servers.py`)
are theirs is checked against the types that they publish.
"""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from refresher.devkit.oauth_server import FakeProvider
from tests.cli.kit import Cli
from tests.cli.moving.servers import Theirs, composio_account, nango_connection, serving
from tests.foreign.kit import needs_node
from tests.postgres_versions import COMPLETE

FOREIGN = Path(__file__).parents[2] / "foreign"
ROOT = FOREIGN.parents[1]
pytestmark = pytest.mark.slow
needs_libraries = pytest.mark.skipif(
    importlib.util.find_spec("social_django") is None and COMPLETE not in os.environ,
    reason="needs python-social-auth and django-allauth: `make foreign` installs them",
)


def answers(provider: FakeProvider, count: int = 3) -> dict[str, Any]:
    """Returns what a token endpoint answered to the consents of some accounts."""
    grants = provider.admin.create_grants(count, prefix="real-")
    return {
        grant.external_id: {
            "access_token": grant.access_token,
            "refresh_token": grant.refresh_token,
            "expires_in": 3600,
            "token_type": "Bearer",
            "scope": "openid email",
        }
        for grant in grants
    }


def run(command: Sequence[str | Path], given: object, folder: Path = ROOT) -> None:
    """Runs a program of theirs to its end."""
    ran = subprocess.run(
        command, input=json.dumps(given), text=True, cwd=folder, capture_output=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def plain(url: str) -> str:
    """Returns a URL as other clients than ours write it."""
    return url.replace("postgresql+psycopg://", "postgresql://")


def assert_moves(cli: Cli, provider: FakeProvider, given: list[object], count: int = 3) -> None:
    """Imports, verifies by one refresh each, and sees that no token was spent twice."""
    ran = cli.process("connections", "import", "--from", *given, "--verify", "--json")
    assert ran.code == 0, ran.stderr
    assert ran.json["created"] + ran.json["reconnected"] == count
    assert ran.json["verified"]["alive"] == count, ran.json
    assert provider.admin.summary().presented_twice == 0


@needs_libraries
@pytest.mark.parametrize("by", ["file", "database"])
@pytest.mark.parametrize("system", ["python-social-auth", "django-allauth"])
def test_django(cli: Cli, provider: FakeProvider, bare_database_url: str, system: str, by: str):
    """Accounts of both libraries, by their own code and models: as fixture, and from PostgreSQL."""
    given, url = answers(provider), plain(bare_database_url)
    program = [sys.executable, "-m", "tests.foreign.django_accounts", url, str(cli.folder)]
    run(program, given)
    cli.env["THEIRS"] = url
    label, theirs = {
        "python-social-auth": ("social_django", "google-oauth2"),
        "django-allauth": ("socialaccount", "google"),
    }[system]
    source = cli.folder / f"{label}.json" if by == "file" else "env:THEIRS"
    assert_moves(cli, provider, [system, source, "--provider", f"{theirs}=acme"])
    shown = cli.show(next(iter(given)))
    assert shown["metadata"]["moved_from"] == system
    assert shown["organization_id"].isdigit()


@needs_node
def test_auth_js(cli: Cli, provider: FakeProvider, bare_database_url: str):
    """Accounts that Auth.js's adapter stored are found by their columns, and refreshed."""
    url = plain(bare_database_url)
    given = answers(provider)
    run(["node", FOREIGN / "authjs_accounts.mjs", url], given, FOREIGN)
    cli.env["THEIRS"] = url
    assert_moves(cli, provider, ["authjs", "env:THEIRS", "--provider", "google=acme"])
    assert cli.show(next(iter(given)))["granted_scopes"] == ["openid", "email"]


@pytest.mark.parametrize("system", ["nango", "composio"])
def test_apis(cli: Cli, provider: FakeProvider, system: str):
    """Connections read from an API are refreshed at once, each once."""
    given = answers(provider).items()
    theirs = Theirs(
        nango=[nango_connection(name, **answer) for name, answer in given],
        composio=[composio_account(name, **answer) for name, answer in given],
    )
    cli.env |= {"REFRESHER_ALLOW_INSECURE_HOSTS": "loopback"}
    cli.env |= dict.fromkeys(("NANGO_SECRET_KEY", "COMPOSIO_API_KEY"), "their-api-key")
    with serving(theirs):
        assert_moves(cli, provider, [system, theirs.url])


def checked(text: str, tmp_path: Path) -> str:
    """Returns what TypeScript says of a module that stands beside their types."""
    module = FOREIGN / "node_modules" / ".checked" / f"{tmp_path.name}.ts"
    module.parent.mkdir(exist_ok=True)
    module.write_text(text, encoding="utf-8")
    options = [
        "--noEmit",
        "--strict",
        "--skipLibCheck",
        "--module",
        "nodenext",
        "--target",
        "es2022",
    ]
    command = [str(FOREIGN / "node_modules/.bin/tsc"), *options, "--ignoreConfig", str(module)]
    ran = subprocess.run(command, cwd=FOREIGN, capture_output=True, text=True, check=False)
    module.unlink()
    return ran.stdout + ran.stderr


@needs_node
def test_our_server_answers_by_their_types(tmp_path: Path):
    """What our server answers is of the types of @nangohq/types and @composio/client; else it fails."""
    theirs = Theirs(nango=[nango_connection("c")], composio=[composio_account("ca_1")])
    bodies = [
        theirs.answer(path, query, "their-api-key")[2].decode()
        for path, query in (
            ("/connections", {"page": "0", "limit": "9"}),
            ("/connection/c", {"provider_config_key": "acme-key", "refresh_token": "true"}),
            ("/api/v3.1/connected_accounts", {"limit": "9"}),
        )
    ]
    text = f"""
        import type {{ GetPublicConnection, GetPublicConnections }} from "@nangohq/types";
        import type {{ ConnectedAccountListResponse }} from "@composio/client/resources";
        export const listed: GetPublicConnections["Success"] = {bodies[0]};
        export const one: GetPublicConnection["Success"] = {bodies[1]};
        export const accounts: ConnectedAccountListResponse = {bodies[2]};
        """
    assert checked(text, tmp_path) == ""
    for name in ("connection_id", "toolkit"):
        said = checked(text.replace(f'"{name}"', '"another"'), tmp_path)
        assert "'\"another\"' does not exist in type" in said

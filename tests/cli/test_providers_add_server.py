"""`providers add URL` for MCP servers, and where an issuer registers refresher by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from refresher.catalogue import load
from refresher.runtime.clients import opened
from refresher.store import oauth_apps
from tests.cli.kit import Cli
from tests.issuers import RESOURCE, Issuer, issuing

PUBLIC = "http://127.0.0.1:8080"


@pytest.fixture
def issuer(cli: Cli) -> Iterator[Issuer]:
    """An MCP server that is its own authorization server, and an installation with a public URL."""
    cli.env |= {"REFRESHER_ALLOW_INSECURE_HOSTS": "loopback", "REFRESHER_PUBLIC_URL": PUBLIC}
    with issuing() as running:
        running.tell_more(scopes_supported=["read", "offline_access"])
        yield running


def file_of(cli: Cli) -> Path:
    """Returns the providers file."""
    return Path(cli.env["REFRESHER_PROVIDERS_FILE"])


def test_an_mcp_server_becomes_an_entry_and_refresher_its_client(
    cli: Cli, issuer: Issuer, services
):
    """Found by its URL: whose tokens it takes, for which scopes; the secret is sealed and not shown."""
    url = issuer.serve()
    ran = cli("providers", "add", url, "--name", "acme-mcp")
    assert ran.code == 0, ran.stderr
    assert "It registered refresher as a client. Now: `refresher connect acme-mcp`." in ran.stderr
    assert "s-1" not in ran.stdout + ran.stderr + file_of(cli).read_text()
    entry = load(file_of(cli), allow_loopback=True)["acme-mcp"]
    assert (entry.issuer, entry.client_auth) == (issuer.url, "post")
    assert entry.default_placeholders == {"resource": url}
    assert entry.default_scopes == ("read", "write")
    assert entry.connect is not None
    (told,) = issuer.registered
    assert told["redirect_uris"] == [f"{PUBLIC}/connect/callback/acme-mcp"]
    with services.database.transaction() as db:
        app = oauth_apps.find(db, "acme-mcp", "default")
    assert app is not None
    mine = opened(services.cipher, app)
    assert mine.client_secret is not None
    assert (mine.client_id, mine.client_secret.reveal()) == ("c-1", "s-1")


def test_a_dry_run_registers_nobody(cli: Cli, issuer: Issuer):
    """It shows the entry."""
    ran = cli("providers", "add", issuer.serve(), "--name", "acme-mcp", "--dry-run")
    assert (ran.code, issuer.registered) == (0, [])
    assert 'extends = "mcp"' in ran.stdout


def test_without_a_way_to_register_it_says_what_to_do(cli: Cli, issuer: Issuer):
    """With the redirect URI that is to be registered by hand."""
    issuer.tell_more(registration_endpoint=None)
    ran = cli("providers", "add", issuer.url, "--name", "dot", "--json")
    assert (ran.code, ran.json["registered"]) == (0, None)
    assert 'extends = "oidc"' in ran.json["entry"]
    ran = cli("providers", "add", issuer.url, "--name", "dot2")
    assert "`refresher apps set dot2 --client-id …`, with the redirect URI" in ran.stderr
    assert f"{PUBLIC}/connect/callback/dot2 there." in ran.stderr


def test_what_is_neither_is_told_for_both(cli: Cli, issuer: Issuer):
    """Nothing is registered or written before all is known to be right."""
    before = file_of(cli).read_text()
    cli("providers", "add", issuer.url + "/x").refused("is no issuer: ", "and no MCP server: ")
    url = issuer.serve()
    cli("providers", "add", url, "--name", "google").refused('a provider called "google"')
    issuer.client_status, issuer.client = 400, {"error": "invalid_redirect_uri"}
    cli("providers", "add", url, "--name", "acme-mcp").refused("400 (invalid_redirect_uri)")
    issuer.tell_more(code_challenge_methods_supported=["plain"])
    issuer.serve(at=RESOURCE)
    cli("providers", "add", url, "--name", "acme-mcp").refused("takes code challenges (S256)")
    assert file_of(cli).read_text() == before

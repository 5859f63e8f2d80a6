"""A consent at a server that nobody wrote an entry for, from its URL to a refresh (D1 to D9, T21)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from refresher.connections.discovered import Discovered, discovered
from refresher.errors import DiscoveryRefused
from refresher.refresh.on_demand import OnDemand
from refresher.rules.connect import Outcome
from refresher.store.session import one
from tests import loopback
from tests.web.connect.stage import ACTOR, Stage


@pytest.fixture(scope="module")
def stage(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Our pages, and a provider that each request must tell the resource, and that names itself."""
    folder: Path = tmp_path_factory.mktemp("pages")
    with Stage.opened(module_database_url, folder, connect_discovery="any") as opened:
        yield opened


def found(stage: Stage) -> Discovered:
    """Returns what is found at the provider's MCP server."""
    url = f"{stage.provider.url}/mcp"
    return discovered(stage.services, server_url=url, by=ACTOR)


def test_a_server_is_connected_to_by_its_url(stage: Stage) -> None:
    """Found, registered, consented; the resource is in authorize, code and refresh (RFC 8707)."""
    resource = f"{stage.provider.url}/mcp"
    stage.provider.admin.change_options(
        resource=resource, tell_issuer=True, pkce="required", metadata="right"
    )
    server = found(stage)
    assert server.placeholders == {"resource": resource}
    session, url = stage.link(
        provider=server.provider,
        placeholders=server.placeholders,
        scopes=server.scopes,
        external_id="7",
    )
    with stage.browser("ann") as person:
        person.open(url)
        assert "is connected" in person.submit(f"Continue to {urlsplit(resource).netloc}").words
    now = stage.now(session)
    assert (now.outcome, now.trouble) == (Outcome.CONNECTED, None)
    assert now.connection_id is not None
    on_demand = OnDemand(stage.services, role="test")
    try:
        before = on_demand.fresh_token(now.connection_id, min_ttl_seconds=0).access_token.reveal()
        assert on_demand.refresh_now(now.connection_id, wait_seconds=10).outcome == "refreshed"
        after = on_demand.fresh_token(now.connection_id, min_ttl_seconds=0).access_token.reveal()
    finally:
        on_demand.close()
    assert after != before
    bearer = {"Authorization": f"Bearer {after}"}
    assert loopback.post(resource, headers=bearer).json()["result"]["serverInfo"]
    with stage.services.database.transaction() as db:
        assert one(db, str, "select account from connection")


@pytest.mark.parametrize(
    ("style", "sentence"),
    [
        ("missing", "answers with 404"),
        ("page", "answers with something that is no JSON"),
        ("other_issuer", "is the metadata of another issuer"),
        ("private_endpoint", "token_endpoint must begin with https://"),
        ("javascript", "authorization_endpoint must begin with https://"),
        ("no_s256", "does not say that it takes code challenges (S256)"),
        ("redirect", "answers with a redirect that is not followed"),
        ("huge", "does not answer: too_large"),
        ("bomb", "answers with more than 65,536 bytes"),
        ("two_servers", "strange.example"),
    ],
)
def test_what_a_server_tells_of_itself_is_judged(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, style: str, sentence: str
) -> None:
    """Each lie is refused in a sentence, and nobody is registered for it (T21)."""
    monkeypatch.setattr(stage.services.findings, "_known", {})
    monkeypatch.setattr("refresher.connections.discovered.oauth_apps.registration", _nobody)
    stage.provider.admin.change_options(metadata=style)
    before = stage.provider.admin.summary().clients_registered
    with pytest.raises(DiscoveryRefused, match=r".") as refused:
        found(stage)
    assert sentence in str(refused.value)
    assert stage.provider.admin.summary().clients_registered == before


def _nobody(*_: object) -> None:
    """Knows no client."""

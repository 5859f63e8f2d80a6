"""An MCP server of the official SDK, with oidc-provider behind it: from its URL to a refresh."""

from __future__ import annotations

from pathlib import Path

import pytest

from refresher.connections.discovered import discovered
from refresher.refresh.on_demand import OnDemand
from refresher.rules.connect import Outcome
from tests import loopback
from tests.foreign.kit import needs_node
from tests.foreign.programs import running
from tests.web.connect.stage import ACTOR, Stage

pytestmark = [pytest.mark.slow, needs_node]
PERSON = {"login": "ann", "password": "any"}
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


def hello(url: str, token: str) -> int:
    """Begins to speak with the server; returns the status."""
    told = {
        "Accept": "application/json, text/event-stream",
        "Authorization": f"Bearer {token}",
    }
    return loopback.post(url, json=HELLO, headers=told).status_code


def test_a_server_is_connected_to_and_kept_fresh(database_url: str, tmp_path: Path) -> None:
    """A person logs in and allows it; the token is for the server, also after a refresh."""
    with (
        running("consent.mjs", tmp_path / "oidc", "https://nobody.example/callback") as oidc,
        running("mcp_server", tmp_path / "mcp", oidc["url"], oidc["secret"]) as server,
        Stage.opened(database_url, tmp_path, connect_discovery="any") as stage,
        stage.browser() as ann,
    ):
        found = discovered(stage.services, server_url=server["url"], by=ACTOR)
        assert found.placeholders == {"resource": server["url"]}
        session, url = stage.link(
            provider=found.provider,
            placeholders=found.placeholders,
            scopes=found.scopes,
            external_id="7",
        )
        ann.open(url)
        page = ann.submit()
        while "is connected" not in page.words:
            assert page.forms, page.words
            page = ann.submit(**(PERSON if "password" in dict(page.forms[0].fields) else {}))
        now = stage.now(session)
        assert now.outcome is Outcome.CONNECTED
        assert now.connection_id is not None
        on_demand = OnDemand(stage.services, role="test")
        try:
            before = on_demand.fresh_token(now.connection_id, min_ttl_seconds=0)
            assert hello(server["url"], before.access_token.reveal()) == 200
            ended = on_demand.refresh_now(now.connection_id, wait_seconds=20)
            after = on_demand.fresh_token(now.connection_id, min_ttl_seconds=0)
        finally:
            on_demand.close()
        assert ended.outcome == "refreshed"
        assert hello(server["url"], "none") == 401
        assert hello(server["url"], after.access_token.reveal()) == 200

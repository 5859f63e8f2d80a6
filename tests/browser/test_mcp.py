"""An MCP server that was never told of us, by the official SDK; oidc-provider says who may use it.

Discovery, registration, consent with `resource`, a call, and a refresh that keeps the resource.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import loopback
from tests.browser.chromium import Chromium, needs_browser
from tests.browser.deployment import Deployment
from tests.browser.journey import Journey, heading
from tests.browser.people import AtOidcProvider
from tests.foreign.programs import running
from tests.processes import Spawner

pytestmark = [pytest.mark.slow, needs_browser]
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


@pytest.fixture
def mcp(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The MCP server, and its authorization server, which knows no client of ours."""
    with (
        running("consent.mjs", tmp_path / "oidc.log", "http://127.0.0.1:1/nobody") as oidc,
        running("mcp_server", tmp_path / "mcp.log", oidc["url"], oidc["secret"]) as server,
    ):
        yield server


@pytest.fixture
def discovering(spawn: Spawner, database_url: str, tmp_path: Path) -> Iterator[Deployment]:
    """A deployment that discovers whatever an application names."""
    made = Deployment(spawn, database_url, tmp_path, {"REFRESHER_CONNECT_DISCOVERY": "any"})
    made.start("")
    yield made
    made.close()


def test_a_server_that_nobody_told_us_of(
    discovering: Deployment, mcp: dict[str, Any], browser: Chromium
) -> None:
    """Its token is taken before and after a refresh; without one it answers 401."""
    order = {"organization_id": "acme", "server_url": mcp["url"], "external_id": "numbers"}
    session = discovering.api("POST", "/v1/connect/sessions", json=order)
    ann = Journey.begun(discovering, AtOidcProvider(), browser)
    assert "is connected" in heading(ann.connect(session))
    connection = discovering.ended(session)["connection_id"]
    assert initialize(mcp["url"], "none") == 401
    assert initialize(mcp["url"], discovering.token(connection)) == 200
    assert initialize(mcp["url"], discovering.refreshes(connection)) == 200


def initialize(url: str, token: str) -> int:
    """Begins to speak with an MCP server; returns the status."""
    headers = {
        "Accept": "application/json, text/event-stream",
        "Authorization": f"Bearer {token}",
    }
    return loopback.post(url, json=INITIALIZE, headers=headers).status_code

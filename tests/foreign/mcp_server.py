"""An MCP server by the official SDK, which lets in who has a token of another server (RFC 9728).

Its arguments are that server's issuer URL, where it introspects as the client `resource`, and that
client's secret. Run as a program it prints one line of JSON that tells its URL.
"""

from __future__ import annotations

import json
import socket
import sys
import threading

import httpx
import uvicorn
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer


class Introspection:
    """Verifies a token by asking who gave it (RFC 7662)."""

    def __init__(self, issuer: str, secret: str) -> None:
        self._url, self._auth = f"{issuer}/token/introspection", ("resource", secret)

    async def verify_token(self, token: str) -> AccessToken | None:
        """Returns what a live token says, None for any other."""
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            said = (await client.post(self._url, data={"token": token}, auth=self._auth)).json()
        if not said["active"]:
            return None
        return AccessToken(
            token=token, client_id=said["client_id"], scopes=said.get("scope", "").split(),
            expires_at=said.get("exp"), resource=said.get("aud"),
        )  # fmt: skip


def main() -> None:
    """Says where it listens, and serves until standard input ends."""
    issuer, secret = sys.argv[1:]
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()  # who is told of it may come before the server runs
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
    server = MCPServer(
        "numbers",
        token_verifier=Introspection(issuer, secret),
        # From texts: a URL of pydantic's would add a slash, and the issuer be another.
        auth=AuthSettings.model_validate(
            {
                "issuer_url": issuer,
                "resource_server_url": url,
                "required_scopes": ["read"],
                "validate_token_resource": True,
            }
        ),
    )

    @server.tool()
    def add(a: int, b: int) -> int:
        """Adds two numbers."""
        return a + b

    web = uvicorn.Server(uvicorn.Config(server.streamable_http_app(), log_level="error"))
    threading.Thread(target=web.run, args=([listening],), daemon=True).start()
    sys.stdout.write(json.dumps({"url": url}) + "\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()

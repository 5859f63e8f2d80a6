"""The MCP server: the tools that a key may use, over stdio; its log goes to stderr."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from refresher import __version__
from refresher.errors import RefresherError, TokenUnavailable
from refresher.mcp.tools import Answer, Tools
from refresher.rules.access import Scope

INSTRUCTIONS = (
    "refresher keeps the access tokens of connected accounts fresh. Look for the account with "
    "list_connections; where it is missing, or has to be connected again, give the user a link of "
    "connect_link. Tokens and links are secrets: never show a token, and show a link to its user only."
)
NEEDS = {
    "list_connections": Scope.READ,
    "explain": Scope.READ,
    "get_token": Scope.TOKEN,
    "connect_link": Scope.CONNECT,
}
"""Which scope of an API key each tool needs; get_token looks at the connection first, too."""


def build(tools: Tools, scopes: Collection[str]) -> MCPServer:
    """Returns the server with the tools that these scopes allow."""
    server = MCPServer(
        "refresher", instructions=INSTRUCTIONS, version=__version__, log_level="WARNING"
    )
    for name, scope in NEEDS.items():
        if scope in scopes and Scope.READ in scopes:
            server.tool(name=name)(_told(getattr(tools, name)))
    return server


def _told(tool: Callable[..., Awaitable[Answer]]) -> Callable[..., Awaitable[Answer]]:
    """Returns the tool with our errors as its own: one sentence, with what an agent can do."""

    @functools.wraps(tool)
    async def told(*arguments: Any, **named: Any) -> Answer:
        try:
            return await tool(*arguments, **named)
        except TokenUnavailable as error:
            again = (
                f"; again in {error.retry_after_seconds:.0f} s" if error.retry_after_seconds else ""
            )
            raise ToolError(f"{error} ({error.code}{again})") from None
        except RefresherError as error:
            raise ToolError(str(error)) from None

    return told

"""`refresher mcp`: an MCP server over stdio, for an agent on this machine."""

from __future__ import annotations

import asyncio
import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer

from refresher.cli.output import WrongUse, command

if TYPE_CHECKING:
    from refresher.client import AsyncRefresher

app = typer.Typer()
API_URL = "REFRESHER_API_URL"


@command(
    app,
    "refresher mcp",
    "refresher mcp --organization default",
    "claude mcp add refresher -- refresher mcp",
)
def mcp(
    organization: Annotated[
        str | None,
        typer.Option(help="Whose connections; left out: the API key's, else `default`."),
    ] = None,
) -> None:
    """Serve an agent over stdio, as an MCP server: its connections, fresh tokens, links to connect.

    With REFRESHER_API_URL and REFRESHER_API_KEY it asks the API, and offers what the key may do:
    tokens only with the scope `token`, links only with `connect`. Without, it works on the database.
    """
    if find_spec("mcp") is None:
        raise WrongUse(
            'the MCP SDK is not installed: `pip install "refresher[mcp]"` brings it, and this works'
        )
    asyncio.run(_serve(organization))


async def _serve(organization: str | None) -> None:
    from refresher.mcp.server import build  # noqa: PLC0415  optional
    from refresher.mcp.tools import Tools  # noqa: PLC0415

    async with _opened() as refresher:
        rights = await refresher.rights()
        own = rights.organization_id
        if own is not None and organization not in {None, own}:
            raise WrongUse(f"the API key is of the organization {own}: leave --organization out")
        tools = Tools(refresher, own or organization or "default")
        await build(tools, rights.scopes).run_stdio_async()


def _opened() -> AsyncRefresher:
    """Returns the SDK over the API that the environment names, else on the database.

    Stdout belongs to the protocol: what is logged goes to stderr.
    """
    from refresher.client import AsyncRefresher  # noqa: PLC0415  a server, not a quick command

    if os.environ.get(API_URL):
        return AsyncRefresher()
    from refresher.runtime import log  # noqa: PLC0415
    from refresher.settings import load  # noqa: PLC0415

    settings = load()
    if settings.database_url is None:
        raise WrongUse(
            f"neither {API_URL} nor DATABASE_URL is set: an agent needs an API and its key, or the "
            "database"
        )
    quiet = {} if "log_level" in settings.model_fields_set else {"log_level": "error"}
    log.configure(settings.model_copy(update=quiet))
    return AsyncRefresher(database_url=settings.database_url.get_secret_value())

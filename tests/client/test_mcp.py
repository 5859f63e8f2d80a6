"""`refresher mcp`, asked by the official SDK's client: what an agent sees, gets and cannot get."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_types import TextContent

from refresher.cli import mcp as command
from refresher.cli.output import WrongUse
from refresher.client import AsyncRefresher, Connection, Refresher
from refresher.mcp.server import NEEDS, build
from refresher.mcp.tools import Tools, in_words
from tests.client.conftest import Place

T = TypeVar("T")


def asked(
    way: dict[str, Any], ask: Callable[[Client], Awaitable[T]], scopes: set[str] | None = None
) -> T:
    """Returns what an agent is answered by a server in this process."""

    async def run() -> T:
        async with AsyncRefresher(**way) as refresher:
            allowed = (await refresher.rights()).scopes if scopes is None else scopes
            async with Client(build(Tools(refresher, "org"), allowed)) as client:
                return await ask(client)

    return asyncio.run(run())


async def call(client: Client, tool: str, **given: Any) -> dict[str, Any]:
    """Returns a tool's answer; raises `AssertionError` with what it refused."""
    answer = await client.call_tool(tool, given)
    assert not answer.is_error, answer.content
    told: dict[str, Any] = answer.structured_content
    return told


async def refusal(client: Client, tool: str, **given: Any) -> str:
    """Returns the sentence of a refusal."""
    answer = await client.call_tool(tool, given)
    assert answer.is_error
    (told,) = answer.content
    assert isinstance(told, TextContent)
    return told.text


def test_an_agent_sees_accounts_and_gets_a_fresh_token(
    way: dict[str, Any], refresher: Refresher, place: Place
) -> None:
    """The list has no token; an expired one is refreshed before it is handed out."""
    fields = place.fields(expires_in=0)
    id_ = str(refresher.register(**fields).id)

    async def ask(client: Client) -> None:
        listed = await call(client, "list_connections", provider="acme")
        (mine,) = [one for one in listed["connections"] if one["id"] == id_]
        assert (mine["provider"], mine["status"]) == ("acme", "active")
        assert fields["access_token"] not in str(listed)
        token = await call(client, "get_token", connection_id=id_)
        assert token["access_token"] != fields["access_token"]
        assert token["expires_in_seconds"] > 60
        told = await call(client, "explain", connection_id=id_)
        assert told["in_words"].startswith("All is well")
        assert [event["what"] for event in told["lately"]] == ["refreshed", "imported"]
        assert token["access_token"] not in str(told)

    asked(way, ask)


def test_an_agent_asks_its_user_to_connect(way: dict[str, Any], connected: Connection) -> None:
    """A link for a provider, or for the same account again; a server that is not listed is refused."""

    async def ask(client: Client) -> None:
        made = await call(client, "connect_link", provider="acme", for_whom="Ann")
        assert "/connect/" in made["url"]
        again = await call(client, "connect_link", connection_id=str(connected.id))
        assert again["connection_id"] == str(connected.id)
        said = await refusal(client, "connect_link", server_url="https://mcp.example/mcp")
        assert "`refresher providers add" in said

    asked(way, ask)


def test_a_key_offers_what_it_may(way: dict[str, Any]) -> None:
    """Without the scope `token` there is no tool for tokens at all."""

    async def names(client: Client) -> set[str]:
        return {tool.name for tool in (await client.list_tools()).tools}

    assert asked(way, names) == set(NEEDS)
    assert asked(way, names, {"read"}) == {"list_connections", "explain"}
    assert asked(way, names, {"read", "connect"}) == set(NEEDS) - {"get_token"}
    assert asked(way, names, {"token"}) == set()


def test_what_is_not_the_organization_s_is_not_there(place: Place) -> None:
    """Another organization's connection is none, also for whoever has the database."""
    with Refresher(**place.direct) as refresher:
        other = str(refresher.register(**place.fields(organization_id="other")).id)

    async def ask(client: Client) -> None:
        for tool in ("get_token", "explain", "connect_link"):
            said = await refusal(client, tool, connection_id=other)
            assert f"no connection has the id {other}" in said
            assert "no connection" in await refusal(client, tool, connection_id=str(uuid4()))
        listed = await call(client, "list_connections")
        assert other not in str(listed)

    asked(place.direct, ask)


def test_a_token_that_cannot_be_had_says_why(place: Place) -> None:
    """What the agent can do is in the sentence: wait, or ask its user."""
    fields = place.fields(expires_in=0)
    with Refresher(**place.direct) as refresher:
        id_ = str(refresher.register(**fields).id)
    place.provider.admin.revoke(fields["external_id"])

    async def ask(client: Client) -> None:
        assert "(reconnect_required)" in await refusal(client, "get_token", connection_id=id_)
        told = await call(client, "explain", connection_id=id_)
        assert "connect_link with this connection_id" in told["in_words"]

    asked(place.direct, ask)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"parked_reason": "paused", "paused_at": 1}, "paused on purpose"),
        ({"parked_reason": "app_not_configured"}, "whoever runs refresher can mend"),
        ({"attempt": 2}, "is tried again by itself"),
    ],
)
def test_each_state_has_words(connected: Connection, fields: dict[str, Any], words: str) -> None:
    """Who can do something about it."""
    usual = {"organization_id": "org", "provider": "p", "external_id": "e", "status": "active"}
    given: dict[str, Any] = {**usual, "state": "idle", "credential_version": 1, **fields}
    assert words in in_words(Connection(connected.id, **given))


@pytest.mark.slow
def test_over_stdio_nothing_else_is_on_stdout(
    place: Place, connected: Connection, tmp_path: Path
) -> None:
    """The command as a client starts it, by an API key of one organization; its log has no token."""
    log = tmp_path / "log"

    async def ask() -> str:
        home = {name: value for name, value in os.environ.items() if "REFRESHER" not in name}
        over = {
            "REFRESHER_API_URL": place.http["api_url"],
            "REFRESHER_API_KEY": place.http["api_key"],
        }
        started = StdioServerParameters(
            command=sys.executable, args=["-m", "refresher", "mcp"], env={**home, **over}
        )
        with log.open("w") as file:
            async with Client(stdio_client(started, errlog=file)) as client:
                token = await call(client, "get_token", connection_id=str(connected.id))
                return str(token["access_token"])

    token = asyncio.run(ask())
    assert len(token) > 10
    assert token not in log.read_text()


def test_without_the_sdk_it_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """And without anything to ask, another."""
    monkeypatch.delenv("REFRESHER_API_URL", raising=False)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REFRESHER_DATABASE_URL", raising=False)
    with pytest.raises(WrongUse, match="neither REFRESHER_API_URL nor DATABASE_URL is set"):
        command.mcp(None)
    monkeypatch.setattr(
        command, "find_spec", lambda name: None if name == "mcp" else find_spec(name)
    )
    with pytest.raises(WrongUse, match=r'pip install "refresher\[mcp\]"'):
        command.mcp(None)

"""What an agent may do, as functions: each answers with a plain object, or raises one of our errors.

Tokens and links are in answers only: nothing here logs, and whoever runs the agent decides where its
conversations are kept.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeVar

from refresher.client import AsyncRefresher, Connection
from refresher.client.which import Which
from refresher.errors import NoSuchConnection
from refresher.rules.connection import Status

T = TypeVar("T")
MOST_LISTED = 200
MOST_EVENTS = 10
TOLD = (
    *("id", "provider", "external_id", "name", "account_label", "status", "state"),
    *("parked_reason", "status_cause", "expires_at", "due_at", "missing_scopes"),
)
"""What of a connection helps somebody choose one, or mend it."""
Answer = dict[str, Any]


class Tools:
    """The tools of one organization. Each raises `RefresherError` with one sentence."""

    def __init__(self, refresher: AsyncRefresher, organization_id: str) -> None:
        self._refresher = refresher
        self.organization_id = organization_id

    async def list_connections(self, provider: str | None = None) -> Answer:
        """List the connected accounts, and say which of them need their user.

        `state` is `idle` where all is well; `status` is `reconnect_required` where the account has to
        be connected again: connect_link makes the link for that.
        """
        found = self._refresher.connections(organization_id=self.organization_id, provider=provider)
        shown = [_shown(one) async for one in _first(found, MOST_LISTED + 1)]
        return {"connections": shown[:MOST_LISTED], "more": len(shown) > MOST_LISTED}

    async def get_token(self, connection_id: str, min_ttl_seconds: float = 60.0) -> Answer:
        """Get an access token that is fresh for so many seconds at least, for the provider's API.

        Send it as `Authorization: Bearer`. Ask again for each piece of work instead of keeping it.
        Where it cannot be had, the error says why, and whether the account must be connected again.
        """
        await self._own(connection_id)
        served = await self._refresher.token(connection_id, min_ttl_seconds)
        return {
            "access_token": served.access_token.reveal(),
            "token_type": served.token_type,
            "expires_in_seconds": served.expires_in_seconds,
            "scopes": list(served.scopes),
            "stale": served.stale,
            **({"detail": served.detail} if served.detail else {}),
        }

    async def explain(self, connection_id: str) -> Answer:
        """Explain how a connection stands: what it waits for, and what happened to it lately."""
        connection = await self._own(connection_id)
        events = self._refresher.events(connection_id)
        lately = [event async for event in _first(events, MOST_EVENTS)]
        return {
            "connection": _shown(connection),
            "in_words": in_words(connection),
            "lately": [
                {"at": event.occurred_at.isoformat(), "what": event.kind, "why": event.reason}
                for event in lately
            ],
        }

    async def connect_link(
        self,
        provider: str | None = None,
        server_url: str | None = None,
        connection_id: str | None = None,
        scopes: list[str] | None = None,
        for_whom: str | None = None,
    ) -> Answer:
        """Make a link by which the user connects an account. Give it to the user, and to nobody else.

        Give one of: `provider` (such as google), `server_url` (of an MCP server), or `connection_id`,
        to connect the same account again or with more `scopes`. Whoever opens the link connects *their*
        account. list_connections shows when it is done.
        """
        wishes: Mapping[str, Any] = {"flow": "link", "scopes": scopes, "for_whom": for_whom}
        if connection_id is not None:
            await self._own(connection_id)
            begun = await self._refresher.reconnect_url(connection_id, **wishes)
        else:
            begun = await self._refresher.connect_url(
                organization_id=self.organization_id,
                provider=provider,
                server_url=server_url,
                **wishes,
            )
        return {
            "url": begun.url,
            "expires_at": begun.expires_at.isoformat(),
            "connection_id": str(begun.connection_id) if begun.connection_id else None,
        }

    async def _own(self, connection_id: Which) -> Connection:
        """Returns a connection of the organization; another's is none."""
        found = await self._refresher.get(connection_id)
        if found.organization_id != self.organization_id:
            raise NoSuchConnection(f"no connection has the id {connection_id}")
        return found


async def _first(found: AsyncIterator[T], most: int) -> AsyncIterator[T]:
    """Yields no more than so many."""
    count = 0
    async for one in found:
        yield one
        count += 1
        if count == most:
            return


def _shown(connection: Connection) -> Answer:
    """Returns what helps somebody choose a connection, as JSON has it; never a token."""
    told = {name: getattr(connection, name) for name in TOLD}
    known = {name: value for name, value in told.items() if value not in {None, ()}}
    plain = {n: list(v) if isinstance(v, tuple) else v for n, v in known.items()}
    return {name: v if isinstance(v, list | str) else _text(v) for name, v in plain.items()}


def _text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def in_words(connection: Connection) -> str:
    """Returns how a connection stands, and who can do something about it, in a sentence."""
    if connection.disabled_at or connection.paused_at:
        return "It is paused on purpose: its token is not refreshed until somebody resumes it."
    if connection.status == Status.RECONNECT_REQUIRED:
        return (
            "The provider ended the grant: its user has to connect the account again, by a link of "
            "connect_link with this connection_id."
        )
    if connection.parked_reason is not None:
        return (
            f"It is not refreshed now ({connection.parked_reason}): whoever runs refresher can mend "
            f"that, and `refresher explain {connection.id}` says how."
        )
    if connection.attempt:
        return "Its last refresh failed, and is tried again by itself."
    return "All is well: its token is refreshed by itself before it ends."

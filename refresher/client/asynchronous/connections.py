"""Connections: registered, looked at, changed, steered, deleted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Unpack, overload
from uuid import UUID

from refresher.client import links, looking, operations
from refresher.client.handing_in import Fields, as_given
from refresher.client.links import ResumeLink, ResumeLinkStatus
from refresher.client.looking import Filters, Rights
from refresher.client.opened import AsyncOpened
from refresher.client.operations import Change
from refresher.client.values import Connection, Event
from refresher.client.which import Account, Which
from refresher.errors import NoSuchConnection


class AsyncConnections(AsyncOpened):
    """What is done to connections."""

    async def register(
        self, tokens: Mapping[str, object] | None = None, **fields: Unpack[Fields]
    ) -> Connection:
        """Hands a connection in, after its OAuth dance; the same again with tokens is a reconnect.

        The fields are those of an import. `tokens` may be the token endpoint's answer as it came; what
        is absent keeps what is stored, and without any token nothing of the grant changes.
        Raises `InvalidConnection` with the field that is wrong, or with the provider's error.
        """
        return await self._run(operations.register(as_given(tokens, fields)))

    async def get(self, which: Which) -> Connection:
        """Returns a connection as it is; raises `NoSuchConnection`."""
        return await self._run(operations.get(which))

    @overload
    async def find(self, what: Account | tuple[str, str, str]) -> Connection | None: ...

    @overload
    async def find(
        self, what: str, *, organization_id: str | None = None
    ) -> tuple[Connection, ...]: ...

    async def find(
        self, what: str | Account | tuple[str, str, str], *, organization_id: str | None = None
    ) -> tuple[Connection, ...] | Connection | None:
        """Returns the connection of three names, None where there is none; or those a text may mean.

        A text is looked for among external ids, names, ids and their beginnings (4 digits of an id or
        more), the exact one first.
        """
        if isinstance(what, str):
            return await self._run(looking.find(what, organization_id))
        try:
            return await self.get(what)
        except NoSuchConnection:
            return None

    def list(self, **filters: Unpack[Filters]) -> AsyncIterator[Connection]:
        """Yields connections, all or those that fit (`health="expired"`), read page by page."""
        return self._pages(lambda cursor: looking.connections(filters, cursor=cursor))

    def connections(self, **filters: Unpack[Filters]) -> AsyncIterator[Connection]:
        """Does what `list` does, which was called so before."""
        return self.list(**filters)

    def events(self, which: Which) -> AsyncIterator[Event]:
        """Yields what happened to a connection, the newest first, read page by page."""
        return self._pages(lambda cursor: operations.events(which, cursor=cursor))

    async def patch(self, which: Which, **change: Unpack[Change]) -> Connection:
        """Changes `name`, `metadata` (as a whole) and `scopes`, those that are given."""
        return await self._run(operations.patch(which, change))

    async def pause(self, which: Which) -> Connection:
        """Leaves a connection alone until it is resumed; it keeps its tokens."""
        return await self._run(operations.steer(which, "pause"))

    async def resume(self, which: Which) -> Connection:
        """Makes a paused, disabled or parked connection due at once."""
        return await self._run(operations.steer(which, "resume"))

    async def disable(self, which: Which) -> Connection:
        """Switches a connection off, such as when its owner has not paid; it keeps its tokens."""
        return await self._run(operations.steer(which, "disable"))

    async def enable(self, which: Which) -> Connection:
        """Ends disabling, and nothing else: a pause goes on."""
        return await self._run(operations.steer(which, "enable"))

    async def delete(self, which: Which, *, revoke: bool = False) -> None:
        """Deletes a connection; with `revoke` its grant is given back to the provider (RFC 7009)."""
        await self._run(operations.delete(which, revoke=revoke))

    async def resume_link(
        self, which: Which, *, expires_in_seconds: float = 86_400.0, replaces_tokens: bool = False
    ) -> ResumeLink:
        """Makes a link with which somebody without an API key makes a connection go on, once.

        It lasts 60 s to 30 days. `replaces_tokens`: it takes tokens also while the connection works.
        """
        order = links.make(
            which, expires_in_seconds=expires_in_seconds, replaces_tokens=replaces_tokens
        )
        return await self._run(order)

    async def resume_links(self, which: Which) -> tuple[ResumeLinkStatus, ...]:
        """Returns the links of a connection, the newest first: open ones, and those of late."""
        return await self._run(links.listed(which))

    async def withdraw_link(self, which: Which, link_id: UUID | str) -> ResumeLinkStatus:
        """Withdraws a link that was not used yet; raises `NoSuchLink`."""
        return await self._run(links.withdraw(which, link_id))

    async def rights(self) -> Rights:
        """Returns what this API key may do; straight on a database, everything."""
        return await self._run(looking.rights())

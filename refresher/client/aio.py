"""`AsyncRefresher`: fresh tokens for an application, with asyncio."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack

from refresher.client import connecting, looking, operations
from refresher.client.connecting import ConnectStart, ConnectStatus, Whom, Wishes
from refresher.client.looking import Rights
from refresher.client.operations import PAGE, Call, Fields, Id, as_given
from refresher.client.stepping import Response
from refresher.client.token_steps import REMEMBER_SECONDS
from refresher.client.transport import Connected
from refresher.client.values import Connection, Event
from refresher.errors import TokenUnavailable
from refresher.rules.served import RefreshResult, Served

if TYPE_CHECKING:
    import httpx

    from refresher.client.auth import ConnectionAuth

    Base = Connected[httpx.AsyncClient]
else:
    Base = Connected

T = TypeVar("T")


class AsyncRefresher(Base):
    """Like `Refresher`, for asyncio: the same arguments, the same methods, awaited.

    A thousand tasks that wait for one refresh hold neither threads nor database connections.
    """

    async def token(
        self,
        connection_id: Id,
        min_ttl_seconds: float = 60.0,
        *,
        wait_seconds: float = 20.0,
        rejected: str | None = None,
        slot: str | None = None,
    ) -> Served:
        """Returns an access token that lives `min_ttl_seconds` more: see `Refresher.token`."""
        return await self._run(
            operations.token(connection_id, min_ttl_seconds, wait_seconds, rejected, slot)
        )

    def auth(
        self,
        connection_id: Id,
        min_ttl_seconds: float = 60.0,
        *,
        wait_seconds: float = 20.0,
        remember_seconds: float = REMEMBER_SECONDS,
        slot: str | None = None,
    ) -> ConnectionAuth:
        """Returns what async clients of httpx and httpx2 take, and aiohttp: see `ConnectionAuth`."""

        async def ask(*, rejected: str | None) -> Served:
            return await self.token(
                connection_id,
                min_ttl_seconds,
                wait_seconds=wait_seconds,
                rejected=rejected,
                slot=slot,
            )

        from refresher.client.auth import ConnectionAuth

        return ConnectionAuth(None, ask, remember_seconds=remember_seconds)

    async def headers(
        self,
        connection_id: Id,
        min_ttl_seconds: float = 60.0,
        *,
        wait_seconds: float = 20.0,
        slot: str | None = None,
    ) -> dict[str, str]:
        """Returns the `Authorization` header of one request, for what takes no `auth`.

        It holds a token that ends: ask before each request, and keep none.
        """
        served = await self.token(
            connection_id, min_ttl_seconds, wait_seconds=wait_seconds, slot=slot
        )
        return {"Authorization": served.header()}

    async def register(
        self, tokens: Mapping[str, object] | None = None, **fields: Unpack[Fields]
    ) -> Connection:
        """Hands a connection in, after its OAuth dance: see `Refresher.register`."""
        return await self._run(operations.register(as_given(tokens, fields)))

    async def get(self, connection_id: Id) -> Connection:
        """Returns a connection as it is; raises `NoSuchConnection`."""
        return await self._run(operations.get(connection_id))

    async def refresh(self, connection_id: Id, *, wait_seconds: float = 20.0) -> RefreshResult:
        """Refreshes now, whatever is left, and tells how it ended; waits for who is at it already."""
        return await self._run(operations.refresh(connection_id, wait_seconds=wait_seconds))

    async def pause(self, connection_id: Id) -> Connection:
        """Leaves a connection alone until it is resumed; it keeps its tokens."""
        return await self._run(operations.pause(connection_id))

    async def resume(self, connection_id: Id) -> Connection:
        """Makes a paused, disabled or parked connection due at once."""
        return await self._run(operations.resume(connection_id))

    async def delete(self, connection_id: Id, *, revoke: bool = False) -> None:
        """Deletes a connection; with `revoke` its grant is given back to the provider (RFC 7009)."""
        await self._run(operations.delete(connection_id, revoke=revoke))

    async def events(self, connection_id: Id) -> AsyncIterator[Event]:
        """Yields what happened to a connection, the newest first, read page by page."""
        cursor: str | None = None
        while True:
            page = await self._run(operations.events(connection_id, cursor=cursor, limit=PAGE))
            for event in page.items:
                yield event
            cursor = page.next_cursor
            if cursor is None:
                return

    async def connections(
        self,
        *,
        organization_id: str | None = None,
        provider: str | None = None,
        health: str | None = None,
    ) -> AsyncIterator[Connection]:
        """Yields connections, all or those that stand so (`health="expired"`), read page by page."""
        chosen = {"organization_id": organization_id, "provider": provider, "health": health}
        cursor: str | None = None
        while True:
            page = await self._run(looking.connections(chosen, cursor=cursor))
            for connection in page.items:
                yield connection
            cursor = page.next_cursor
            if cursor is None:
                return

    async def rights(self) -> Rights:
        """Returns what this API key may do; straight on a database, everything."""
        return await self._run(looking.rights())

    async def connect_url(self, **whom: Unpack[Whom]) -> ConnectStart:
        """Begins a connect session: send the person to `url`, and keep the rest in *their* session.

        `provider` and `external_id` say what becomes of it, `scopes` what is asked for besides; an
        account that is connected already is a reconnect. With `return_url` the person comes back there
        with `connect_code`, for `connect_complete`. All that it takes: docs/connect.md.
        """
        return await self._run(connecting.begin({**whom}))

    async def reconnect_url(self, connection_id: Id, **wishes: Unpack[Wishes]) -> ConnectStart:
        """Begins a session in which the same account is connected again; `scopes` are added."""
        return await self._run(connecting.reconnect(connection_id, wishes))

    async def connect_complete(self, session_id: Id, *, code: str, verifier: str) -> ConnectStatus:
        """Makes it a connection: `code` came to the return URL, `verifier` is the user's session's.

        Once, and within ten minutes. Raises `ConnectRefused` where one of them is not the session's.
        """
        return await self._run(connecting.complete(session_id, code, verifier))

    async def connect_status(self, session_id: Id) -> ConnectStatus:
        """Returns how a connect session stands; raises `NoSuchSession`."""
        return await self._run(connecting.status(session_id))

    async def connect_wait(self, session_id: Id, wait_seconds: float = 600.0) -> ConnectStatus:
        """Waits until a connect session has ended, so long at most, and returns how it stands."""
        import asyncio

        for look in connecting.looks(session_id, wait_seconds):
            found = await self._run(look)
            if found.is_over:
                break
            await asyncio.sleep(connecting.PAUSE_SECONDS)
        return found

    async def step_up(
        self, connection_id: Id, response: Response, **wishes: Unpack[Wishes]
    ) -> ConnectStart | None:
        """Begins a session for the scopes that a 403 with `insufficient_scope` asks for (RFC 6750).

        The same one while it is open: at most one for each connection. None where the answer asks for
        nothing that more consent could give, or the person is on the way already.
        """
        steps = self._step_ups.steps(connection_id, response, wishes)
        try:
            call = next(steps)
            while True:
                call = steps.send(await self._run(call))
        except StopIteration as done:
            found: ConnectStart | None = done.value
            return found

    async def connect_cancel(self, session_id: Id) -> ConnectStatus:
        """Ends a connect session, and withdraws its link."""
        return await self._run(connecting.cancel(session_id))

    async def aclose(self) -> None:
        """Waits for refreshes under way, and gives back threads and connections."""
        import asyncio

        if self._http is not None:
            await self._http.aclose()
        if self._direct is not None:
            await asyncio.to_thread(self._direct.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _run(self, operation: Call[T]) -> T:
        import asyncio

        try:
            if self._http is not None:
                return await self._http.run_async(operation)
            direct: Any = self._direct
            if operation.here_async is not None:
                return await operation.here_async(direct)
            return await asyncio.to_thread(operation.here, direct)
        except TokenUnavailable as error:
            if operation.of is not None:
                error.reconnects = partial(self.reconnect_url, operation.of)
            raise

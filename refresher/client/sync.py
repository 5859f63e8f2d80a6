"""`Refresher`: fresh tokens for an application, with threads."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
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

    Base = Connected[httpx.Client]
else:
    Base = Connected

T = TypeVar("T")


class Refresher(Base):
    """Hands out access tokens that are fresh, over HTTP or straight from the database.

    Give `api_url` and `api_key`, or `database_url` and `encryption_keys` (and any other setting of
    docs/settings.md by its name; the environment counts, too). Without arguments the environment's
    REFRESHER_API_URL and REFRESHER_API_KEY count. Safe to share between threads; open
    it after a fork, and close it at the end. `http_client` replaces the client for the API.
    """

    def token(
        self,
        connection_id: Id,
        min_ttl_seconds: float = 60.0,
        *,
        wait_seconds: float = 20.0,
        rejected: str | None = None,
        slot: str | None = None,
    ) -> Served:
        """Returns an access token that lives `min_ttl_seconds` more.

        Where the stored one does not, it is refreshed first, within `wait_seconds`; if that cannot be
        had, one that is still valid comes with `stale` and a `reason`. `rejected` is the fingerprint
        of a token that the resource server refused. `slot` names a token beside the main one.
        `token.access_token.reveal()` is the text.

        Raises `TokenUnavailable`, whose `code` and `retry_after_seconds` tell what to do.
        """
        return self._run(
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
        """Returns what httpx, httpx2, requests and aiohttp take: see `ConnectionAuth`."""

        def ask(*, rejected: str | None) -> Served:
            return self.token(
                connection_id,
                min_ttl_seconds,
                wait_seconds=wait_seconds,
                rejected=rejected,
                slot=slot,
            )

        async def ask_async(*, rejected: str | None) -> Served:
            import asyncio

            return await asyncio.to_thread(ask, rejected=rejected)

        from refresher.client.auth import ConnectionAuth

        return ConnectionAuth(ask, ask_async, remember_seconds=remember_seconds)

    def headers(
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
        served = self.token(connection_id, min_ttl_seconds, wait_seconds=wait_seconds, slot=slot)
        return {"Authorization": served.header()}

    def register(
        self, tokens: Mapping[str, object] | None = None, **fields: Unpack[Fields]
    ) -> Connection:
        """Hands a connection in, after its OAuth dance; the same again with tokens is a reconnect.

        The fields are those of an import. `tokens` may be the token endpoint's answer as it came; what
        is absent keeps what is stored, and without any token nothing of the grant changes.
        Raises `InvalidConnection` with the field that is wrong, or with the provider's error.
        """
        return self._run(operations.register(as_given(tokens, fields)))

    def get(self, connection_id: Id) -> Connection:
        """Returns a connection as it is; raises `NoSuchConnection`."""
        return self._run(operations.get(connection_id))

    def refresh(self, connection_id: Id, *, wait_seconds: float = 20.0) -> RefreshResult:
        """Refreshes now, whatever is left, and tells how it ended; waits for who is at it already."""
        return self._run(operations.refresh(connection_id, wait_seconds=wait_seconds))

    def pause(self, connection_id: Id) -> Connection:
        """Leaves a connection alone until it is resumed; it keeps its tokens."""
        return self._run(operations.pause(connection_id))

    def resume(self, connection_id: Id) -> Connection:
        """Makes a paused, disabled or parked connection due at once; `note` says when there is none."""
        return self._run(operations.resume(connection_id))

    def delete(self, connection_id: Id, *, revoke: bool = False) -> None:
        """Deletes a connection; with `revoke` its grant is given back to the provider (RFC 7009)."""
        self._run(operations.delete(connection_id, revoke=revoke))

    def events(self, connection_id: Id) -> Iterator[Event]:
        """Yields what happened to a connection, the newest first, read page by page."""
        cursor: str | None = None
        while True:
            page = self._run(operations.events(connection_id, cursor=cursor, limit=PAGE))
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return

    def connections(
        self,
        *,
        organization_id: str | None = None,
        provider: str | None = None,
        health: str | None = None,
    ) -> Iterator[Connection]:
        """Yields connections, all or those that stand so (`health="expired"`), read page by page."""
        chosen = {"organization_id": organization_id, "provider": provider, "health": health}
        cursor: str | None = None
        while True:
            page = self._run(looking.connections(chosen, cursor=cursor))
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return

    def rights(self) -> Rights:
        """Returns what this API key may do; straight on a database, everything."""
        return self._run(looking.rights())

    def connect_url(self, **whom: Unpack[Whom]) -> ConnectStart:
        """Begins a connect session: send the person to `url`, and keep the rest in *their* session.

        `provider` and `external_id` say what becomes of it, `scopes` what is asked for besides; an
        account that is connected already is a reconnect. With `return_url` the person comes back there
        with `connect_code`, for `connect_complete`. All that it takes: docs/connect.md.
        """
        return self._run(connecting.begin({**whom}))

    def reconnect_url(self, connection_id: Id, **wishes: Unpack[Wishes]) -> ConnectStart:
        """Begins a session in which the same account is connected again; `scopes` are added."""
        return self._run(connecting.reconnect(connection_id, wishes))

    def connect_complete(self, session_id: Id, *, code: str, verifier: str) -> ConnectStatus:
        """Makes it a connection: `code` came to the return URL, `verifier` is the user's session's.

        Once, and within ten minutes. Raises `ConnectRefused` where one of them is not the session's.
        """
        return self._run(connecting.complete(session_id, code, verifier))

    def connect_status(self, session_id: Id) -> ConnectStatus:
        """Returns how a connect session stands; raises `NoSuchSession`."""
        return self._run(connecting.status(session_id))

    def connect_wait(self, session_id: Id, wait_seconds: float = 600.0) -> ConnectStatus:
        """Waits until a connect session has ended, so long at most, and returns how it stands."""
        for look in connecting.looks(session_id, wait_seconds):
            found = self._run(look)
            if found.is_over:
                break
            time.sleep(connecting.PAUSE_SECONDS)
        return found

    def step_up(
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
                call = steps.send(self._run(call))
        except StopIteration as done:
            found: ConnectStart | None = done.value
            return found

    def connect_cancel(self, session_id: Id) -> ConnectStatus:
        """Ends a connect session, and withdraws its link."""
        return self._run(connecting.cancel(session_id))

    def close(self) -> None:
        """Waits for refreshes under way, and gives back threads and connections."""
        if self._http is not None:
            self._http.close()
        if self._direct is not None:
            self._direct.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self, operation: Call[T]) -> T:
        try:
            if self._http is not None:
                return self._http.run(operation)
            direct: Any = self._direct
            return operation.here(direct)
        except TokenUnavailable as error:
            if operation.of is not None:
                error.reconnects = partial(self.reconnect_url, operation.of)
            raise

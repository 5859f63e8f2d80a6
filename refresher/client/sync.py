"""`Refresher`: fresh tokens for an application, with threads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import httpx

from refresher.client import looking, operations
from refresher.client.auth import REMEMBER_SECONDS, ConnectionAuth
from refresher.client.looking import Rights
from refresher.client.operations import PAGE, Call, Fields, Id, as_given
from refresher.client.transport import Connected
from refresher.client.values import Connection, Event
from refresher.rules.serving import RefreshResult, Served

T = TypeVar("T")


class Refresher(Connected[httpx.Client]):
    """Hands out access tokens that are fresh, over HTTP or straight from the database.

    Give `api_url` and `api_key`, or `database_url` and `encryption_keys` (and any other setting of
    the README's table by its name; the environment counts, too). Without arguments the environment's
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
        """Returns what `httpx.Client(auth=…)` takes, or `httpx.AsyncClient`: see `ConnectionAuth`."""

        def ask(*, rejected: str | None) -> Served:
            return self.token(
                connection_id,
                min_ttl_seconds,
                wait_seconds=wait_seconds,
                rejected=rejected,
                slot=slot,
            )

        async def ask_async(*, rejected: str | None) -> Served:
            return await asyncio.to_thread(ask, rejected=rejected)

        return ConnectionAuth(ask, ask_async, remember_seconds=remember_seconds)

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
        self, *, organization_id: str | None = None, provider: str | None = None
    ) -> Iterator[Connection]:
        """Yields connections in the order of their names, read page by page."""
        chosen = {"organization_id": organization_id, "provider": provider}
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
        if self._http is not None:
            return self._http.run(operation)
        direct: Any = self._direct
        return operation.here(direct)

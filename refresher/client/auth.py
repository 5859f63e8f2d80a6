"""`auth=refresher.auth(which)`: what httpx, httpx2, requests and aiohttp take.

Imported when an auth is made, for it loads httpx. requests and aiohttp are never imported here: who
hands over one of their requests has done so.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, overload

import httpx

from refresher.client.token_steps import (
    REMEMBER_SECONDS,
    UNAUTHORIZED,
    Memory,
    until_sent,
    until_sent_async,
)
from refresher.errors import SettingsError
from refresher.rules.served import Served

Prepared = TypeVar("Prepared")

if TYPE_CHECKING:
    Base = httpx.Auth
else:
    # httpx2 asks for its own class, and takes any other callable for one that knows no 401.
    _bases = [httpx.Auth]
    with suppress(ImportError):
        import httpx2

        _bases.append(httpx2.Auth)
    Base = type("Base", tuple(_bases), {})


class ConnectionAuth(Base):
    """Sends each request with a connection's access token.

    On a 401 *that* token is reported as rejected, and the request is repeated once with the next one.
    If there is none, the 401 is handed to the caller; unless only a person can help, such as by
    connecting the account again: that is `TokenUnavailable`. A body that can be read only once is not
    repeated, and a redirect to another origin gets no token.

    It is the `auth` of httpx, httpx2 and requests, and a client middleware of aiohttp (3.12). A token
    is asked for again after `remember_seconds`, and before it ends: `ask(rejected=…)` returns one that
    is not the rejected one. Safe to share.
    """

    def __init__(
        self,
        ask: Callable[..., Served] | None,
        ask_async: Callable[..., Awaitable[Served]],
        *,
        remember_seconds: float = REMEMBER_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask, self.ask_async = ask, ask_async
        self.memory = Memory(remember_seconds, clock)

    @property
    def ask(self) -> Callable[..., Served]:
        """How a thread asks for a token; raises `SettingsError` where only asyncio can."""
        if self._ask is None:
            raise SettingsError(
                "the auth of an AsyncRefresher serves httpx.AsyncClient and aiohttp: take a Refresher "
                "here"
            )
        return self._ask

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        """Drives the steps for `httpx.Client`, and that of httpx2."""
        repeatable = _is_repeatable(request)  # as it is before it was read
        steps = self.memory.steps(lambda: repeatable)
        step = until_sent(steps, self.ask)
        while step is not None:
            request.headers["Authorization"] = step.served.header()
            response = yield request
            step = until_sent(steps, self.ask, is_refused=_is_refused(response, step.served))

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Drives the steps for `httpx.AsyncClient`, and that of httpx2."""
        repeatable = _is_repeatable(request)  # as it is before it was read
        steps = self.memory.steps(lambda: repeatable)
        step = await until_sent_async(steps, self.ask_async)
        while step is not None:
            request.headers["Authorization"] = step.served.header()
            response = yield request
            refused = _is_refused(response, step.served)
            step = await until_sent_async(steps, self.ask_async, is_refused=refused)

    @overload
    def __call__(self, request: Prepared) -> Prepared: ...

    @overload
    def __call__(self, request: Any, handler: Callable[..., Any]) -> Awaitable[Any]: ...

    def __call__(self, request: Any, handler: Callable[..., Any] | None = None) -> Any:
        """Puts the token into a prepared request of requests, or sends one of aiohttp."""
        if handler is not None:
            from refresher.client import aiohttp_auth

            return aiohttp_auth.send(self, request, handler)
        if hasattr(request, "register_hook"):
            from refresher.client import requests_auth

            return requests_auth.prepare(self, request)
        raise SettingsError(
            "an auth serves httpx, httpx2, requests and aiohttp: for another library take "
            "refresher.headers(which), before each request"
        )


def _is_refused(response: httpx.Response, served: Served) -> bool:
    """Whether a server refuses this token; who was redirected to another origin did not bring it."""
    brought = response.request.headers.get("Authorization")
    return response.status_code == UNAUTHORIZED and brought == served.header()


def _is_repeatable(request: httpx.Request) -> bool:
    """Whether the body can be sent again: bytes and forms can, a stream of the caller's cannot."""
    form = request.headers.get("Content-Type", "").startswith("multipart/form-data")
    return form or type(request.stream).__name__ == "ByteStream"

"""`httpx.Client(auth=refresher.auth(connection_id))`: the token put in, and put right after a 401.

The flow is one generator for threads and asyncio: it yields what it wants, a token or a request.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any

import httpx

from refresher.errors import RefresherError, SettingsError, TokenUnavailable
from refresher.rules.serving import Served

REMEMBER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Want:
    rejected: str | None = None


_Steps = Generator[_Want | httpx.Request, Any, None]


class ConnectionAuth(httpx.Auth):
    """Sends each request with a connection's access token.

    On a 401 *that* token is reported as rejected, and the request is repeated once with the next one.
    If there is none, the 401 is handed to the caller; unless only a person can help, such as by
    connecting the account again: that is `TokenUnavailable`. A body that can be read only once is not
    repeated.

    A token is asked for again after `remember_seconds`, and before it ends: `ask(rejected=…)` returns
    one that is not the rejected one. Safe to share.
    """

    def __init__(
        self,
        ask: Callable[..., Served] | None,
        ask_async: Callable[..., Awaitable[Served]],
        *,
        remember_seconds: float = REMEMBER_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask, self._ask_async = ask, ask_async
        self._remember_seconds = remember_seconds
        self._clock = clock
        self._remembered: tuple[Served, float] | None = None

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        """Drives the flow for `httpx.Client`."""
        if self._ask is None:
            raise SettingsError(
                "the auth of an AsyncRefresher serves httpx.AsyncClient: take a Refresher here"
            )
        steps = self._steps(request)
        step = _next(steps)
        while step is not None:
            if isinstance(step, httpx.Request):
                step = _next(steps, (yield step))
                continue
            try:
                served = self._ask(rejected=step.rejected)
            except RefresherError as error:
                step = _next(steps, failed=error)
            else:
                step = _next(steps, served)

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Drives the flow for `httpx.AsyncClient`."""
        steps = self._steps(request)
        step = _next(steps)
        while step is not None:
            if isinstance(step, httpx.Request):
                step = _next(steps, (yield step))
                continue
            try:
                served = await self._ask_async(rejected=step.rejected)
            except RefresherError as error:
                step = _next(steps, failed=error)
            else:
                step = _next(steps, served)

    def _steps(self, request: httpx.Request) -> _Steps:
        served = self._known()
        if served is None:
            served = yield _Want()
            self._keep(served)
        _put(request, served)
        repeatable = _is_repeatable(request)
        response = yield request
        if response.status_code != httpx.codes.UNAUTHORIZED:
            return
        self._remembered = None
        try:
            fresh = yield _Want(served.fingerprint)
        except TokenUnavailable as error:
            if error.retry_after_seconds is None:
                raise
            return
        except RefresherError:
            return
        self._keep(fresh)
        if fresh.fingerprint != served.fingerprint and repeatable:
            _put(request, fresh)
            yield request

    def _known(self) -> Served | None:
        remembered = self._remembered
        return remembered[0] if remembered and self._clock() < remembered[1] else None

    def _keep(self, served: Served) -> None:
        """Remembers a good token for a moment, and never for more than half of what it has left."""
        left = served.expires_in_seconds
        seconds = self._remember_seconds if left is None else min(self._remember_seconds, left / 2)
        self._remembered = None if served.stale else (served, self._clock() + seconds)


def _next(
    steps: _Steps, answer: object = None, *, failed: RefresherError | None = None
) -> _Want | httpx.Request | None:
    """Returns what is wanted next, None at the end."""
    try:
        return steps.send(answer) if failed is None else steps.throw(failed)
    except StopIteration:
        return None


def _put(request: httpx.Request, served: Served) -> None:
    request.headers["Authorization"] = f"{served.token_type} {served.access_token.reveal()}"


def _is_repeatable(request: httpx.Request) -> bool:
    """Whether the body can be sent again: bytes and forms can, a stream of the caller's cannot."""
    form = request.headers.get("Content-Type", "").startswith("multipart/form-data")
    return form or isinstance(request.stream, httpx.ByteStream)

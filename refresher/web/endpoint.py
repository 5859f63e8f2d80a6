"""What happens to every request: key, rate, parts, handler, answer. One small ASGI app for each path.

No framework stands between server and handler: on the token route each layer would cost as much as the
handler itself.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from inspect import iscoroutinefunction
from typing import cast

import orjson
import structlog
from starlette.types import Receive, Scope, Send

from refresher.errors import RefresherError
from refresher.web import problems, reading, repeats
from refresher.web.access import authorize, note_forbidden
from refresher.web.call import Answer, Call, Route
from refresher.web.outside import tenant_of
from refresher.web.problems import Problem
from refresher.web.repeats import Sent
from refresher.web.state import State

log = structlog.get_logger()
JSON = (b"content-type", b"application/json")
PROBLEM_JSON = (b"content-type", b"application/problem+json")
NOT_STORED = (b"cache-control", b"no-store")
Headers = Sequence[tuple[bytes, bytes]]


class Endpoint:
    """All methods of one path."""

    def __init__(self, state: State, routes: Sequence[Route]) -> None:
        self.path = routes[0].path
        self._state = state
        self._routes: dict[str, Route] = {route.method: route for route in routes}
        if "GET" in self._routes:
            self._routes["HEAD"] = self._routes["GET"]
        self._asynchronous = {r.method: iscoroutinefunction(r.handler) for r in routes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, whatever happens."""
        try:
            sent, more = await self._serve(self._route(scope["method"]), scope, receive)
        except Exception as error:  # noqa: BLE001  every error is an answer
            await respond_problem(error, scope, send)
            return
        headers = [JSON, NOT_STORED, *more]
        if sent.etag is not None:
            headers.append((b"etag", f'"{sent.etag}"'.encode()))
        await respond(send, sent.status, headers, sent.body)

    def _route(self, method: str) -> Route:
        route = self._routes.get(method)
        if route is None:
            allowed = ", ".join(sorted(self._routes))
            allow = [(b"allow", allowed.encode())]
            raise Problem("method_not_allowed", f"this takes {allowed}", headers=allow)
        return route

    async def _serve(self, route: Route, scope: Scope, receive: Receive) -> tuple[Sent, Headers]:
        state, headers = self._state, reading.headers(scope["headers"])
        key = await authorize(state, route, headers)
        path: Mapping[str, str] = scope["path_params"]
        model, plain, raw = None, None, b""
        query = reading.query(route.query, scope["query_string"])
        if route.body is not None:
            limit = state.services.settings.api_max_body_bytes
            raw = await reading.body(receive, headers, at_most=limit)
            model, plain = reading.parsed(route.body, raw, headers, required=route.body_required)
        call = Call(
            key,
            path,
            query,
            model,
            plain,
            reading.if_match(headers) if route.conditional else None,
            reading.connection_id(path),
        )
        repeated = reading.idempotency_key(headers) if route.idempotent else None
        if repeated is None:
            answer = await self._handle(route, call)
            return _encoded(answer), answer.headers
        whole = [scope["method"].encode(), scope["raw_path"], scope["query_string"], raw]
        return await self._once(route, call, repeats.identify(key, repeated, headers, *whole))

    async def _once(
        self, route: Route, call: Call, request: repeats.Repeatable
    ) -> tuple[Sent, Headers]:
        state, database = self._state, self._state.services.database
        before = await state.in_thread(repeats.begin, database, request)
        if before is not None:
            return before, [repeats.REPLAYED]
        try:
            answer = await self._handle(route, call)
        except BaseException:
            with suppress(RefresherError):  # else it is forgotten within a minute
                await state.in_thread(repeats.give_up, database, request)
            raise
        sent = _encoded(answer)
        with suppress(RefresherError):  # it is done, whether or not that can be remembered
            await state.in_thread(repeats.finish, database, request, sent)
        return sent, answer.headers

    async def _handle(self, route: Route, call: Call) -> Answer:
        try:
            if self._asynchronous[route.method]:
                return await cast("Awaitable[Answer]", route.handler(self._state, call))
            handler = cast("Callable[[State, Call], Answer]", route.handler)
            if route.waits is not None and route.waits(call):
                whose = tenant_of(call.key)
                return await self._state.outside.run(whose, handler, self._state, call)
            return await self._state.in_thread(handler, self._state, call)
        except Problem as problem:
            if problem.status == 403:
                note_forbidden(self._state, call.key, problem.code)
            raise


def _encoded(answer: Answer) -> Sent:
    return Sent(answer.status, orjson.dumps(answer.value, option=orjson.OPT_UTC_Z), answer.etag)


async def respond(send: Send, status: int, headers: Headers, body: bytes) -> None:
    """Sends one whole answer."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body})


async def respond_problem(error: Exception, scope: Scope, send: Send) -> None:
    """Sends the problem that an error is. A bug is told in the log, and not to the caller."""
    problem = problems.of(error)
    if problem is None:
        # The pattern of the path: what a client put into the path itself is not for the log.
        where = getattr(scope.get("endpoint"), "path", None)
        log.error(
            "a request failed",
            method=scope["method"],
            route=where,
            error=type(error).__name__,
            frames="".join(traceback.format_tb(error.__traceback__)),
        )
        problem = Problem("internal", "an error in refresher, which its log tells about")
    elif problem.status >= 500 and problem.code == "database_unavailable":
        log.warning("a request failed: postgres is away", why=str(error))
    body = orjson.dumps(problem.as_json(scope["path"]))
    await respond(send, problem.status, [PROBLEM_JSON, NOT_STORED, *problem.all_headers()], body)


async def not_found(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers for every path that is none of ours."""
    del receive
    if scope["type"] == "http":
        path = str(scope["path"])
        trimmed = path.rstrip("/")
        slash = f"without the slash at its end, {trimmed} may be one; " if trimmed != path else ""
        sentence = f"there is no such page: {slash}/docs lists all routes"
        await respond_problem(Problem("not_found", sentence), scope, send)

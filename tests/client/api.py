"""The routes of the HTTP API that the SDK calls, on a small server of the tests' own.

Only what the two agree on: paths, fields, problem documents. What it does, the direct mode does.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any
from uuid import UUID

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from refresher.client.direct import Direct
from refresher.errors import (
    Conflict,
    InvalidConnection,
    NoSuchConnection,
    RefresherError,
    TokenUnavailable,
)
from tests.services import LOOPBACK, free_port
from tests.waiting import wait_until

KEY = "rfr_a-key-of-the-tests"
Handler = Callable[[Direct, Request], Awaitable[object]]


def app(direct: Direct) -> Starlette:
    """Returns the application."""
    connection = "/v1/connections/{id}"
    routes = [
        ("PUT", "/v1/connections", _register),
        ("GET", connection, _get),
        ("DELETE", connection, _delete),
        ("POST", f"{connection}/token", _token),
        ("POST", f"{connection}/refresh", _refresh),
        ("POST", f"{connection}/pause", _pause),
        ("POST", f"{connection}/resume", _resume),
        ("GET", f"{connection}/events", _events),
    ]
    return Starlette(
        routes=[Route(path, _route(direct, do), methods=[method]) for method, path, do in routes]
    )


@contextmanager
def serving(direct: Direct) -> Iterator[str]:
    """Serves the application on a real socket, and yields its URL."""
    port = free_port()
    config = uvicorn.Config(app(direct), host=LOOPBACK, port=port, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started, 30)
    yield f"http://{LOOPBACK}:{port}"
    server.should_exit = True
    thread.join(30)


def _route(direct: Direct, do: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return _problem(401, "unauthorized", "this API key is unknown")
        try:
            found = await do(direct, request)
        except RefresherError as error:
            return _refusal(error)
        return Response(orjson.dumps(found), media_type="application/json")

    return handle


def _refusal(error: RefresherError) -> Response:
    match error:
        case TokenUnavailable(code=code, retry_after_seconds=retry):
            status = 404 if code == "no_such_connection" else 503 if retry else 409
            return _problem(status, code, str(error), retry)
        case NoSuchConnection():
            return _problem(404, "no_such_connection", str(error))
        case InvalidConnection():
            return _problem(422, "invalid_connection", str(error))
        case Conflict():
            return _problem(409, "holds_grant", str(error))
        case _:
            return _problem(500, "internal", type(error).__name__)


def _problem(status: int, code: str, detail: str, retry: float | None = None) -> Response:
    document = {
        "type": f"https://refresher.example/problems/{code}",
        "title": code.replace("_", " "),
        "status": status,
        "detail": detail,
        "code": code,
        "retry_after_seconds": retry,
    }
    return Response(orjson.dumps(document), status, media_type="application/problem+json")


def _id(request: Request) -> UUID:
    return UUID(request.path_params["id"])


async def _body(request: Request) -> dict[str, Any]:
    return dict(orjson.loads(await request.body()))


async def _token(direct: Direct, request: Request) -> object:
    served = await direct.on_demand.fresh_token_async(_id(request), **await _body(request))
    return {
        "access_token": served.access_token.reveal(),
        "token_type": served.token_type,
        "expires_at": served.expires_at,
        "expires_in_seconds": served.expires_in_seconds,
        "scopes": served.scopes,
        "credential_version": served.credential_version,
        "fingerprint": served.fingerprint,
        "stale": served.stale,
        "reason": served.reason,
    }


async def _refresh(direct: Direct, request: Request) -> object:
    ending = await direct.on_demand.refresh_now_async(_id(request), **await _body(request))
    return asdict(ending)


async def _register(direct: Direct, request: Request) -> object:
    made = await asyncio.to_thread(direct.register, await _body(request))
    return {**asdict(made), "a_newer_field": 1}


async def _get(direct: Direct, request: Request) -> object:
    return asdict(await asyncio.to_thread(direct.get, _id(request)))


async def _delete(direct: Direct, request: Request) -> object:
    revoke = request.query_params.get("revoke") == "true"
    return await asyncio.to_thread(direct.delete, _id(request), revoke=revoke)


async def _pause(direct: Direct, request: Request) -> object:
    return asdict(await asyncio.to_thread(direct.pause, _id(request)))


async def _resume(direct: Direct, request: Request) -> object:
    return asdict(await asyncio.to_thread(direct.resume, _id(request)))


async def _events(direct: Direct, request: Request) -> object:
    page = await asyncio.to_thread(
        direct.events,
        _id(request),
        cursor=request.query_params.get("cursor"),
        limit=int(request.query_params["limit"]),
    )
    return asdict(page)

"""Starlette: what the provider knows of an account, asked with a token that is always fresh.

    uvicorn --app-dir examples starlette_app:app

Asynchronous, one client for all requests. What waiting mends is answered with 503, what only a person
can mend (connect again) with 409.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypedDict

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from refresher.client import AsyncRefresher, TokenUnavailable

PROFILE_URL = os.environ.get("PROFILE_URL", "https://www.googleapis.com/oauth2/v3/userinfo")


class State(TypedDict):
    """What all requests share."""

    refresher: AsyncRefresher
    http: httpx.AsyncClient


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[State]:
    """Opens both once, after any fork; the SDK reads REFRESHER_API_URL and REFRESHER_API_KEY."""
    async with AsyncRefresher() as refresher, httpx.AsyncClient() as http:
        yield {"refresher": refresher, "http": http}


async def profile(request: Request) -> JSONResponse:
    """Passes on what the provider says; a token that it rejects is replaced once, by itself."""
    auth = request.state.refresher.auth(request.path_params["connection_id"])
    answer = await request.state.http.get(PROFILE_URL, auth=auth)
    return JSONResponse(answer.json(), answer.status_code)


async def no_token(_: Request, error: Exception) -> JSONResponse:
    """Tells why no token can be had, and when to ask again, if ever."""
    assert isinstance(error, TokenUnavailable)
    told = {"reason": error.code, "detail": str(error)}
    if error.retry_after_seconds is None:
        return JSONResponse(told, 409)
    return JSONResponse(told, 503, {"Retry-After": f"{error.retry_after_seconds:.0f}"})


routes = [Route("/profiles/{connection_id:uuid}", profile)]
app = Starlette(routes=routes, exception_handlers={TokenUnavailable: no_token}, lifespan=lifespan)

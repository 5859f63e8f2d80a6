"""FastAPI: connects accounts, and has the fresh token of the user's own as a dependency.

    uvicorn --app-dir examples fastapi_app:app

`Accounts` brings `/connect/acme` and `/connected`. Whoever sends the request, `header()` is the whole
value of `Authorization`; the token has so much life left that the work at hand can be done with it.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx
from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.middleware.sessions import SessionMiddleware

from refresher.client import AsyncRefresher, Served
from refresher.contrib.fastapi import Accounts, Connected, Whoever

PROFILE_URL = os.environ.get("PROFILE_URL", "https://www.googleapis.com/oauth2/v3/userinfo")
WORK_SECONDS = 60
refresher = AsyncRefresher()  # REFRESHER_API_URL and REFRESHER_API_KEY say where


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Closes it at the end."""
    async with refresher:
        yield


def who(request: Request) -> Whoever | None:
    """Whoever is signed in: your own dependency."""
    user = request.session.get("user")
    return Whoever("org-1", user) if user else None


def thanks(_: Request, connected: Connected) -> JSONResponse:
    """Most redirect to a page of theirs. The connection's id is all that need be kept."""
    return JSONResponse({"connection_id": str(connected.connection_id)})


accounts = Accounts(refresher, who=who, providers={"acme": {}}, on_connected=thanks)
app = FastAPI(lifespan=lifespan)
app.add_middleware(SessionMiddleware, os.environ.get("SECRET_KEY") or secrets.token_hex())
app.include_router(accounts.router)


@app.get("/sign-in/{user}")
def sign_in(request: Request, user: str) -> str:
    """Stands for your own way to sign in."""
    request.session["user"] = user
    return user


@app.get("/profile")
async def profile(
    token: Annotated[Served, Depends(accounts.fresh_token("acme", WORK_SECONDS))],
) -> dict[str, Any]:
    """Tells what the provider knows of the account."""
    async with httpx.AsyncClient(headers={"Authorization": token.header()}) as acme:
        answer = await acme.get(PROFILE_URL)
    answer.raise_for_status()
    return {"profile": answer.json(), "token_lives_seconds": token.expires_in_seconds}

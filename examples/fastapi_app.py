"""FastAPI: a fresh token as a dependency, for a provider's own library that wants a header.

    uvicorn --app-dir examples fastapi_app:app

Whoever sends the request, `header()` is the whole value of `Authorization`. The token has so much life
left that the work at hand can be done with it.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Annotated, Any
from uuid import UUID

import httpx
from fastapi import Depends, FastAPI, HTTPException

from refresher.client import NoSuchConnection, Refresher, Served, TokenUnavailable

PROFILE_URL = os.environ.get("PROFILE_URL", "https://www.googleapis.com/oauth2/v3/userinfo")
WORK_SECONDS = 60
app = FastAPI()


@cache
def refresher() -> Refresher:
    """Opened by the first request, and shared by all; REFRESHER_API_URL and _KEY say where."""
    return Refresher()


def fresh_token(connection_id: UUID) -> Served:
    """Returns a token for the connection in the path; refuses the request where there is none."""
    try:
        return refresher().token(connection_id, min_ttl_seconds=WORK_SECONDS)
    except NoSuchConnection as error:
        raise HTTPException(404, str(error)) from error
    except TokenUnavailable as error:
        wait = error.retry_after_seconds
        if wait is None:  # only a person can help: send them to connect again
            raise HTTPException(409, error.code) from error
        raise HTTPException(503, error.code, {"Retry-After": f"{wait:.0f}"}) from error


@app.get("/profiles/{connection_id}")
def profile(token: Annotated[Served, Depends(fresh_token)]) -> dict[str, Any]:
    """Tells what the provider knows of the account."""
    answer = httpx.get(PROFILE_URL, headers={"Authorization": token.header()})
    answer.raise_for_status()
    return {"profile": answer.json(), "token_lives_seconds": token.expires_in_seconds}

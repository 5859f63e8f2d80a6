"""FastAPI: connects an account, and has its fresh token as a dependency, for who wants a header.

    uvicorn --app-dir examples fastapi_app:app

Whoever sends the request, `header()` is the whole value of `Authorization`. The token has so much life
left that the work at hand can be done with it.
"""

from __future__ import annotations

import os
import secrets
from functools import cache
from typing import Annotated, Any
from uuid import UUID

import httpx
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import RedirectResponse
from starlette.middleware.sessions import SessionMiddleware

from refresher.client import NoSuchConnection, Refresher, Served, TokenUnavailable

PROFILE_URL = os.environ.get("PROFILE_URL", "https://www.googleapis.com/oauth2/v3/userinfo")
WORK_SECONDS = 60
app = FastAPI()
app.add_middleware(SessionMiddleware, os.environ.get("SECRET_KEY") or secrets.token_hex())


@cache
def refresher() -> Refresher:
    """Opened by the first request, and shared by all; REFRESHER_API_URL and _KEY say where."""
    return Refresher()


@app.get("/connect/{account}")
def connect(request: Request, account: str) -> RedirectResponse:
    """Sends the user away to consent; what is kept is in *their* session."""
    back = str(request.url_for("connected"))  # in REFRESHER_CONNECT_RETURN_URLS
    start = refresher().connect_url(
        organization_id="org-1", provider="acme", external_id=account, return_url=back
    )
    request.session["connecting"] = {
        "session_id": str(start.session_id),
        "verifier": start.verifier,
    }
    return RedirectResponse(start.url, 303)


@app.get("/connected")
def connected(request: Request, connect_status: str, connect_code: str = "") -> dict[str, Any]:
    """Confirms that this user is who consented; the connection's id is all that is kept."""
    kept = request.session.pop("connecting", None)
    if kept is None or connect_status != "confirm":
        raise HTTPException(409, f"not connected: {connect_status}")
    return {"connection_id": refresher().connect_complete(code=connect_code, **kept).connection_id}


def fresh_token(connection_id: UUID) -> Served:
    """Returns a token for the connection in the path; refuses the request where there is none."""
    try:
        return refresher().token(connection_id, min_ttl_seconds=WORK_SECONDS)
    except NoSuchConnection as error:
        raise HTTPException(404, str(error)) from error
    except TokenUnavailable as error:
        wait = error.retry_after_seconds
        if wait is None:  # only a person can help: send them to /connect again
            raise HTTPException(409, error.code) from error
        raise HTTPException(503, error.code, {"Retry-After": f"{wait:.0f}"}) from error


@app.get("/profiles/{connection_id}")
def profile(token: Annotated[Served, Depends(fresh_token)]) -> dict[str, Any]:
    """Tells what the provider knows of the account."""
    answer = httpx.get(PROFILE_URL, headers={"Authorization": token.header()})
    answer.raise_for_status()
    return {"profile": answer.json(), "token_lives_seconds": token.expires_in_seconds}

"""The token route as a raw ASGI application: no framework stands between server and handler.

Each layer would cost as much as the handler itself. What it takes and answers is declared with the
handlers, in `tokens.py`, and described from there.
"""

from __future__ import annotations

from typing import TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from starlette.types import Receive, Send
from starlette.types import Scope as Asgi

from refresher.rules.access import Scope
from refresher.web import problems, reading
from refresher.web.auth import authorize
from refresher.web.dependencies import Caller
from refresher.web.problems import Problem
from refresher.web.shapes import TokenQuery, TokenWish
from refresher.web.state import Shared
from refresher.web.tokens import PATH, USUAL_TOKEN, AccessToken, get_token, request_token

M = TypeVar("M", bound=BaseModel)
ALLOWED = "GET, HEAD, POST"
HEADERS = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))


class TokenApp:
    """Serves `GET` and `POST /v1/connections/{id}/token`."""

    def __init__(self, state: Shared) -> None:
        self._state = state

    async def __call__(self, scope: Asgi, receive: Receive, send: Send) -> None:
        """Answers one request, whatever happens."""
        try:
            body = orjson.dumps(await self._serve(scope, receive), option=orjson.OPT_UTC_Z)
        except Exception as error:  # noqa: BLE001  every error is an answer
            problem = problems.told(error, scope["method"], PATH)
            await problem.response(scope["path"])(scope, receive, send)
            return
        headers = [(b"content-length", str(len(body)).encode()), *HEADERS]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _serve(self, scope: Asgi, receive: Receive) -> AccessToken:
        method, state = scope["method"], self._state
        if method not in {"GET", "HEAD", "POST"}:
            allow = [(b"allow", ALLOWED.encode())]
            raise Problem("method_not_allowed", f"this takes {ALLOWED}", headers=allow)
        headers = reading.headers(scope["headers"])
        caller = Caller(state, await authorize(state, Scope.TOKEN, headers))
        given = reading.parameters(scope["query_string"])
        if method != "POST":
            query = _valid(TokenQuery, "invalid_query", given)
            return await get_token(caller, reading.path_id(scope["path_params"]["id"]), query)
        reading.no_query(given)
        raw = await reading.body(
            receive, headers, at_most=state.services.settings.api_max_body_bytes
        )
        wish = USUAL_TOKEN
        if raw:
            wish = _valid(TokenWish, "invalid_body", reading.json_body(raw, headers))
        return await request_token(caller, reading.path_id(scope["path_params"]["id"]), wish)


def _valid(model: type[M], code: str, given: object) -> M:
    try:
        return model.model_validate(given)
    except ValidationError as wrong:
        told = wrong.errors(include_input=False, include_url=False, include_context=False)
        raise reading.faulty(code, told, model) from None

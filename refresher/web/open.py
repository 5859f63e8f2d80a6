"""Routes without an API key: what is called from outside, and carries its own proof.

Only POST does anything: a link that a scanner or a chat looks at with GET stays unused. An answer names
the pattern of its path and never the path, which may be a link.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import Literal, cast

import orjson
import structlog
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from refresher.web import problems, reading
from refresher.web.endpoint import JSON, NOT_STORED, PROBLEM_JSON, respond, respond_problem
from refresher.web.problems import Problem
from refresher.web.state import State

log = structlog.get_logger()
NOT_FOLLOWED = (b"referrer-policy", b"no-referrer")


@dataclass(frozen=True, slots=True)
class Open:
    """One request: the parts of its path, its headers in lower case, its body as it came."""

    path: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class OpenRoute:
    """One path that takes POST; None of the handler answers 202, empty.

    A handler that is a plain function runs on a thread of the pool, a coroutine function on the loop.

    The rest describes it: `answers` by status, `bodies` by media type (none is needed), their models
    None where there is nothing, or nothing of ours, to describe; `problems` beyond those of all.
    """

    path: str
    handler: (
        Callable[[State, Open], Mapping[str, object] | None]
        | Callable[[State, Open], Awaitable[Mapping[str, object] | None]]
    )
    max_bytes: int
    summary: str
    description: str
    answers: Mapping[int, type[BaseModel] | None]
    bodies: Mapping[str, type[BaseModel] | None]
    problems: tuple[str, ...]
    tags: tuple[str, ...]
    method: Literal["POST"] = "POST"


class OpenEndpoint:
    """Serves one of them."""

    def __init__(self, state: State, route: OpenRoute) -> None:
        self.path = route.path
        self._state = state
        self._route = route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, whatever happens."""
        try:
            answer = await self._serve(scope, receive)
        except Exception as error:  # noqa: BLE001  every error is an answer
            await self._refuse(error, scope, send)
            return
        if answer is None:
            await respond(send, 202, [NOT_STORED], b"")
        else:
            await respond(send, 200, [JSON, NOT_STORED, NOT_FOLLOWED], orjson.dumps(answer))

    async def _serve(self, scope: Scope, receive: Receive) -> Mapping[str, object] | None:
        if scope["method"] != "POST":
            raise Problem(
                "method_not_allowed", "this takes POST only", headers=[(b"allow", b"POST")]
            )
        headers = reading.headers(scope["headers"])
        body = await reading.body(receive, headers, at_most=self._route.max_bytes)
        texts = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()}
        given = Open(scope["path_params"], texts, body)
        handler = self._route.handler
        if iscoroutinefunction(handler):
            answer: Mapping[str, object] | None = await handler(self._state, given)
            return answer
        work = cast("Callable[[State, Open], Mapping[str, object] | None]", handler)
        return await self._state.in_thread(work, self._state, given)

    async def _refuse(self, error: Exception, scope: Scope, send: Send) -> None:
        problem = problems.of(error)
        if problem is None:
            await respond_problem(error, {**scope, "path": self.path}, send)
            return
        body = orjson.dumps(problem.as_json(self.path))
        headers = [PROBLEM_JSON, NOT_STORED, NOT_FOLLOWED, *problem.all_headers()]
        await respond(send, problem.status, headers, body)

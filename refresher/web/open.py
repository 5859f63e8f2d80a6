"""Routes without an API key: what is called from outside, and carries its own proof.

Only POST does anything: a link that a scanner or a chat looks at with GET stays unused; where a person
may open it in a browser, GET shows a page with a button. An answer names the pattern of its path and
never the path, which may be a link.
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

from refresher.web import link_page, problems, reading
from refresher.web.endpoint import JSON, NOT_STORED, PROBLEM_JSON, respond, respond_problem
from refresher.web.link_page import LinkPage
from refresher.web.problems import Problem
from refresher.web.state import State

log = structlog.get_logger()
NOT_FOLLOWED = link_page.NOT_FOLLOWED
SHOWN: Mapping[str, object] = {}
"""The answer to a look: nothing was done."""


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
    page: LinkPage | None = None
    """What a browser shows on GET, and of a POST by its button; None for what programs call."""


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
        if answer is SHOWN and self._route.page is not None:
            await respond(send, 200, link_page.HEADERS, self._route.page.asking())
        elif self._route.page is not None and _is_browser(scope):
            await respond(send, 200, link_page.HEADERS, self._route.page.done())
        elif answer is None:
            await respond(send, 202, [NOT_STORED], b"")
        else:
            await respond(send, 200, [JSON, NOT_STORED, NOT_FOLLOWED], orjson.dumps(answer))

    async def _serve(self, scope: Scope, receive: Receive) -> Mapping[str, object] | None:
        if scope["method"] in {"GET", "HEAD"} and self._route.page is not None:
            return SHOWN
        if scope["method"] != "POST":
            allowed = b"POST" if self._route.page is None else b"GET, HEAD, POST"
            raise Problem(
                "method_not_allowed",
                f"this takes {allowed.decode()} only",
                headers=[(b"allow", allowed)],
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
        if self._route.page is not None and _is_browser(scope):
            page = self._route.page.refused(problem.title, problem.detail)
            headers = [*link_page.HEADERS, *problem.all_headers()]
            await respond(send, problem.status, headers, page)
            return
        body = orjson.dumps(problem.as_json(self.path))
        headers = [PROBLEM_JSON, NOT_STORED, NOT_FOLLOWED, *problem.all_headers()]
        await respond(send, problem.status, headers, body)


def _is_browser(scope: Scope) -> bool:
    """Whether a person looks at the answer: programs ask for JSON, or for anything."""
    return any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])

"""One operation of the API as a FastAPI route, with what FastAPI does not do.

The key is judged before anything is read; a body is read up to its limit; a plain function runs on the
pool of threads; the same `Idempotency-Key` is carried out once; every error is a problem (RFC 9457).
The first line of a handler's docstring is the operation's summary, the rest its description.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from functools import partial, wraps
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import orjson
from fastapi.exceptions import RequestValidationError
from fastapi.params import Security as Secured
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Send
from starlette.types import Scope as Asgi

from refresher.rules.access import Scope
from refresher.web import idempotency, problems, reading
from refresher.web.auth import authorize, note_forbidden
from refresher.web.dependencies import ONCE, Admitted, Answered, Caller
from refresher.web.problems import CODES, NONE_SUCH, Problem
from refresher.web.state import Shared

NO_STORE = {"cache-control": "no-store"}
Handle = Callable[[Request], Awaitable[Response]]


class ApiRoute(APIRoute):
    """An operation that needs an API key: of the scope that its `caller` names."""

    needed: Scope | None = None

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        hints = get_type_hints(endpoint, include_extras=True)
        self.takes: dict[str, Any] = {
            name: _plain_type(hints[name]) for name in ("query", "body") if name in hints
        }
        self.needed = _scope(hints.get("caller"))
        self.is_idempotent = ONCE in (options.get("dependencies") or ())
        self.is_conditional = "if_match" in hints
        summary, _, rest = inspect.cleandoc(endpoint.__doc__ or "").partition("\n\n")
        options["summary"] = summary.rstrip(".")
        options["description"] = f"{' '.join(rest.split())} {self.what_it_needs()}".strip()
        options["operation_id"] = _camel_case(endpoint.__name__)
        answer = hints["return"]
        options["response_model"] = (
            get_args(answer)[0] if get_origin(answer) is Answered else answer
        )
        if options["response_model"] in {Response, type(None)}:
            options["response_model"] = None
        super().__init__(path, _running(endpoint, options.get("status_code") or 200), **options)
        extra = self.openapi_extra or {}
        found = self.usual_codes() | set(extra.get("x-problems", ()))
        self.openapi_extra = {**extra, "x-problems": [code for code in CODES if code in found]}

    def what_it_needs(self) -> str:
        """Returns the sentence about keys that ends the description."""
        return f"Needs the scope `{self.needed}`." if self.needed else "Takes any key."

    def usual_codes(self) -> set[str]:
        """Returns the codes of the problems that follow from what this takes."""
        found = {"unauthorized", "rate_limited", "database_unavailable", "internal"}
        found |= {"invalid_query", "invalid_header"}
        found |= {"scope_missing"} if self.needed else set()
        found |= {code for part, code in NONE_SUCH.items() if part in self.path_format}
        if self.body_field is not None:
            found |= {"invalid_json", "too_large", "unsupported_media_type", "invalid_body"}
        found |= {"changed"} if self.is_conditional else set()
        if self.is_idempotent:
            found |= {"request_under_way", "idempotency_key_reused"}
        return found

    def instance(self, request: Request) -> str:
        """Returns where a problem came up, as the caller is told it."""
        return str(request.scope["path"])

    def refuse(self, error: Exception, request: Request) -> Response:
        """Returns the answer that an error is."""
        problem = problems.told(error, request.method, self.path_format)
        return problem.response(self.instance(request))

    def get_route_handler(self) -> Callable[[Request], Any]:
        """Returns FastAPI's handler within ours."""
        handle = super().get_route_handler()

        async def serve(request: Request) -> Response:
            try:
                return await self.serve(handle, request)
            except Exception as error:  # noqa: BLE001  every error is an answer
                return self.refuse(error, request)

        return serve

    async def handle(self, scope: Asgi, receive: Receive, send: Send) -> None:
        """Answers, also for a method that the path does not offer."""
        if scope["method"] in (self.methods or ()):
            await super().handle(scope, receive, send)
            return
        same = [r for r in scope["app"].routes if getattr(r, "path_format", "") == self.path_format]
        offered = {method for route in same for method in route.methods}
        allowed = ", ".join(sorted(offered | ({"HEAD"} & _heads(offered))))
        headers = [(b"allow", allowed.encode())]
        problem = Problem("method_not_allowed", f"this takes {allowed}", headers=headers)
        await self.refuse(problem, Request(scope))(scope, receive, send)

    async def serve(self, handle: Handle, request: Request) -> Response:
        """Judges the key, reads the parts, and has FastAPI do the rest, once where a key says so."""
        state: Shared = request.app.state.shared
        scope, headers = request.scope, reading.headers(request.scope["headers"])
        key = await authorize(state, self.needed, headers)
        given = reading.parameters(scope["query_string"])
        if "query" not in self.takes:
            reading.no_query(given)
        raw, plain = b"", None
        if self.body_field is not None:
            limit = state.services.settings.api_max_body_bytes
            raw = await reading.body(request.receive, headers, at_most=limit)
            if raw or self.body_field.field_info.is_required():
                plain = reading.json_body(raw, headers)
        admitted = Admitted(request, Caller(state, key), raw, plain)
        repeated = reading.idempotency_key(headers) if self.is_idempotent else None
        if repeated is None:
            return await self.admit(handle, admitted)
        whole = [request.method.encode(), scope["raw_path"], scope["query_string"], raw]
        identity = idempotency.identify(key, repeated, headers, *whole)
        return await idempotency.once(state, identity, lambda: self.admit(handle, admitted))

    async def admit(self, handle: Handle, request: Admitted) -> Response:
        """Has FastAPI validate the parts and call the handler."""
        try:
            return await handle(request)
        except RequestValidationError as wrong:
            raise reading.refusal(wrong.errors(), self.takes) from None
        except Problem as problem:
            if problem.status == 403 and request.caller is not None:
                note_forbidden(request.caller.state, request.caller.key, problem.code)
            raise


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _heads(offered: set[str]) -> set[str]:
    return {"HEAD"} if "GET" in offered else set()


def _scope(hint: Any) -> Scope | None:
    """Returns the scope that a handler's `caller` is declared with."""
    found = [one for one in getattr(hint, "__metadata__", ()) if isinstance(one, Secured)]
    return Scope(found[0].scopes[0]) if found and found[0].scopes else None


def _plain_type(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _running(endpoint: Callable[..., Any], status: int) -> Callable[..., Awaitable[Response]]:
    """Returns the handler as FastAPI calls it: on the pool where it is a plain function.

    Values are written by orjson as they are: no model is built for an answer's own sake.
    """

    @wraps(endpoint)
    async def run(**given: Any) -> Response:
        if inspect.iscoroutinefunction(endpoint):
            made = await endpoint(**given)
        else:
            state: Shared = given["caller" if "caller" in given else "visit"].state
            made = await state.in_thread(partial(endpoint, **given))
        if isinstance(made, Response):
            return made
        reply = made if isinstance(made, Answered) else Answered(made)
        body = orjson.dumps(reply.value, option=orjson.OPT_UTC_Z)
        tagged = {"etag": f'"{reply.etag}"'} if reply.etag is not None else {}
        return Response(body, reply.status or status, NO_STORE | tagged, "application/json")

    return run

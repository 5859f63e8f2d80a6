"""FastAPI: `app.include_router(Accounts(…).router)` adds connect, come back, and webhooks.

    accounts = Accounts(AsyncRefresher(), who=who, providers={"google": {}})
    app.add_middleware(SessionMiddleware, secret_key=…)
    app.include_router(accounts.router)

| route | name | does |
|---|---|---|
| `GET /connect/{provider}` | `refresher_connect` | sends the signed-in user to consent |
| `GET /connected` | `refresher_connected` | takes them back; in `REFRESHER_CONNECT_RETURN_URLS` |
| `POST /hooks` | `refresher_hooks` | takes webhooks, where `on_event` is given |

`who` is a dependency that returns the `Whoever` of a request, None where nobody is signed in.
`on_connected(request, connected)` and `on_refused(request, refused)` return a response, or None for a
plain page. `on_event(event)` is called once for each event and process; what it raises makes the event
come again. Each may be `async`; if not, it runs on a thread. docs/frameworks.md.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse

from refresher.client import AsyncRefresher, NoSuchConnection, Served, TokenUnavailable
from refresher.client.connecting import Wishes
from refresher.contrib import core
from refresher.contrib.core import Connected, Refused, Session, Whoever
from refresher.contrib.driving import run_async
from refresher.contrib.hooks import MOST_BODY_BYTES, TOO_LARGE, Answer, Hooks, hooks_of
from refresher.errors import RefresherError, SettingsError

__all__ = ["Accounts", "Connected", "Refused", "Whoever"]


class Accounts:
    """The accounts that an application's users connect. Raises `SettingsError` for what is missing."""

    def __init__(
        self,
        refresher: AsyncRefresher,
        *,
        who: Callable[..., Any],
        providers: Mapping[str, Wishes],
        on_connected: Callable[[Request, Connected], Any] = lambda *_: None,
        on_refused: Callable[[Request, Refused], Any] = lambda *_: None,
        on_event: Callable[..., Any] | None = None,
        webhook_secret: str | Iterable[str] | None = None,
    ) -> None:
        self._refresher, self._who = refresher, who
        self._providers = core.check_providers(providers)
        self._on_connected, self._on_refused = on_connected, on_refused
        self._hooks = hooks_of(on_event, webhook_secret)
        self.router = self._routes()

    def fresh_token(
        self, provider: str, min_ttl_seconds: float = 60.0
    ) -> Callable[..., Awaitable[Served]]:
        """Returns a dependency: a token of the signed-in user's account that lives so much longer.

        Refuses the request with 401 where nobody is signed in, 409 where only connecting (again) helps,
        503 where waiting does; `detail` is the code of `TokenUnavailable`.
        """

        async def fresh(who: Annotated[Whoever | None, Depends(self._who)]) -> Served:
            if who is None:
                raise HTTPException(401, "signed_out")
            account = (who.organization_id, provider, who.external_id)
            try:
                return await self._refresher.token(account, min_ttl_seconds)
            except TokenUnavailable as error:
                wait = error.retry_after_seconds
                if wait is None:
                    raise HTTPException(409, error.code) from error
                raise HTTPException(503, error.code, {"Retry-After": f"{wait:.0f}"}) from error
            except NoSuchConnection as error:
                raise HTTPException(409, "no_such_connection") from error
            except RefresherError as error:
                raise HTTPException(503, "trouble") from error

        return fresh

    def _routes(self) -> APIRouter:
        router = APIRouter(include_in_schema=False)

        @router.get("/connect/{provider}", name="refresher_connect")
        async def connect(
            request: Request, provider: str, who: Annotated[Whoever | None, Depends(self._who)]
        ) -> Response:
            back = str(request.url_for("refresher_connected"))
            steps = core.begin(self._providers, provider, who, _session(request), back)
            found = await run_async(self._refresher, steps)
            if isinstance(found, Refused):
                return await self._refuse(request, found)
            return RedirectResponse(found, 303)

        @router.get("/connected", name="refresher_connected")
        async def connected(
            request: Request, who: Annotated[Whoever | None, Depends(self._who)]
        ) -> Response:
            steps = core.come_back(request.query_params, who, _session(request))
            found = await run_async(self._refresher, steps)
            if isinstance(found, Refused):
                return await self._refuse(request, found)
            own = await _called(self._on_connected, request, found)
            return own or _page(f"{found.provider} is connected.")

        if self._hooks:
            router.post("/hooks", name="refresher_hooks")(self._receiver(self._hooks))
        return router

    @staticmethod
    def _receiver(hooks: Hooks) -> Callable[[Request], Awaitable[Response]]:
        async def receive(request: Request) -> Response:
            body = b""
            async for part in request.stream():
                body += part
                if len(body) > MOST_BODY_BYTES:
                    return PlainTextResponse(TOO_LARGE.sentence, TOO_LARGE.status)
            found = hooks.opened(body, request.headers.items())
            if isinstance(found, Answer):
                return PlainTextResponse(found.sentence, found.status)
            with hooks.handling(found):
                await _called(hooks.on_event, found)
            return Response(status_code=204)

        return receive

    async def _refuse(self, request: Request, refused: Refused) -> Response:
        again = None
        if refused.provider:
            again = str(request.url_for("refresher_connect", provider=refused.provider))
        own = await _called(self._on_refused, request, refused)
        return own or _page(refused.sentence, again, refused.status)


async def _called(function: Callable[..., Any], *given: object) -> Any:
    """Calls what may be `async`, and what may block."""
    if inspect.iscoroutinefunction(function):
        return await function(*given)
    found = await run_in_threadpool(function, *given)
    return await found if inspect.isawaitable(found) else found


def _session(request: Request) -> Session:
    if "session" not in request.scope:
        raise SettingsError(
            "there are no sessions: add starlette.middleware.sessions.SessionMiddleware to the app"
        )
    return request.session


def _page(sentence: str, again: str | None = None, status: int = 200) -> Response:
    return HTMLResponse(core.page(sentence, again), status, core.HEADERS)

"""The client middleware of aiohttp: it is called for each request, and for each redirect of one."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from refresher.client.token_steps import UNAUTHORIZED, until_sent_async
from refresher.errors import RefresherError

if TYPE_CHECKING:
    from refresher.client.auth import ConnectionAuth

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_led_away: ContextVar[tuple[ConnectionAuth, Any] | None] = ContextVar("led_away", default=None)
"""Where this task's last answer of an auth sent it, if that is another origin: no token goes there."""


async def send(auth: ConnectionAuth, request: Any, handler: Callable[..., Any]) -> Any:
    """Sends a request with a token, and once more with the next one after a 401."""
    if _led_away.get() == (auth, request.url.origin()):
        response = await handler(request)
        _follow(auth, request, response, is_away=True)
        return response
    steps = auth.memory.steps(lambda: _is_repeatable(request))
    response = None
    step = await until_sent_async(steps, auth.ask_async)
    while step is not None:
        if response is not None:
            response.release()
        request.headers["Authorization"] = step.served.header()
        response = await handler(request)
        refused = response.status == UNAUTHORIZED
        try:
            step = await until_sent_async(steps, auth.ask_async, is_refused=refused)
        except RefresherError:
            response.release()
            raise
    _follow(auth, request, response, is_away=False)
    return response


def _follow(auth: ConnectionAuth, request: Any, response: Any, *, is_away: bool) -> None:
    """Notes where a redirect leads, if that is another origin or it comes from one."""
    location = response.headers.get("Location") if response.status in REDIRECTS else None
    _led_away.set(None)
    if location is None:
        return
    try:
        target = request.url.join(type(request.url)(location)).origin()
    except ValueError:
        return
    if is_away or target != request.url.origin():
        _led_away.set((auth, target))


def _is_repeatable(request: Any) -> bool:
    """Whether the body can be sent again; aiohttp tells of each kind that it has."""
    return not request.body or not getattr(request.body, "consumed", True)

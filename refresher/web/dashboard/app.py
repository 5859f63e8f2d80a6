"""The ASGI application of `/ui`: who asks, whether it may be, and a page for every ending.

What somebody put into a path or a query is in no log: routes are told by their patterns.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar
from urllib.parse import quote

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from refresher.rules.access import Scope as Needs
from refresher.web.auth import note_forbidden
from refresher.web.connect.gate import Visitor, visitor_of
from refresher.web.dashboard import forms, refusals, static
from refresher.web.dashboard.carrying import Asked, Carrying
from refresher.web.dashboard.entry import LINK, SIGN_IN, Entry, back_to, goto, html, sign_in_again
from refresher.web.dashboard.frame import LIVE, ROOT, page_of
from refresher.web.dashboard.protection import (
    BOUNCED,
    SAFE,
    SESSION,
    Door,
    WrongPeer,
    is_from_outside,
)
from refresher.web.dashboard.refusals import Refused
from refresher.web.dashboard.rendering import Rendering
from refresher.web.dashboard.routes import ROUTES
from refresher.web.dashboard.routing import Found, Route, find
from refresher.web.dashboard.sessions import Over, Sessions, SignedIn
from refresher.web.state import Shared, tenant_of

log = structlog.get_logger()
T = TypeVar("T")
THREADS = 4
"""For the pages alone: who opens many keeps no thread of the API busy."""
NOWHERE = "/ui/…"
LOOKING = frozenset({"GET", "HEAD"})
OF_THE_SESSION = frozenset({"/ui/sign-out", "/ui/account/look"})
"""What also a session that only looks may send: it changes nothing but what this browser sees."""
BOUNCE_SECONDS = 10


def is_page(path: str) -> bool:
    """Whether a path is one of these pages, or would be one."""
    return path == ROOT or path.startswith(f"{ROOT}/")


class Dashboard:
    """The pages of one process. `close` when the server has stopped."""

    def __init__(self, shared: Shared) -> None:
        settings = shared.services.settings
        self._shared = shared
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="dashboard")
        self._door, self._sessions = Door(settings), Sessions(shared.services)
        self._pages = Rendering()
        self._entry = Entry(shared, self._door, self._sessions, self._pages, self._threads)
        self._carrying = Carrying(shared, self._door, self._sessions, self._pages)
        self._proxy_key_id = settings.dashboard_proxy_key_id or ""
        self._headers = dict(SAFE)
        if settings.hsts_seconds:
            self._headers["strict-transport-security"] = f"max-age={settings.hsts_seconds}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, whatever happens. HEAD is served as GET."""
        path, method, began = scope["path"].rstrip("/"), scope["method"], time.monotonic()
        pattern = _pattern(path)
        try:
            visitor = visitor_of(scope, receive, self._shared.services.settings.trusted_proxies)
            answer = await self._answer(visitor, path)
        except Exception as error:  # noqa: BLE001  every error is a page
            answer = self._told(refusals.of(error, method, pattern))
        for name, value in self._headers.items():
            answer.headers.setdefault(name, value)
        answer.headers.setdefault("cache-control", "no-store")
        is_quiet = path.startswith((static.ROOT, f"{LIVE}/")) or answer.status_code in {404, 429}
        tell = log.debug if is_quiet else log.info
        took = round(time.monotonic() - began, 3)
        tell(
            "dashboard page", method=method, route=pattern, status=answer.status_code, seconds=took
        )
        await answer(scope, receive, send)

    def close(self) -> None:
        """Ends the threads."""
        self._threads.shutdown()

    async def _answer(self, visitor: Visitor, path: str) -> Response:
        is_look, is_post = visitor.method in LOOKING, visitor.method == "POST"
        if path.startswith(static.ROOT) and is_look:
            return static.answer(path) or self._told(refusals.nothing_here())
        if path == SIGN_IN and (is_look or is_post):
            return await self._entry.sign_in(visitor)
        if path.startswith(LINK) and (is_look or is_post):
            return await self._entry.link(visitor, path.removeprefix(LINK))
        signed_in = await self._signed_in(visitor)
        if isinstance(signed_in, SignedIn):
            return await self._inside(Asked(visitor, path, signed_in))
        return await self._outside(visitor, path)

    async def _inside(self, asked: Asked) -> Response:
        """Answers somebody who is signed in."""
        visitor = asked.visitor
        try:
            found = self._found(asked)
            route = self._admit(asked, found)
            fields = await forms.read(visitor) if route.method == "POST" else ()
            asked = replace(asked, parts=found.parts, route=route, fields=fields)
            if not route.outside:
                return await self._in_thread(self._carrying.carry, asked)
            tenant = tenant_of(asked.signed_in.key)
            return await self._shared.outside.run(tenant, self._carrying.carry, asked)
        except Exception as error:  # noqa: BLE001  every error is a page
            refused = refusals.of(error, visitor.method, _pattern(asked.path))
        return await self._in_thread(self._carrying.refusal, asked, refused)

    def _found(self, asked: Asked) -> Found:
        """Returns where a path leads; raises the page for what may not go there at all."""
        session, method = asked.signed_in.session, asked.visitor.method
        wait = self._sessions.wait_seconds(session)
        if wait > 0:
            raise refusals.too_often(wait)
        if session.read_only and method not in LOOKING and asked.path not in OF_THE_SESSION:
            raise refusals.read_only()
        is_live = asked.path.startswith(f"{LIVE}/")
        found = find(ROUTES, page_of(asked.path) if is_live else asked.path)
        is_bound = asked.signed_in.key.organization_id is not None
        if found is None or (is_bound and found.is_everybodys):
            raise refusals.nothing_here()
        return found

    def _admit(self, asked: Asked, found: Found) -> Route:
        """Returns what is to be carried out; raises the page that refuses it."""
        key, method = asked.signed_in.key, asked.visitor.method
        is_live = asked.path.startswith(f"{LIVE}/")
        route = found.routes.get("GET" if method in LOOKING else method)
        if route is None or (is_live and route.method != "GET"):
            raise refusals.wrong_method(["GET"] if is_live else list(found.routes))
        is_bound = key.organization_id is not None
        if not route.is_open_to(key.scopes) or (route.scope is Needs.ADMIN and is_bound):
            note_forbidden(self._shared, key, f"needs {route.scope}")
            raise refusals.scope_missing(route.scope, route.or_scope, is_bound=is_bound)
        return route

    async def _signed_in(self, visitor: Visitor) -> SignedIn | Over | None:
        """Returns who is signed in, why a session does not count, or None where there is none."""
        try:
            person = self._door.person(visitor)
        except WrongPeer:
            raise Refused(
                400,
                "Refused",
                "This request names a person, and does not come from the proxy that may.",
                "REFRESHER_DASHBOARD_PROXIES lists who may.",
            ) from None
        if person is not None:
            found = await self._in_thread(self._sessions.of_person, person, self._proxy_key_id)
            if isinstance(found, Over):
                raise _no_key_for_people()
            return found
        secret = self._door.cookie(visitor, SESSION)
        if not secret:
            return None
        known = self._sessions.remembered(secret)
        return known or await self._in_thread(self._sessions.find, secret)

    async def _outside(self, visitor: Visitor, path: str) -> Response:
        """Answers who is not signed in: the sign-in, or first a page that brings the cookie."""
        query = visitor.query.decode("latin-1")
        address = quote(path, safe="/-._~") + (f"?{query}" if query else "")
        has_cookie = self._door.cookie(visitor, SESSION) is not None
        was_bounced = self._door.cookie(visitor, BOUNCED) is not None
        if is_from_outside(visitor) and not has_cookie and not was_bounced:
            answer = html(self._pages.alone("bounce.html", {"address": address}))
            mark = self._door.set_cookie(
                visitor, BOUNCED, "1", seconds=BOUNCE_SECONDS, strict=False
            )
            answer.headers.append("set-cookie", mark)
            return answer
        if path.startswith(f"{LIVE}/"):
            return html("", 401)
        if visitor.method in LOOKING:
            return goto(sign_in_again(address))
        return await self._signed_out(visitor)

    async def _signed_out(self, visitor: Visitor) -> Response:
        """Answers a form of a session that has ended: nothing was done, and what was typed stays."""
        own = self._door.is_own_form(visitor)
        typed = refusals.shown_again(await forms.read(visitor)) if own else []
        return self._told(
            Refused(
                401,
                "Signed out",
                "Your session has ended: nothing was changed.",
                "Sign in, and send the form again.",
                link=sign_in_again(back_to(visitor)),
                link_text="Sign in",
                typed=typed,
            )
        )

    def _told(self, refused: Refused) -> Response:
        """Returns a refusal as a page for whoever is not signed in."""
        values = {"title": refused.title, "refused": refused}
        answer = html(self._pages.alone("notice.html", values), refused.status)
        answer.headers.update(refused.headers)
        return answer

    async def _in_thread(self, work: Callable[..., T], *given: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *given)


def _no_key_for_people() -> Refused:
    return Refused(
        403,
        "Not allowed",
        "Nobody may enter by the proxy at the moment.",
        "The API key that REFRESHER_DASHBOARD_PROXY_KEY_ID names is unknown, revoked or expired, or "
        "may not read.",
        "bad",
    )


def _pattern(path: str) -> str:
    """Returns what the log calls a path."""
    if path.startswith(static.ROOT):
        return "/ui/static/{hash}/{file}"
    if path.startswith(LINK):
        return f"{LINK}{{link}}"
    if path == SIGN_IN:
        return SIGN_IN
    is_live = path.startswith(f"{LIVE}/")
    found = find(ROUTES, page_of(path) if is_live else path)
    if found is None:
        return NOWHERE
    return f"{LIVE}{found.pattern.removeprefix(ROOT)}" if is_live else found.pattern

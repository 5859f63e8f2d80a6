"""The way in: an API key becomes a session, or a link that works once does.

Ten tries a minute for each address. A key is never taken in the clear from another machine.
"""

from __future__ import annotations

import re
from asyncio import get_running_loop
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import TypeVar
from urllib.parse import quote, urlsplit

from starlette.responses import Response

from refresher.connections import dashboard_links
from refresher.rules.access import ApiKey, Refusal, Scope, presented
from refresher.rules.words import span
from refresher.web.auth import STRANGER
from refresher.web.connect.gate import Addresses, Visitor
from refresher.web.dashboard import forms, refusals
from refresher.web.dashboard.protection import BOUNCED, SESSION, Door, tells_where_from
from refresher.web.dashboard.refusals import Refused
from refresher.web.dashboard.rendering import Rendering
from refresher.web.dashboard.routing import Tone
from refresher.web.dashboard.sessions import Over, Sessions
from refresher.web.state import Shared

T = TypeVar("T")
SIGN_IN, LINK = "/ui/sign-in", dashboard_links.PATH
NEXT = re.compile(r"/ui(?:[/?][\x21-\x5b\x5d-\x7e]*)?")
MOST_OF_NEXT = 2_000
TRIES, EACH_SECONDS = 10, 60.0
NEW_KEY = "refresher keys create"


@dataclass(frozen=True, slots=True)
class Said:
    """What the sign-in says above its form; `is_open_way`: there is no form to be shown."""

    sentence: str = ""
    words: str = ""
    command: str = ""
    tone: Tone = "still"
    status: int = 200
    is_open_way: bool = False


IN_THE_CLEAR = Said(
    "Not over plain http.",
    "This page came over http from another machine, so that a key could be read on its way. Put "
    "https in front of it, or open a tunnel and go to http://localhost:8080/ui:",
    "ssh -L 8080:localhost:8080 HOST",
    "warn",
    is_open_way=True,
)
LINK_OVER = Said(
    "This link was used, or is too old.", "Make a new one:", "refresher dashboard", "bad", 410
)
CANNOT_READ = Said(
    "This API key may not read.",
    "Signing in needs a key with the scope read:",
    f"{NEW_KEY} --scope read",
    "bad",
    403,
)
REFUSED = {
    Refusal.UNKNOWN: Said(
        "This API key is not known.", "Copy the whole of it, from rfr_ on, or ask for a new one:",
        NEW_KEY, "bad", 401,
    ),
    Refusal.EXPIRED: Said("This API key has expired.", "Ask for a new one:", NEW_KEY, "bad", 401),
    Refusal.REVOKED: Said("This API key is revoked.", "Ask for a new one:", NEW_KEY, "bad", 401),
}  # fmt: skip
SENTENCES = {
    Over.ENDED: "Your session has ended. Sign in to go on where you were.",
    Over.KEY_REVOKED: "The API key of this session was revoked.",
    Over.KEY_EXPIRED: "The API key of this session has expired.",
    Over.KEY_CANNOT_READ: "The API key of this session may not read.",
}


class Entry:
    """The pages before a session; for one event loop."""

    def __init__(
        self, shared: Shared, door: Door, sessions: Sessions, pages: Rendering, threads: Executor
    ) -> None:
        self._shared, self._door, self._sessions = shared, door, sessions
        self._pages, self._threads = pages, threads
        settings = shared.services.settings
        processes = settings.web_processes
        self._tries = Addresses(TRIES / EACH_SECONDS / processes, max(3.0, TRIES / processes))
        self._lasts = span(settings.dashboard_session_seconds)
        self._only_looks = settings.dashboard == "read_only"

    async def sign_in(self, visitor: Visitor) -> Response:
        """Shows the form, or takes it."""
        if visitor.method == "POST":
            return await self._take(visitor)
        query = dict(forms.pairs(visitor.query))
        wanted = query.get("next", "")
        if self._door.is_open_way(visitor):
            return self._page(wanted, IN_THE_CLEAR)
        if "signed_out" in query:
            return self._page(wanted, Said("You are signed out.", tone="good"))
        over = await self._over(visitor)
        return self._page(wanted, Said(SENTENCES[over]) if over else Said())

    async def link(self, visitor: Visitor, secret: str) -> Response:
        """Shows one button, or takes its form: the link is spent, and a session begins."""
        if not self._door.is_from_here(visitor):
            raise refusals.nothing_here()
        if visitor.method != "POST":
            values = {"title": "Sign in", "action": f"{LINK}{secret}"}
            return html(self._pages.alone("link.html", values))
        self._check(visitor)
        key = await self._in_thread(dashboard_links.spend, self._shared.services.database, secret)
        if key is None:
            return self._page("", LINK_OVER)
        return await self._begin(visitor, key, read_only=False, wanted="", by="by link")

    async def _take(self, visitor: Visitor) -> Response:
        """Judges the key of a form, and begins a session."""
        fields = dict(await forms.read(visitor))
        wanted, read_only = fields.get("next", ""), "read_only" in fields
        if self._door.is_open_way(visitor):
            return self._page(wanted, replace(IN_THE_CLEAR, status=403))
        self._check(visitor)
        verdict = await self._judged(fields.get("key", ""))
        if isinstance(verdict, ApiKey):
            return await self._admit(visitor, verdict, read_only=read_only, wanted=wanted)
        return self._page(wanted, REFUSED[verdict], looks=read_only)

    async def _judged(self, text: str) -> ApiKey | Refusal:
        shown = presented(text.strip())
        if shown is None:
            return Refusal.UNKNOWN
        lookups = self._shared.lookups
        verdict = lookups.remembered(shown) or await lookups.verdict(shown)
        if isinstance(verdict, Refusal):
            key_id = shown.id if lookups.keyring.knows(shown.id) else STRANGER
            self._shared.refusals.note(key_id, None, subject=f"401 {verdict}, dashboard")
        return verdict

    async def _admit(
        self, visitor: Visitor, key: ApiKey, *, read_only: bool, wanted: str
    ) -> Response:
        if Scope.READ not in key.scopes:
            return self._page(wanted, CANNOT_READ)
        self._tries.give_back(visitor.address)
        return await self._begin(visitor, key, read_only=read_only, wanted=wanted)

    async def _begin(
        self, visitor: Visitor, key: ApiKey, *, read_only: bool, wanted: str, by: str | None = None
    ) -> Response:
        before = self._door.cookie(visitor, SESSION)
        secret = await self._in_thread(self._sessions.begin, key, read_only, by, before)
        answer = goto(wanted if is_ours(wanted) else "/ui")
        cookie = self._door.set_cookie(visitor, SESSION, secret, seconds=None)
        answer.headers.append("set-cookie", cookie)
        answer.headers.append("set-cookie", self._door.set_cookie(visitor, BOUNCED, "", seconds=0))
        return answer

    def _check(self, visitor: Visitor) -> None:
        """Refuses forms of other sites, and who tries too often."""
        if tells_where_from(visitor) and not self._door.is_own_form(visitor):
            raise refusals.stale_form((), SIGN_IN)
        wait = self._tries.take(visitor.address)
        if wait > 0:
            raise Refused(
                429,
                "Too many tries",
                "Too many keys were tried from this address.",
                f"Try again in {max(1, round(wait))} s.",
                headers={"retry-after": str(max(1, round(wait)))},
            )

    async def _over(self, visitor: Visitor) -> Over | None:
        """Returns why the session that a browser still shows does not count; None for none."""
        secret = self._door.cookie(visitor, SESSION)
        if not secret:
            return None
        found = await self._in_thread(self._sessions.find, secret)
        return found if isinstance(found, Over) else None

    def _page(self, wanted: str, said: Said = Said(), *, looks: bool = False) -> Response:
        values = {
            "title": "Error: Sign in" if said.status >= 400 else "Sign in",
            "said": said,
            "next": wanted if is_ours(wanted) else "",
            "only_looks": looks or self._only_looks,
            "lasts": self._lasts,
        }
        return html(self._pages.alone("sign_in.html", values), said.status)

    async def _in_thread(self, work: Callable[..., T], *given: object) -> T:
        return await get_running_loop().run_in_executor(self._threads, work, *given)


def is_ours(path: str) -> bool:
    """Whether somebody may be led there after signing in: below `/ui`, and nowhere else."""
    return len(path) <= MOST_OF_NEXT and NEXT.fullmatch(path) is not None


def back_to(visitor: Visitor) -> str:
    """Returns the page that a form was on, as the browser tells; the overview where it does not."""
    told = urlsplit(visitor.headers.get(b"referer", b"").decode("latin-1"))
    path = told.path + (f"?{told.query}" if told.query else "")
    return path if told.netloc and is_ours(path) else "/ui"


def sign_in_again(path: str) -> str:
    """Returns the address of the sign-in that leads back to a page."""
    return f"{SIGN_IN}?next={quote(path, safe='/')}" if path != "/ui" else SIGN_IN


def html(text: str, status: int = 200) -> Response:
    """Returns a document."""
    headers = {"content-type": "text/html; charset=utf-8", "cache-control": "no-store"}
    return Response(text, status, headers)


def goto(path: str) -> Response:
    """Returns the answer that leads to another page of ours."""
    return Response(status_code=303, headers={"location": path, "cache-control": "no-store"})

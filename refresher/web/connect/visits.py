"""What each route of `/connect/` does: asks the story on a thread, and shows what it says."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Executor
from functools import partial
from typing import Any, TypeVar, assert_never
from urllib.parse import parse_qsl
from uuid import UUID

from starlette.background import BackgroundTask
from starlette.responses import Response

from refresher.catalogue.client_registration import document as client_document
from refresher.catalogue.client_registration import document_url
from refresher.catalogue.tables import NAME_PATTERN
from refresher.connections import arrival, departures, visits
from refresher.connections.issuer_clients import product
from refresher.connections.visit_values import (
    Confirm,
    Connected,
    Failed,
    Leave,
    LinkEnded,
    OtherBrowser,
    ResultView,
    StartRefused,
    Waiting,
)
from refresher.notify import mail_links
from refresher.rules.connect import PATH, Problem
from refresher.rules.connect_steps import SendCode, ShowPage, ShowResult
from refresher.rules.redirects import redirect_uri
from refresher.rules.visitors import is_own_form, is_whole_page, origin_of
from refresher.runtime.services import Services
from refresher.web import problems, reading
from refresher.web.connect import self_check, showing
from refresher.web.connect.gate import Gate, Visitor
from refresher.web.connect.pages import TONES, Pages, Refused, document, elsewhere, nothing

T = TypeVar("T")
MOST_PARAMETERS, MOST_FORM_BYTES = 500, 4_096
SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
"""What a link looks like: 32 bytes in base64url."""
CLIENT_FILE = re.compile(rf"({NAME_PATTERN})\.json")
"""What the document about us is called that one issuer reads: `client_registration.document_url`."""
WAIT_SECONDS = 3.0
"""How long the callback waits for what came of the code, before it shows a page that waits."""
LOOK_SECONDS, MOST_LOOKS = 2, 30
"""How often such a page looks again by itself: for a minute."""


class Visits:
    """The handlers of one process."""

    def __init__(self, services: Services, pages: Pages, gate: Gate, threads: Executor) -> None:
        self._services, self._pages, self._gate, self._threads = services, pages, gate, threads
        self._public_url = services.settings.public_url or ""
        self._under_way: set[asyncio.Task[None]] = set()

    async def look(self, visitor: Visitor, link: str) -> Response:
        """Shows who asks, for whom, and one button; changes nothing (C7).

        Where the application has the last word it is the hop itself (C9).
        """
        view = await self._asked(visits.opened, link)
        may_hop = view.is_hop and not view.asks_host
        if may_hop and not visitor.only_looks and is_whole_page(visitor.headers):
            leave = await self._asked(departures.start, link)
            return _with_cookie(elsewhere(leave.url), leave)
        return self._pages.page("start", showing.start(view, link))

    async def start(self, visitor: Visitor, link: str) -> Response:
        """Makes an attempt and leads to the provider, for our own form only (C8)."""
        self._check_form(visitor)
        host = await _host(visitor)
        try:
            leave = await self._asked(partial(departures.start, host=host), link)
        except Refused as refused:
            if refused.code != Problem.WRONG_HOST:
                raise
            view = await self._asked(visits.opened, link)
            values = showing.start(view, link) | {"host": host, "host_wrong": True}
            return self._pages.page("start", values, 422)
        return self._leaving(leave)

    async def send(self, visitor: Visitor, link: str) -> Response:
        """Has a new link sent to the address that an ended one came to, and to no other."""
        self._check_form(visitor)
        if SECRET.fullmatch(link) is None or not await self._in_thread(mail_links.send_again, link):
            self._count_unknown()
            raise Refused("too_many_requests", retry_after_seconds=mail_links.AGAIN_SECONDS)
        return self._pages.page("ending", {"code": "link_sent", "tone": TONES["link_sent"]})

    async def callback(self, visitor: Visitor, slug: str) -> Response:
        """Takes the provider's answer, and leads to an address without parameters (C26)."""
        if visitor.only_looks:
            return nothing()
        match await self._in_thread(visits.arrive, slug, _pairs(visitor.query), visitor.cookies):
            case SendCode() as ticket:
                task = self._begin(arrival.carry(self._services, ticket))
                await asyncio.wait({task}, timeout=WAIT_SECONDS)
                answer = _to_result(ticket.session_id)
                answer.background = BackgroundTask(asyncio.wait, {task})
                return answer
            case ShowResult(session_id):
                return _to_result(session_id)
            case ShowPage(problem):
                self._count_unknown()
                raise Refused(problem)
            case never:
                assert_never(never)

    async def result(self, visitor: Visitor, session: str) -> Response:
        """Shows what came of it, to the browser that was there; or leads back to the application."""
        if visitor.only_looks:
            return nothing()
        try:
            view, words = await self._in_thread(_seen, _session_id(session), visitor.cookies)
        except OtherBrowser:
            raise Refused("unknown_result") from None
        return self._result(view, words, _looks(visitor))

    async def again(self, visitor: Visitor, session: str) -> Response:
        """Makes the next attempt of a session, for the browser that made the one before."""
        self._check_form(visitor)
        again = partial(departures.again, self._services, _session_id(session), visitor.cookies)
        return self._leaving(await self._beginning(again))

    async def client(self, visitor: Visitor, file: str) -> Response:
        """Tells an issuer who we are, where our client's id is this very address (D8)."""
        found, settings = CLIENT_FILE.fullmatch(file), self._services.settings
        if found is None or not self._public_url.startswith("https://"):
            return await self.nothing_here(visitor)
        base, name = self._public_url, found[1]
        told = client_document(
            document_url(base, name), redirect_uri(base, name), product(settings)
        )
        return document(told)

    async def self_check(self, visitor: Visitor, nonce: str) -> Response:
        """Proves to `refresher doctor` that the public URL leads here."""
        if self_check.NONCE.fullmatch(nonce) is None:
            return await self.nothing_here(visitor)
        return self_check.answer(self._services.cipher, visitor, nonce)

    async def nothing_here(self, visitor: Visitor, part: str = "") -> Response:
        """Answers for an address that is none of ours."""
        del visitor, part
        self._count_unknown()
        raise Refused("unknown")

    def _result(self, view: ResultView, words: Mapping[str, str], looks: int) -> Response:
        match view:
            case Waiting(session, title):
                return self._waiting(session.id, title, looks)
            case Confirm(_, return_url):
                return elsewhere(return_url)
            case Connected(session, title, return_url):
                if return_url is not None:
                    return elsewhere(return_url)
                return self._pages.page("connected", showing.connected(session, title))
            case Failed():
                return self._pages.page("ending", showing.failed(view, words))
            case never:
                assert_never(never)

    def _waiting(self, session_id: UUID, title: str, looks: int) -> Response:
        """Returns the page that looks again by itself, and after a minute by a button."""
        here, values = f"/connect/result/{session_id}", showing.of_provider(title)
        if looks >= MOST_LOOKS:
            return self._pages.page("wait", values | {"tone": "busy", "onward": here})
        answer = self._pages.page("wait", values | {"tone": "busy"})
        answer.headers["refresh"] = f"{LOOK_SECONDS}; url={here}?look={looks + 1}"
        return answer

    def _leaving(self, leave: Leave) -> Response:
        """Returns the page that moves on by itself: a redirect would be the form's, and blocked."""
        values = showing.of_provider(leave.title) | {"tone": "busy", "onward": leave.url}
        answer = _with_cookie(self._pages.page("leave", values), leave)
        answer.headers["refresh"] = f"0; url={leave.url}"
        return answer

    async def _asked(self, ask: Callable[[Services, str], T], link: str) -> T:
        """Returns what the story says of a link; raises the page for one that leads nowhere."""
        if SECRET.fullmatch(link) is None:
            self._count_unknown()
            raise Refused("unknown")
        try:
            return await self._beginning(partial(ask, self._services, link))
        except Refused as refused:
            if refused.code == Problem.EXPIRED and await self._in_thread(
                mail_links.may_send_again, link
            ):
                refused.again = f"{PATH}{link}/send"
            raise

    async def _beginning(self, ask: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        except LinkEnded as ended:
            self._count_unknown()
            raise Refused("connected_already" if ended.connected else ended.problem) from None
        except StartRefused as refused:
            raise Refused(refused.problem) from None
        except OtherBrowser:
            raise Refused("unknown_result") from None

    async def _in_thread(self, ask: Callable[..., T], *given: object) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(ask, self._services, *given))

    def _begin(self, carrying: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Has it go on whatever becomes of the request."""
        task = asyncio.get_running_loop().create_task(carrying)
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            assert isinstance(error, Exception)
            problems.told(error, "GET", "/connect/callback/{slug}")

    def _check_form(self, visitor: Visitor) -> None:
        if not is_own_form(visitor.headers, origin_of(self._public_url)):
            raise Refused("other_site")

    def _count_unknown(self) -> None:
        """Counts who knows no link and no state; raises 429 where too many come (C29)."""
        wait = self._gate.unknown_wait_seconds()
        if wait > 0:
            raise Refused("too_many_requests", retry_after_seconds=wait)


def _seen(
    services: Services, session_id: UUID, cookies: Mapping[str, str]
) -> tuple[ResultView, Mapping[str, str]]:
    """Returns what came of a session, and the entry's words for scopes."""
    view = visits.result(services, session_id, cookies)
    entry = services.catalogue.get(view.session.provider)
    return view, entry.connect.scope_words if entry and entry.connect else {}


def _to_result(session_id: UUID) -> Response:
    return elsewhere(f"/connect/result/{session_id}")


def _with_cookie(answer: Response, leave: Leave) -> Response:
    answer.set_cookie(
        leave.cookie_name,
        leave.cookie,
        max_age=leave.max_age_seconds,
        secure=leave.cookie_name.startswith("__Host-"),
        httponly=True,
        samesite="lax",
    )
    return answer


def _pairs(query: bytes) -> list[tuple[str, str]]:
    """Returns the parameters as they came; raises the page for more of them than anybody sends."""
    try:
        text = query.decode("latin-1")
        return parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
    except ValueError:
        raise Refused(Problem.BAD_CALLBACK) from None


async def _host(visitor: Visitor) -> str | None:
    """Returns the field of the form, None where there is none."""
    raw = await reading.body(visitor.receive, visitor.headers, at_most=MOST_FORM_BYTES)
    try:
        fields: Mapping[str, str] = dict(
            parse_qsl(raw.decode("ascii"), max_num_fields=MOST_PARAMETERS)
        )
    except ValueError:
        return None
    return fields.get("host", "").strip() or None


def _session_id(text: str) -> UUID:
    if reading.ID.fullmatch(text) is None:
        raise Refused("unknown_result")
    return UUID(text)


def _looks(visitor: Visitor) -> int:
    """Returns how often the page that waits has looked by itself."""
    found = re.fullmatch(rb"look=(\d{1,2})", visitor.query)
    return int(found[1]) if found else 0

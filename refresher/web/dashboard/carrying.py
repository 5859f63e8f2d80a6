"""Carries one request of somebody signed in out, on a thread: the handler, its answer, its page."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC
from typing import assert_never

from markupsafe import escape
from starlette.responses import Response

from refresher.errors import RefresherError
from refresher.web.connect.gate import Visitor
from refresher.web.dashboard import forms, frame, live, refusals
from refresher.web.dashboard.choices import chosen
from refresher.web.dashboard.entry import back_to, goto, html
from refresher.web.dashboard.moments import zone_of
from refresher.web.dashboard.protection import CHOICES, SAID, Door
from refresher.web.dashboard.refusals import Refused
from refresher.web.dashboard.rendering import Rendering
from refresher.web.dashboard.routing import Answer, Fragment, Goto, Mistaken, Page, Route
from refresher.web.dashboard.sessions import Sessions, SignedIn
from refresher.web.dashboard.visit import Visit
from refresher.web.state import Shared

STRANGE = frozenset({403, 409})
"""Statuses of pages that do not show what came: it may be another site's, or is done already."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of somebody signed in; without a route it can only be refused."""

    visitor: Visitor
    path: str
    signed_in: SignedIn
    parts: Mapping[str, str] = field(default_factory=dict)
    route: Route | None = None
    fields: forms.Pairs = ()


class Carrying:
    """Of one process. Safe to use from every thread.

    `numbers` gives those of the left column, by section; it must be quick.
    """

    def __init__(self, shared: Shared, door: Door, sessions: Sessions, pages: Rendering) -> None:
        self._shared, self._door, self._sessions, self._pages = shared, door, sessions, pages
        self._shown = forms.ShownOnce()
        self.numbers: frame.Numbers = live.numbers
        self._alike = live.Alike()

    def carry(self, asked: Asked) -> Response:
        """Returns what a route answers; every error is a page."""
        route = asked.route
        assert route is not None
        visit = self._visit(asked)
        try:
            if route.method == "POST":
                self._check(asked.visitor, visit)
            etag = live.same(visit, route, self.numbers(visit)) if visit.is_live else None
            if etag is not None and (told := self._told_before(visit, etag)):
                return live.answer(visit, told)
            return self._answered(asked, visit, self._once(visit, route), etag)
        except Mistaken as mistaken:
            page = replace(
                mistaken.page,
                status=mistaken.status,
                more={**mistaken.page.more, "mistake": mistaken.sentence},
            )
            return self._page(asked, visit, page)
        except Exception as error:  # noqa: BLE001  it is a page
            refused = refusals.of(error, asked.visitor.method, route.pattern)
            if not isinstance(error, Refused):  # that one has what it may show
                refused.typed = refusals.shown_again(visit.form_pairs)
            return self._refused(asked, visit, refused)

    def refusal(self, asked: Asked, refused: Refused) -> Response:
        """Returns the page that says why not."""
        return self._refused(asked, self._visit(asked), refused)

    def _visit(self, asked: Asked) -> Visit:
        choices = chosen(self._door.cookie(asked.visitor, CHOICES))
        is_live = asked.path.startswith(f"{frame.LIVE}/")
        return Visit(
            shared=self._shared,
            session=asked.signed_in.session,
            key=asked.signed_in.key,
            now=asked.signed_in.now,
            zone=zone_of(choices["zone"]) or UTC,
            path=frame.page_of(asked.path) if is_live else asked.path,
            pattern=asked.route.pattern if asked.route else "",
            parts=asked.parts,
            query_pairs=forms.pairs(asked.visitor.query),
            form_pairs=asked.fields,
            choices=choices,
            sessions=self._sessions,
            is_live=is_live,
            etag=asked.visitor.headers.get(b"if-none-match", b"").decode("latin-1"),
        )

    def _check(self, visitor: Visitor, visit: Visit) -> None:
        """Refuses a form that is of another site, another session, or another page."""
        cipher, given = visit.services.cipher, visit.form.get(forms.CSRF, "")
        is_ours = forms.is_ours(cipher, visit.session, visit.path, given)
        if not (self._door.is_own_form(visitor) and is_ours):
            own = self._door.is_own_form(visitor)
            back = back_to(visitor) if own else frame.ROOT
            raise refusals.stale_form(visit.form_pairs if own else (), back)

    def _once(self, visit: Visit, route: Route) -> Answer:
        """Has the handler answer; the same form sent twice is carried out once."""
        if route.method == "GET":
            return route.handle(visit)
        one = forms.OneForm(visit.database, visit.key.id, visit.path, visit.form_pairs)
        try:
            before: Goto | Page | None = one.begin()
        except forms.Done:
            before = self._shown.find(one)
            if before is None:
                raise
        if before is not None:
            return before
        try:
            answer = route.handle(visit)
        except BaseException:
            with suppress(RefresherError):  # else it is forgotten within a minute
                one.give_up()
            raise
        with suppress(RefresherError):  # it is done, whether or not that can be remembered
            if isinstance(answer, Page) and answer.status >= 400:
                one.give_up()
            else:
                if isinstance(answer, Page):
                    self._shown.keep(one, answer)
                one.keep(answer if isinstance(answer, Goto) else None)
        return answer

    def _told_before(self, visit: Visit, etag: str) -> Fragment | None:
        """Returns what need not be made again: the browser has it, or somebody like this one had it."""
        return Fragment("", etag) if etag == visit.etag else self._alike.find(visit, etag)

    def _answered(self, asked: Asked, visit: Visit, answer: Answer, etag: str | None) -> Response:
        match answer:
            case Page():
                return (
                    self._parts(asked, visit, answer, etag)
                    if visit.is_live
                    else self._page(asked, visit, answer)
                )
            case Goto():
                return self._goto(asked.visitor, visit, answer)
            case Fragment():
                return live.answer(visit, answer)
            case _:
                assert_never(answer)

    def _goto(self, visitor: Visitor, visit: Visit, answer: Goto) -> Response:
        made = goto(answer.path)
        if answer.said is not None:
            told = frame.said_cookie(visit.services.cipher, visit.session, answer)
            visit.cookies.append((SAID, told, frame.SAID_SECONDS))
        for name, value, seconds in visit.cookies:
            cookie = self._door.set_cookie(visitor, name, value, seconds=seconds)
            made.headers.append("set-cookie", cookie)
        return made

    def _page(self, asked: Asked, visit: Visit, page: Page) -> Response:
        cookie = self._door.cookie(asked.visitor, SAID)
        said = frame.said_in(visit.services.cipher, visit.session, cookie)
        if page.has_live_parts is None:
            is_look = asked.route is None or asked.route.method == "GET"
            page = replace(page, has_live_parts=is_look)
        around = {**self._around(asked, visit, page), **said}
        answer = html(self._pages.page(page, visit, around), page.status)
        if cookie is not None:
            spent = self._door.set_cookie(asked.visitor, SAID, "", seconds=0)
            answer.headers.append("set-cookie", spent)
        return answer

    def _parts(self, asked: Asked, visit: Visit, page: Page, etag: str | None) -> Response:
        """Returns the parts of a page that may be swapped, or 304 where they are as they were."""
        made = self._pages.parts(page, visit, self._around(asked, visit, page))
        told = live.parts(made, etag)
        if page.is_alike and etag is not None:
            self._alike.keep(visit, etag, told)
        return live.answer(visit, told)

    def _refused(self, asked: Asked, visit: Visit, refused: Refused) -> Response:
        if asked.fields and refused.status not in STRANGE:
            refused = refusals.with_form(refused, asked.fields)
        if visit.is_live:
            answer = html(escape(refused.sentence), refused.status)
        else:
            page = Page("error.html", refused, refused.title, refused.status, has_live_parts=False)
            answer = self._page(asked, visit, page)
        answer.headers.update(refused.headers)
        return answer

    def _around(self, asked: Asked, visit: Visit, page: Page) -> dict[str, object]:
        numbers: Mapping[str, int] = {}
        with suppress(RefresherError):  # a page is worth more than its numbers at the side
            numbers = self.numbers(visit)
        section = asked.route.section if asked.route else ""
        return frame.around(page, visit, section, numbers)

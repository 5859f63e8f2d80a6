"""Operations without an API key: what is called from outside, and carries its own proof.

Only POST does anything: a link that a scanner or a chat looks at with GET stays unused; where a person
may open it in a browser, GET shows a page with a button. An answer names the pattern of its path and
never the path, which may be a link.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

from fastapi import Depends
from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from refresher.rules.words import capital
from refresher.web import connect, problems, reading
from refresher.web.dependencies import Admitted
from refresher.web.routes import ApiRoute, Handle
from refresher.web.state import Shared

NOT_FOLLOWED = {"referrer-policy": "no-referrer"}
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "x-robots-tag": "noindex, nofollow",
    "content-security-policy": _POLICY,
    **NOT_FOLLOWED,
}


@dataclass(frozen=True, slots=True)
class LinkPage:
    """What a person reads before and after, and the button's word.

    It is the same for every link, good or not: whoever looks learns nothing.
    """

    title: str
    sentence: str
    button: str
    done_title: str
    done_sentence: str

    def asking(self) -> bytes:
        """Returns the page with the button, which POSTs to the address at which it is."""
        return _page(self.title, self.sentence, self.button)

    def done(self) -> bytes:
        """Returns the page that says that it is done."""
        return _page(self.done_title, self.done_sentence)

    def refused(self, title: str, sentence: str) -> bytes:
        """Returns the page that says why it is not."""
        return _page(title, f"{capital(sentence)}.")


def _page(title: str, sentence: str, button: str = "") -> bytes:
    values = {"title": title, "sentence": sentence, "button": button, "style": _style()}
    return _template().render(values).encode()


@cache
def _template() -> Template:
    text = files(__package__).joinpath("link_page.html").read_text("utf-8")
    return Environment(autoescape=True, undefined=StrictUndefined).from_string(text)


@cache
def _style() -> Markup:
    """Returns the style sheet of the pages on which people connect: these look like them."""
    text = files(connect).joinpath("templates", "style.css").read_text("utf-8")
    return Markup(text)  # noqa: S704  our own file


@dataclass(frozen=True, slots=True)
class Visit:
    """One request: headers in lower case, the body as it came, and what this process serves with."""

    state: Shared
    headers: Mapping[str, str]
    body: bytes


async def visit_of(request: Admitted) -> Visit:
    """Returns what came."""
    return Visit(request.app.state.shared, dict(request.headers), request.raw)


Visited = Annotated[Visit, Depends(visit_of)]


class OpenRoute(ApiRoute):
    """An operation that takes no key. `page` is what a browser shows, None for what programs call."""

    most_bytes: int
    page: LinkPage | None = None

    def __init__(self, path: str, endpoint: Any, **options: Any) -> None:
        extra = {"security": [], **(options.get("openapi_extra") or {})}
        super().__init__(path, endpoint, **{**options, "openapi_extra": extra})

    def what_it_needs(self) -> str:
        """Returns the sentence about keys."""
        return "Takes no API key."

    def usual_codes(self) -> set[str]:
        """Returns the codes of every such operation."""
        return {"invalid_header", "too_large", "database_unavailable", "internal"}

    def instance(self, request: Request) -> str:
        """Returns the pattern of the path."""
        del request
        return self.path_format

    def refuse(self, error: Exception, request: Request) -> Response:
        """Returns a problem, or the page that says it to a person."""
        problem = problems.told(error, request.method, self.path_format)
        made = problem.response(self.path_format)
        if problem.code == "internal" or self.page is None or not _is_browser(request):
            made.headers.update(NOT_FOLLOWED)
            return made
        page = self.page.refused(problem.title, problem.detail)
        told = {k: v for k, v in made.headers.items() if not k.startswith("content-")}
        return Response(page, problem.status, told | HEADERS)

    async def serve(self, handle: Handle, request: Request) -> Response:
        """Reads what came, and has the handler take it."""
        headers = reading.headers(request.scope["headers"])
        raw = await reading.body(request.receive, headers, at_most=self.most_bytes)
        answer = await self.admit(handle, Admitted(request, None, raw, None))
        if self.page is not None and request.method == "POST" and _is_browser(request):
            return Response(self.page.done(), 200, HEADERS)
        return answer


def _is_browser(request: Request) -> bool:
    """Whether a person looks at the answer: programs ask for JSON, or for anything."""
    return any("text/html" in value for value in request.headers.getlist("accept"))

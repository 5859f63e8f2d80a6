"""One browser of one person: what it sends on each navigation, and how far that leads."""

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self
from urllib.parse import urlencode, urljoin, urlsplit

import httpx

from refresher.devkit.browser import sites
from refresher.devkit.browser.cookies import Jar
from refresher.devkit.browser.page import Page

_TIMEOUT_SECONDS = 60.0
_KEPT_SECONDS = 2.0
_MOST_STEPS = 80
_REPLACES_SECONDS = 1.0  # a page that moves on so soon is no step of the history, as in Chrome
_POST_BECOMES_GET = {301, 302, 303}
_REDIRECTS = _POST_BECOMES_GET | {307, 308}
_FORM = "application/x-www-form-urlencoded"


class Blocked(Exception):
    """A browser would not have gone on; the message says by which header."""


class Unreachable(Exception):
    """Nobody answers there."""


@dataclass(frozen=True)
class _Step:
    """One request of a navigation: `url_list` are its URLs up to this one."""

    method: str
    url: str
    initiator: Page | None
    url_list: tuple[str, ...]
    body: bytes = b""
    form_page: Page | None = None
    dest: str = "document"
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def site(self) -> str:
        return sites.relation(self.initiator.url if self.initiator else None, self.url_list)


class Browser:
    """Opens pages, follows redirects and Refresh headers, sends forms, keeps cookies.

    `hosts` maps an origin, such as `https://connect.example`, to a server that plays it
    (`http://127.0.0.1:8000`), as a proxy in front does: with Host, X-Forwarded-Proto and
    X-Forwarded-For, which is `address`. `pace` shortens the waits of Refresh headers.
    """

    def __init__(
        self,
        hosts: Mapping[str, str] | None = None,
        *,
        address: str = "203.0.113.7",
        pace: float = 0.1,
        sends_fetch_metadata: bool = True,
    ) -> None:
        """Opens no connection until the first page."""
        self.jar = Jar()
        self.page: Page | None = None
        self.history: list[str] = []
        self.timings: list[tuple[str, float]] = []
        """How many seconds each answer took, by path."""
        self._hosts, self._address, self._pace = dict(hosts or {}), address, pace
        self._sends_fetch_metadata = sends_fetch_metadata
        self._transport = httpx.HTTPTransport(
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),  # nobody is asked by TLS here
            trust_env=False,
            # Sooner than servers close what is idle; a browser would just ask once more.
            limits=httpx.Limits(keepalive_expiry=_KEPT_SECONDS),
        )

    def open(self, url: str, *, until: str | None = None) -> Page:
        """Opens a URL that was typed, or came by mail. Stops before a URL that has `until` in it."""
        return self._navigate(_Step("GET", url, None, (url,)), until)

    def come_from(self, page: str, url: str, *, until: str | None = None) -> Page:
        """Opens a URL by a link on another page."""
        return self._navigate(_Step("GET", url, _elsewhere(page), (url,)), until)

    def post_from(self, page: str, url: str, fields: Mapping[str, str] | None = None) -> Page:
        """Sends a form that stands on another page, as a page of a stranger can without a click."""
        body = urlencode(dict(fields or {})).encode()
        return self._navigate(_Step("POST", url, _elsewhere(page), (url,), body), None)

    def frame(self, page: str, url: str) -> Page:
        """Shows a URL in a frame of another page. Raises `Blocked` where it forbids that."""
        step = _Step("GET", url, _elsewhere(page), (url,), dest="iframe")
        shown = self._walk(step, None)
        csp = shown.headers.get("content-security-policy", "")
        if "x-frame-options" in shown.headers or "frame-ancestors" in csp:
            raise Blocked("X-Frame-Options or frame-ancestors")
        return shown

    def prefetch(self, url: str, method: str = "GET") -> Page:
        """Fetches a URL ahead, as browsers and scanners do: nothing is shown, nothing is followed."""
        step = _Step(
            method, url, None, (url,), more={"Sec-Purpose": "prefetch", "Purpose": "prefetch"}
        )
        return self._answer(step, ())

    def submit(
        self, button: str | None = None, *, until: str | None = None, **fields: object
    ) -> Page:
        """Presses a button of the shown page, by its text or value; `fields` fill the form."""
        page = self._shown
        form = next((f for f in page.forms if button is None or _has(f.buttons, button)), None)
        if form is None:
            raise LookupError(f"no form with a button {button!r}: {page.status} {page.words[:200]}")
        sent, url = (
            urlencode(form.filled(button, fields)),
            urljoin(page.url, form.action or page.url),
        )
        if form.method != "post":
            url = f"{url.partition('?')[0]}?{sent}"
            return self._navigate(_Step("GET", url, page, (url,), form_page=page), until)
        step = _Step("POST", url, page, (url,), sent.encode(), form_page=page)
        return self._navigate(step, until)

    def follow(self, text: str, *, until: str | None = None) -> Page:
        """Follows a link of the shown page, by its text."""
        page, url = self._shown, self._shown.links[text]
        return self._navigate(_Step("GET", url, page, (url,)), until)

    def go_on(self) -> Page:
        """Follows the redirect or Refresh at which `until` stopped."""
        page = self._shown
        if page.next_url is None:
            raise LookupError(f"{page.url} leads nowhere")
        return self._navigate(_Step("GET", page.next_url, page, (page.next_url,)), None)

    def back(self) -> Page:
        """Goes back to the page before, which is asked for again: none of ours may be kept."""
        self.history.pop()
        return self.open(self.history.pop())

    def reload(self) -> Page:
        """Asks for the shown page again."""
        return self.open(self.history.pop())

    def close(self) -> None:
        """Closes its connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes."""
        self.close()

    @property
    def _shown(self) -> Page:
        if self.page is None:
            raise LookupError("no page is open")
        return self.page

    def _navigate(self, step: _Step, until: str | None) -> Page:
        """Goes as far as redirects and Refresh headers lead; each page that is shown is history."""
        for _ in range(_MOST_STEPS):
            page = self.page = self._walk(step, until)
            self.history.append(page.url)
            if page.next_url is not None or page.refresh is None:
                return page
            seconds, url = page.refresh
            if until is not None and until in url:
                self.page = replace(page, next_url=url)
                return self.page
            if seconds <= _REPLACES_SECONDS:
                self.history.pop()
            time.sleep(seconds * self._pace)
            step = _Step("GET", url, page, (url,))
        raise Blocked(f"ERR_TOO_MANY_REDIRECTS at {step.url}")

    def _walk(self, step: _Step, until: str | None) -> Page:
        """Follows the redirects of one navigation."""
        hops: tuple[str, ...] = ()
        for _ in range(_MOST_STEPS):
            _check_form_action(step)
            page = self._answer(step, hops)
            if page.next_url is None or (until is not None and until in page.next_url):
                return page
            hops = (*hops, step.url)
            becomes_get = page.status in _POST_BECOMES_GET and step.method == "POST"
            step = replace(
                step,
                url=page.next_url,
                url_list=(*step.url_list, page.next_url),
                method="GET" if becomes_get else step.method,
                body=b"" if becomes_get else step.body,
            )
        raise Blocked(f"ERR_TOO_MANY_REDIRECTS at {step.url}")

    def _answer(self, step: _Step, hops: tuple[str, ...]) -> Page:
        url = step.url.partition("#")[0]
        served = self._hosts.get(sites.origin(url))
        target = url if served is None else served + url[len(_base(url)) :]
        request = httpx.Request(step.method, target, headers=self._headers(step), content=step.body)
        request.extensions["timeout"] = httpx.Timeout(_TIMEOUT_SECONDS).as_dict()
        response = self._sent(request)
        self.jar.take(response.headers.get_list("set-cookie"), url)
        location = response.headers.get("location")
        leads_on = response.status_code in _REDIRECTS and location is not None
        return Page(
            step.url,
            response.status_code,
            response.headers,
            response.text,
            hops,
            urljoin(url, location) if leads_on else None,
        )

    def _sent(self, request: httpx.Request) -> httpx.Response:
        began = time.perf_counter()
        try:
            response = self._transport.handle_request(request)
            try:
                response.read()
            finally:
                response.close()
        except httpx.TransportError as error:
            raise Unreachable(f"{request.url}: {error!r}") from error
        self.timings.append((request.url.path, time.perf_counter() - began))
        return response

    def _headers(self, step: _Step) -> dict[str, str]:
        headers = {"User-Agent": "Visitor/1.0", "Accept": "text/html,*/*;q=0.8", **step.more}
        site, url = step.site, step.url
        if self._sends_fetch_metadata and (url.startswith("https:") or sites.is_loopback(url)):
            headers |= {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"}
            headers |= {"Sec-Fetch-Dest": step.dest}
        headers |= self._of_page(step)
        is_lax = step.method in {"GET", "HEAD"} and step.dest == "document"
        cookies = self.jar.header(url, is_same_site=site != "cross-site", is_lax=is_lax)
        headers |= {"Cookie": cookies} if cookies else {}
        if sites.origin(url) in self._hosts:
            headers |= {"Host": urlsplit(url).netloc, "X-Forwarded-For": self._address}
            headers |= {"X-Forwarded-Proto": urlsplit(url).scheme}
        return headers

    def _of_page(self, step: _Step) -> dict[str, str]:
        """Returns what the page tells of itself from which a navigation starts."""
        headers = {"Content-Type": _FORM} if step.method == "POST" else {}
        if step.initiator is None:
            return headers
        policy, page = step.initiator.headers.get("referrer-policy", ""), step.initiator.url
        if step.method == "POST":
            headers["Origin"] = sites.posted_origin(policy, page, step.url)
        told = sites.referer(policy, page, step.url)
        return headers if told is None else {**headers, "Referer": told}


def _elsewhere(url: str) -> Page:
    """Returns a page of which only the URL matters."""
    return Page(url, 200, httpx.Headers(), "")


def _base(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _has(buttons: list[tuple[str, str, str]], wanted: str) -> bool:
    return any(wanted in {text, value} for text, _, value in buttons)


def _check_form_action(step: _Step) -> None:
    """Raises `Blocked` where the form's page forbids it to end elsewhere: redirects count, too."""
    page = step.form_page
    csp = "" if page is None else page.headers.get("content-security-policy", "")
    if page is None or "form-action 'self'" not in csp:
        return
    if sites.origin(step.url) != sites.origin(page.url):
        raise Blocked(f"form-action 'self' forbids {sites.origin(step.url)}")

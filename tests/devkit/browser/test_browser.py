"""The browser without a window sends what browsers send: tables, and a small site on a socket."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from refresher.devkit.browser import Blocked, Browser, Page
from refresher.devkit.browser.cookies import Jar
from refresher.devkit.browser.sites import posted_origin, referer, relation
from refresher.devkit.oauth_server import FakeProvider

OURS, THEIRS = "https://a.ours.example", "https://theirs.example"
Answer = tuple[int, dict[str, str], str]
FORM = '<form method="post" action="/there"><input name="x" value="1"><button>Go</button></form>'


class Site(BaseHTTPRequestHandler):
    """Answers by path as the test says, and remembers what came."""

    answers: ClassVar[dict[str, Answer]] = {}
    came: ClassVar[list[tuple[str, str, dict[str, str]]]] = []

    def do_GET(self) -> None:
        """Answers."""
        status, headers, body = self.answers.get(self.path, (200, {}, "<h1>Here</h1>"))
        self.came.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(status)
        for name, value in {"content-type": "text/html", **headers}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    do_POST = do_GET  # noqa: N815 - the name is the library's

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A site, as 127.0.0.1 and as localhost: two sites for a browser."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture
def browser() -> Iterator[Browser]:
    """A browser that does not wait."""
    Site.answers, Site.came = {}, []
    with Browser(pace=0) as browser:
        yield browser


@pytest.mark.parametrize(
    ("url", "cookie", "is_taken"),
    [
        (OURS, "__Host-a=1; Secure; Path=/", True),
        (OURS, "__Host-a=1; Path=/", False),
        (OURS, "__Host-a=1; Secure; Path=/x", False),
        (OURS, "__Host-a=1; Secure; Path=/; Domain=ours.example", False),
        (OURS, "a=1; Domain=.ours.example", True),
        (OURS, "a=1; Domain=theirs.example", False),
        (OURS, "a=1; SameSite=None", False),
        ("http://127.0.0.1:1", "a=1; Secure", False),
        ("http://127.0.0.1:1", "a=1; HttpOnly; SameSite=Lax; Path=/; Max-Age=900", True),
        (OURS, "a=; Max-Age=0", False),
    ],
)
def test_which_cookies_are_taken(url: str, cookie: str, is_taken: bool) -> None:
    """Prefixes, Secure, Domain and Max-Age count as RFC 6265bis says."""
    jar = Jar()
    jar.take([cookie], url)
    assert bool(jar.header(url, is_same_site=True, is_lax=True)) is is_taken


@pytest.mark.parametrize(
    ("same_site", "is_same_site", "is_lax", "goes"),
    [
        ("Strict", True, True, True),
        ("Strict", False, True, False),
        ("Lax", False, True, True),
        ("Lax", False, False, False),
        ("Lax", True, False, True),
        ("None; Secure", False, False, True),
    ],
)
def test_which_cookies_go_along(
    same_site: str, is_same_site: bool, is_lax: bool, goes: bool
) -> None:
    """Lax comes on a GET from elsewhere and Strict does not; on a POST from elsewhere only None."""
    jar = Jar()
    jar.take([f"a=1; SameSite={same_site}"], OURS)
    assert bool(jar.header(OURS, is_same_site=is_same_site, is_lax=is_lax)) is goes


@pytest.mark.parametrize(
    ("initiator", "urls", "expected"),
    [
        (None, [OURS], "none"),
        (OURS, [f"{OURS}/x"], "same-origin"),
        (OURS, ["https://b.ours.example"], "same-site"),
        (OURS, ["http://a.ours.example"], "cross-site"),
        (OURS, [THEIRS, OURS], "cross-site"),
        ("http://127.0.0.1:1", ["http://127.0.0.1:2"], "same-site"),
        ("http://127.0.0.1:1", ["http://localhost:1"], "cross-site"),
    ],
)
def test_who_is_related(initiator: str | None, urls: list[str], expected: str) -> None:
    """Sec-Fetch-Site is the farthest of all redirects; a port makes an origin, not a site."""
    assert relation(initiator, urls) == expected


@pytest.mark.parametrize(
    ("policy", "target", "origin", "told"),
    [
        ("", OURS, OURS, f"{OURS}/p?q=1"),
        ("", THEIRS, OURS, f"{OURS}/"),
        ("", "http://theirs.example", OURS, None),
        ("no-referrer", OURS, "null", None),
        ("same-origin", OURS, OURS, f"{OURS}/p?q=1"),
        ("same-origin", THEIRS, "null", None),
        ("origin", THEIRS, OURS, f"{OURS}/"),
        ("unsafe-url", THEIRS, OURS, f"{OURS}/p?q=1"),
    ],
)
def test_what_a_page_tells_of_itself(
    policy: str, target: str, origin: str, told: str | None
) -> None:
    """Referer and a form's Origin are as the page's Referrer-Policy says: no-referrer makes it null."""
    page = f"{OURS}/p?q=1#here"
    assert (posted_origin(policy, page, target), referer(policy, page, target)) == (origin, told)


def test_a_form_leads_on(port: int, browser: Browser) -> None:
    """A form is sent with cookie and Origin, its redirect is a GET, a Refresh is followed by itself."""
    home, away = f"http://127.0.0.1:{port}", f"http://localhost:{port}"
    Site.answers = {
        "/": (200, {"Set-Cookie": "a=1; SameSite=Strict; Path=/"}, FORM),
        "/there": (200, {"Refresh": f"0; url={away}/out"}, ""),
        "/out": (302, {"Location": f"{home}/back"}, ""),
    }
    browser.open(f"{home}/")
    page = browser.submit("Go")
    assert (page.url, page.hops, page.words) == (f"{home}/back", (f"{away}/out",), "Here")
    (_, _, first), (method, _, sent), (_, _, out), (_, _, back) = Site.came
    assert (method, sent["origin"], sent["sec-fetch-site"]) == ("POST", home, "same-origin")
    assert (first["sec-fetch-site"], sent["cookie"]) == ("none", "a=1")
    assert (out["sec-fetch-site"], "cookie" in out) == ("cross-site", False)
    assert (back["sec-fetch-site"], "cookie" in back) == ("cross-site", False)
    assert (browser.back().url, browser.history) == (f"{home}/", [f"{home}/"])


def test_a_browser_stops_where_it_is_told_to(port: int, browser: Browser) -> None:
    """With `until`, a redirect or a Refresh is not followed, and can be later, by whomever."""
    home = f"http://127.0.0.1:{port}"
    Site.answers = {
        "/a": (302, {"Location": "/stop?x=1"}, ""),
        "/b": (200, {"Refresh": "5; url=/stop?x=2"}, ""),
    }
    assert browser.open(f"{home}/a", until="/stop").next_url == f"{home}/stop?x=1"
    assert browser.go_on().url == f"{home}/stop?x=1"
    assert browser.open(f"{home}/b", until="/stop").next_url == f"{home}/stop?x=2"
    assert [path for _, path, _ in Site.came] == ["/a", "/stop?x=1", "/b"]


@pytest.mark.parametrize(
    ("headers", "act"),
    [
        ({"X-Frame-Options": "DENY"}, lambda b, url: b.frame(THEIRS, url)),
        (
            {"Content-Security-Policy": "frame-ancestors 'none'"},
            lambda b, url: b.frame(THEIRS, url),
        ),
        ({"Content-Security-Policy": "form-action 'self'"}, lambda b, _: b.submit("Go")),
    ],
)
def test_what_a_page_forbids(
    port: int, browser: Browser, headers: dict[str, str], act: Callable[[Browser, str], Page]
) -> None:
    """A page that may not be framed is not, and a form of `form-action 'self'` redirects to nobody."""
    home = f"http://127.0.0.1:{port}"
    Site.answers["/"] = (200, headers, FORM)
    Site.answers["/there"] = (303, {"Location": f"http://localhost:{port}/"}, "")
    browser.open(f"{home}/")
    with pytest.raises(Blocked):
        act(browser, f"{home}/")


def test_a_name_is_played_behind_a_proxy(port: int) -> None:
    """An https origin is served by a server on this machine, which is told who came, and how."""
    Site.answers, Site.came = {"/x": (200, {"Set-Cookie": "__Host-a=1; Secure; Path=/"}, "")}, []
    with Browser({OURS: f"http://127.0.0.1:{port}"}, address="198.51.100.9") as browser:
        browser.open(f"{OURS}/x")
        browser.prefetch(f"{OURS}/x")
    headers = Site.came[1][2]
    assert (headers["host"], headers["x-forwarded-proto"]) == ("a.ours.example", "https")
    assert (headers["x-forwarded-for"], headers["cookie"]) == ("198.51.100.9", "__Host-a=1")
    assert headers["sec-purpose"] == "prefetch"


def test_a_person_goes_through_a_consent_page(provider_with_page: FakeProvider) -> None:
    """At the fake provider: log in, choose, untick a box, Allow; the code comes to the application."""
    url = provider_with_page.url
    ask = "client_id=fake-client&response_type=code&scope=read+write&state=s"
    with Browser() as browser:
        browser.open(f"{url}/login?account=ann")
        page = browser.open(f"{url}/authorize?{ask}&redirect_uri=https://app.example/back")
        assert (page.title, ("account", "ann") in page.forms[0].fields) == ("Allow access?", True)
        page = browser.submit("Allow", until="app.example", granted=["read"])
    assert page.next_url is not None
    assert page.next_url.startswith("https://app.example/back?code=")


@pytest.fixture
def provider_with_page() -> Iterator[FakeProvider]:
    """A provider that asks."""
    with FakeProvider() as provider:
        provider.admin.change_options(consent="page")
        yield provider

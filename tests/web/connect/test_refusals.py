"""Every ending is a page: wrong methods, too much, too often, a database that is away, a bug (C27)."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from refresher.connections import visits
from refresher.errors import DatabaseUnavailable
from refresher.rules.limits import Allowance
from refresher.web.connect import gate
from refresher.web.connect.gate import Gate
from tests import loopback
from tests.web.connect.stage import Stage
from tests.web.connect.test_visits import BUTTON

LINK = "L" * 43


def is_page(answer: httpx.Response, status: int, words: str) -> None:
    """Asserts that an answer is a whole page that nobody keeps, frames or sniffs."""
    assert (answer.status_code, words in answer.text) == (status, True), answer.text[-600:]
    told = answer.headers
    assert told["content-type"] == "text/html; charset=utf-8"
    assert told["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert (told["x-frame-options"], told["cache-control"]) == ("DENY", "no-store")
    assert told["x-content-type-options"] == "nosniff"
    assert told["referrer-policy"] in {"no-referrer", "same-origin"}


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("POST", "/connect/callback/fake", 405, "cannot be used like that"),
        ("PUT", f"/connect/{LINK}", 405, "cannot be used like that"),
        ("GET", f"/connect/{LINK}/start", 405, "cannot be used like that"),
        ("GET", f"/connect/{LINK}", 410, "has ended"),
        ("GET", "/connect/short", 404, "link is not known"),
        ("GET", "/connect/%3Cscript%3E", 404, "link is not known"),
        ("GET", "/connect", 404, "link is not known"),
        ("GET", "/connect/", 404, "link is not known"),
        ("GET", f"/connect/{LINK}/", 404, "link is not known"),
        ("GET", "/connect/result/nothing", 404, "nothing to show"),
        ("GET", "/connect/result/7d3e0a5c-7f1e-4cc3-9d5b-3f1c6a1b2c3d", 404, "nothing to show"),
    ],
)
def test_whatever_is_asked_a_page_answers(
    stage: Stage, method: str, path: str, status: int, words: str
) -> None:
    """In words, with headers as any other."""
    answer = stage.ask(method, stage.url + path)
    is_page(answer, status, words)
    assert ("allow" in answer.headers) is (status == 405)


def test_a_form_of_ours_is_small(stage: Stage) -> None:
    """Too much is refused before it is read; what is no form has no field."""
    _, url = stage.link()
    ours = {"sec-fetch-site": "same-origin"}
    is_page(stage.ask("POST", f"{url}/start", content=b"a" * 5_000, headers=ours), 413, "too large")
    for body in (b"\xff\xfe", b"&" * 600, b'{"host": "x"}'):
        answer = stage.ask("POST", f"{url}/start", content=body, headers=ours)
        is_page(answer, 200, "Going to Fake")


def test_headers_that_contradict_themselves_are_a_page(stage: Stage) -> None:
    """Of two, a proxy on the way may have believed the other one."""
    _, url = stage.link()
    twice = [("content-type", "text/a"), ("content-type", "text/b")]
    with loopback.client() as client:
        answer = client.get(stage.here + url.removeprefix(stage.url), headers=twice)
    is_page(answer, 400, "cannot be used like that")


def test_who_begins_gets_a_cookie_of_that_attempt(stage: Stage) -> None:
    """C4: its own name, for this host and https alone, out of the reach of scripts, Lax."""
    _, url = stage.link()
    origin = {"origin": stage.url}
    cookies = [
        stage.ask("POST", f"{url}/start", headers=origin).headers["set-cookie"] for _ in range(2)
    ]
    for cookie in cookies:
        name, *rest = cookie.split("; ")
        assert name.startswith("__Host-rfc-")
        assert sorted(part.lower() for part in rest) == sorted(
            ["httponly", "max-age=900", "path=/", "samesite=lax", "secure"]
        )
    assert len({cookie.partition("=")[0] for cookie in cookies}) == 2


def test_leaving_is_a_page_that_moves_on(stage: Stage) -> None:
    """C28: 200 with Refresh, and the same as a link; nothing is told to where it leads."""
    _, url = stage.link()
    answer = stage.ask("POST", f"{url}/start", headers={"origin": stage.url})
    is_page(answer, 200, "Going to Fake")
    seconds, _, there = answer.headers["refresh"].partition("; url=")
    assert (seconds, "/authorize?" in there) == ("0", True)
    assert f'href="{there.replace("&", "&amp;")}"' in answer.text
    assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.fixture
def slow_gate(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """A gate that lets the usual bursts through, and then next to nothing, however slow the test is."""
    monkeypatch.setattr(gate, "PER_SECOND", 0.01)
    made = Gate()
    made._unknown = Allowance(0.01, 50.0, time.monotonic(), 50.0)
    monkeypatch.setattr(stage.pages, "_gate", made)
    monkeypatch.setattr(stage.pages._visits, "_gate", made)
    return made


@pytest.mark.usefixtures("slow_gate")
def test_one_address_comes_thirty_times_at_once(stage: Stage) -> None:
    """C29: then it is told to wait, on a page, and others are not."""
    _, url = stage.link()
    crowd = {"x-forwarded-for": stage.new_address()}
    seen = [stage.ask("GET", url, headers=crowd) for _ in range(32)]
    assert [answer.status_code for answer in seen] == [200] * 30 + [429] * 2
    is_page(seen[-1], 429, "A little slower")
    assert int(seen[-1].headers["retry-after"]) >= 1
    assert stage.ask("GET", url).status_code == 200


@pytest.mark.usefixtures("slow_gate")
def test_unknown_links_are_few_in_all(stage: Stage) -> None:
    """C29: from however many addresses they come; a good link is not held up."""
    _, url = stage.link()
    seen = [stage.ask("GET", f"{stage.url}/connect/x").status_code for _ in range(52)]
    assert seen == [404] * 50 + [429] * 2
    assert stage.ask("GET", url).status_code == 200


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (lambda: RuntimeError("no words of a bug"), 500, "our mistake"),
        (lambda: DatabaseUnavailable("at db.internal"), 503, "trouble right now"),
    ],
)
def test_trouble_of_ours_is_a_page_too(
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Callable[[], Exception],
    status: int,
    words: str,
) -> None:
    """It tells nothing of the inside; the log names the route by its pattern."""

    def fail(*_: Any) -> None:
        raise error()

    monkeypatch.setattr(visits, "opened", fail)
    answer = stage.ask("GET", f"{stage.url}/connect/{LINK}")
    is_page(answer, status, words)
    assert str(error()) not in answer.text
    told = capsys.readouterr().out
    assert "/connect/{link}" in told
    assert LINK not in told


def test_another_attempt_is_for_who_made_the_first(stage: Stage) -> None:
    """The button needs the attempt's cookie, and stands on our own page."""
    session, url = stage.link()
    stage.provider.admin.add_fault("error", on="authorize", count=1, error="access_denied")
    with stage.browser("lea") as lea, stage.browser("max") as other:
        lea.open(url)
        assert "You did not allow it" in lea.submit(BUTTON).words
        again = f"{stage.url}/connect/result/{session.id}/again"
        assert other.post_from(f"{stage.url}/", again).status == 404
        assert lea.post_from("https://evil.example/", again).status == 403
        lea.open(f"{stage.url}/connect/result/{session.id}")
        assert "is connected" in lea.submit("Try again").words


def test_secrets_of_a_visit_are_in_no_log(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """C25: neither link, code, state nor cookie; routes are told by their patterns."""
    _, url = stage.link()
    with stage.browser("pam") as pam:
        pam.open(url)
        callback = pam.submit(BUTTON, until="/connect/callback").next_url or ""
        pam.go_on()
        pam.open(f"{stage.url}/connect/callback/fake?code=made-up-code&state={'s' * 43}")
        cookies = [cookie.value for cookie in pam.jar]
    told = capsys.readouterr().out
    assert "/connect/callback/{slug}" in told
    secrets = [part.partition("=")[2] for part in callback.partition("?")[2].split("&")]
    secrets += [url.rpartition("/")[2], "made-up-code", "s" * 43, *cookies]
    assert [secret for secret in secrets if secret in told] == []


def test_an_issuer_reads_who_we_are(stage: Stage) -> None:
    """D8: the document's own address is the client's id; each issuer has a redirect URI of its own."""
    at = f"{stage.url}/connect/client/i-0123456789abcdef.json"
    answer = stage.ask("GET", at)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    told = answer.json()
    assert (told["client_id"], told["client_name"]) == (at, "Acme")
    assert told["redirect_uris"] == [f"{stage.url}/connect/callback/i-0123456789abcdef"]
    assert told["token_endpoint_auth_method"] == "none"
    is_page(stage.ask("GET", f"{stage.url}/connect/client/Nobody.txt"), 404, "link is not known")


def test_who_wants_https_only_says_so_here_too(database_url: str, tmp_path: Path) -> None:
    """REFRESHER_HSTS_SECONDS holds for pages as for the API."""
    with Stage.opened(database_url, tmp_path, hsts_seconds=600) as stage:
        answer = stage.ask("GET", f"{stage.url}/connect/x")
        assert answer.headers["strict-transport-security"] == "max-age=600"

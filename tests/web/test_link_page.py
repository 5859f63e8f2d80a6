"""What a person sees who opens a resume link in a browser."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from refresher.web.visits import LinkPage
from tests.web.kit import Site
from tests.web.test_resume import link, paused

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
FORM = {**BROWSER, "content-type": "application/x-www-form-urlencoded"}


class Tags(HTMLParser):
    """Collects which tags a page has, with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keeps one."""
        self.found.append((tag, dict(attrs)))


def test_a_browser_is_shown_a_button_that_works_once(site: Site) -> None:
    """Looking uses nothing up, however often; the button resumes, and a second time it says why not."""
    one = paused(site)
    path = link(site, one)

    for _ in range(2):
        seen = site("GET", path, key=None, headers=BROWSER)
        assert seen.status_code == 200
    assert site("HEAD", path, key=None, headers=BROWSER).status_code == 200
    assert site.world.row(one).state == 2

    tags = Tags(seen.text).found
    assert ("form", {"method": "post"}) in tags
    assert not [tag for tag, attributes in tags if tag == "script" or "src" in attributes]
    done = site("POST", path, key=None, headers=FORM)
    assert (done.status_code, "It goes on." in done.text) == (200, True)
    assert site.world.row(one).state == 0
    again = site("POST", path, key=None, headers=FORM)
    assert again.status_code == 410
    assert "was used already" in again.text
    for answer in (seen, done, again):
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        assert "noindex" in answer.headers["x-robots-tag"]
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert path not in answer.text


@pytest.mark.parametrize("accept", [None, "*/*", "application/json"])
def test_a_program_is_answered_in_json_as_ever(site: Site, accept: str | None) -> None:
    """Whoever does not ask for a page gets none of a POST."""
    headers = {} if accept is None else {"accept": accept}
    path = link(site, paused(site))
    assert site("POST", path, key=None, headers=headers).json() == {"resumed": True}
    assert site("POST", path, key=None, headers=headers).json()["code"] == "link_used"


def test_every_link_has_the_same_page(site: Site) -> None:
    """Whoever guesses links learns nothing by looking; other methods are refused."""
    good = site("GET", link(site, paused(site)), key=None, headers=BROWSER)
    forged = site("GET", "/v1/resume/rsm_<script>", key=None, headers=BROWSER)
    assert (forged.status_code, forged.content) == (200, good.content)
    refused = site("PUT", "/v1/resume/rsm_x", key=None)
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, POST")


def test_a_page_escapes_what_it_is_given() -> None:
    """A sentence is text, whatever is in it."""
    page = LinkPage("<a>", "&", "<b>", "", "")
    assert b"<a>" not in page.asking()
    assert b"&lt;b&gt;" in page.asking()
    assert b"&lt;i&gt;." in page.refused("t", "<i>")


def test_a_slash_too_many_gets_a_hint(site: Site) -> None:
    """The path without its slash is named where there is none with it."""
    answer = site("GET", "/v1/connections/")
    assert answer.status_code == 404
    assert "without the slash at its end, /v1/connections may be one" in answer.json()["detail"]
    assert "slash" not in site("GET", "/v1/nothing").json()["detail"]

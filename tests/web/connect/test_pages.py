"""What the pages look like: words, headers, colours, and a folder of the operator's own."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest
from starlette.responses import Response

from refresher.web.connect.pages import ENDINGS, FORMS, SAMPLE, Pages
from tests.web.connect.contrast import colours, contrast

GOOGLE = {"provider": "Google"}
OF_THE_ANSWER = {"bad_callback", "wrong_issuer", "wrong_host", "refused_code"}
"""What a person need not tell apart: the answer could not be used."""


class Tags(HTMLParser):
    """Collects the tags of a page with their attributes, and its words."""

    def __init__(self, answer: Response) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.style = ""
        self._open = ""
        self.feed(bytes(answer.body).decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keeps one."""
        self.found.append((tag, dict(attrs)))
        self._open = tag

    def handle_data(self, data: str) -> None:
        """Keeps what is read."""
        if self._open == "style":
            self.style += data
        else:
            self.words = " ".join(f"{self.words} {data}".split())

    def handle_endtag(self, tag: str) -> None:
        """Ends a style sheet."""
        self._open = ""

    def names(self, tag: str) -> list[dict[str, str | None]]:
        """Returns the attributes of all tags of one kind."""
        return [attributes for found, attributes in self.found if found == tag]


def every_page(pages: Pages) -> dict[str, Response]:
    """Returns one of each."""
    made = {form: pages.page(form, SAMPLE) for form in FORMS}
    return made | {
        code: pages.page("ending", {**SAMPLE, "code": code, "tone": "warn", "again": "/again"})
        for code in ENDINGS
    }


def test_every_page_is_one_that_anybody_can_use() -> None:
    """Language, title, one heading; every field has its label; no script, nothing from elsewhere."""
    for code, answer in every_page(Pages("Acme")).items():
        tags = Tags(answer)
        assert tags.names("html") == [{"lang": "en"}], code
        assert [len(tags.names(tag)) for tag in ("h1", "title", "main")] == [1, 1, 1], code
        assert not tags.names("script"), code
        assert not [a for _, a in tags.found if "src" in a or "style" in a or "onclick" in a], code
        labels = [a["for"] for a in tags.names("label")]
        assert labels == [a["id"] for a in tags.names("input")], code
        assert all("hidden" not in a for a in tags.names("input")), code


def test_every_ending_has_its_own_words() -> None:
    """But those that are the same to a person."""
    usual = "could not be used. Please begin again"
    pages = every_page(Pages("Acme"))
    assert {c for c in ENDINGS if usual in Tags(pages[c]).words} == OF_THE_ANSWER


def test_every_page_has_the_headers() -> None:
    """The policy names the style sheet by its hash; nobody frames, keeps or sniffs a page."""
    for code, answer in every_page(Pages("Acme")).items():
        digest = b64encode(sha256(Tags(answer).style.encode()).digest()).decode()
        assert answer.headers["content-security-policy"] == (
            f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; "
            "frame-ancestors 'none'; form-action 'self'"
        ), code
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-type"] == "text/html; charset=utf-8"


def test_a_page_with_a_form_says_where_it_comes_from() -> None:
    """`no-referrer` would make the form's `Origin` null; every other page sends nothing on."""
    pages = Pages()
    asking = pages.page("start", {"provider": "Google", "action": "/connect/x/start"})
    again = pages.page("ending", {"code": "denied", "again": "/connect/result/1/again"})
    assert {asking.headers["referrer-policy"], again.headers["referrer-policy"]} == {"same-origin"}
    for form in ("leave", "wait", "connected", "ending"):
        assert pages.page(form, {"provider": "Google"}).headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("scheme", [0, 1])
def test_words_and_borders_are_told_from_their_ground(scheme: int) -> None:
    """WCAG 2.2 AA, by day and by night: 4.5 for words, 3 for borders of controls and marks."""
    named = colours(Tags(Pages().page("wait", {})).style)[scheme]
    words = [(c, ground) for c in ("text", "muted", "link", "bad") for ground in ("bg", "surface")]
    words += [("on-action", "action"), ("text", "sunken")]
    words += [(tone, f"{tone}-tint") for tone in ("good", "warn", "bad", "still")]
    borders = [("edge", "surface"), ("link", "bg"), ("link", "surface"), ("action", "surface")]
    assert {w: c for w in words if (c := contrast(named[w[0]], named[w[1]])) < 4.5} == {}
    assert {b: c for b in borders if (c := contrast(named[b[0]], named[b[1]])) < 3.0} == {}


def test_what_is_pressed_is_large_enough() -> None:
    """44 px at least for a thumb (WCAG 2.2, 2.5.5)."""
    style = Tags(Pages().page("wait", {})).style
    for control in ("button, .button {", "input {"):
        rule = style.partition(f"\n{control}")[2].partition("}")[0]
        assert int(re.findall(r"min-height: (\d+)px", rule)[0]) >= 44, control


def test_a_tenant_s_words_are_text() -> None:
    """Whatever is in a name, it is shown as it is, and leads nowhere."""
    given = {"provider": "<i>", "for_whom": '"><script>', "scopes": ["<u>"], "account": "<a>"}
    answer = Pages("<b>").page("start", {**given, "action": "/a"})
    tags = Tags(answer)
    assert not [tag for tag, _ in tags.found if tag in {"b", "i", "u", "script", "a"}]
    assert '"><script>' in tags.words


def test_a_folder_takes_the_place_of_ours(tmp_path: Path) -> None:
    """A translation is found by its name, its style by its hash; what fails is ours instead."""
    (tmp_path / "connected.html").write_text(
        '{% extends "layout.html" %}{% set title %}{{ provider }} ist verbunden{% endset %}'
        "{% set words %}<p>Sie können dieses Fenster schließen.</p>{% endset %}"
    )
    (tmp_path / "style.css").write_text("body { color: #123456; } </style>")
    (tmp_path / "wait.html").write_text("{{ nothing_of_the_kind }}")
    pages = Pages("Acme", tmp_path)
    assert "Google ist verbunden" in Tags(pages.page("connected", GOOGLE)).words
    assert "One moment" in Tags(pages.page("wait", GOOGLE)).words
    assert [fault.template for fault in pages.faults()] == ["wait.html"]
    tags = Tags(pages.page("connected", GOOGLE))
    assert tags.style == "body { color: #123456; } <\\/style>"
    digest = b64encode(sha256(tags.style.encode()).digest()).decode()
    assert digest in pages.page("connected", GOOGLE).headers["content-security-policy"]

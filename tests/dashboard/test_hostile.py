"""What strangers wrote stays text on every page: it runs nothing, turns nothing, and is short."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import text

from refresher.web.dashboard.rendering import shown, stranger
from tests.dashboard.kit import Person
from tests.dashboard.things import ORGANIZATION, Things, crawled
from tests.web.kit import Site

TURNED, HIDDEN, BELL = "\u202e", "\u2066", "\x07"
WORDS = (
    f"<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{TURNED}{HIDDEN}{BELL}" + "A" * 2_000
)
SPOILED = {
    "connection": ("name", "account_label", "status_cause", "trouble"),
    "refresh_event": ("reason", "status_cause"),
    "webhook_endpoint": ("disabled_at = refresher_now(), description", "disabled_reason"),
    "recipient": ("blocked_reason",),
    "organization": ("name",),
    "api_key": ("name",),
    "audit": ("subject",),
    "connect_session": ("for_whom", "account_hint"),
    "app": ("client_id",),
}


@pytest.mark.parametrize("one", [TURNED, HIDDEN, BELL, "\x1b", "\u200b", "\ufeff", "\x85"])
def test_what_cannot_be_seen_is_a_number(one: str) -> None:
    """A name that turns text around, or hides in it, is seen to do so."""
    assert shown(f"a{one}b") == f"a⌈U+{ord(one):04X}⌉b"


def test_what_is_long_is_cut() -> None:
    """At two hundred characters; what is short is as it was."""
    assert len(stranger("x" * 10_000)) == 200
    assert stranger("short") == "short"


def test_strangers_words_stay_text_on_every_page(site: Site) -> None:
    """Names, ids, metadata, reasons: nothing of them is markup, and no page is long for them."""
    things = Things(site)
    person = Person.signed_in(site)
    crawled(person, things)
    with site.world.services.database.transaction() as db:
        db.execute(
            text("insert into organization (id, name) values (:id, 'x') on conflict do nothing"),
            {"id": ORGANIZATION},
        )
        for table, columns in SPOILED.items():
            setting = ", ".join(f"{column} = :words" for column in columns)
            db.execute(text(f"update {table} set {setting}"), {"words": WORDS})
        hostile = {"words": WORDS[:180]}
        db.execute(text("update connection set external_id = :words"), hostile)
        metadata = "update connection set metadata = jsonb_build_object(cast(:words as text), 1)"
        db.execute(text(metadata), hostile)
    pages = crawled(person, things)
    assert len(pages) > 40
    told = "".join(pages.values())
    assert "&lt;script&gt;alert(1)" in told
    for path, page in pages.items():
        assert "<script>alert" not in page, path
        assert "<img" not in page, path
        assert not {TURNED, HIDDEN, BELL} & set(page), path
        to_be_changed = r'value="[^"]*"|<textarea.*?</textarea>'  # there it stands whole
        left = re.sub(to_be_changed, "", page, flags=re.DOTALL)
        assert not re.search("A{201}", left), path

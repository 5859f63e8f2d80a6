"""The list of connections: words, filters, pages, search; what falls back says so."""

from __future__ import annotations

from typing import Any

import pytest

from refresher.rules.access import Scope
from refresher.store import lists, walks
from tests.dashboard.kit import HERE, Person
from tests.store.test_lists import one_of_each
from tests.web.kit import Site

PAGE = "/ui/connections"


def accounts(page: Any) -> list[str]:
    """The external ids of the rows, in their order."""
    return [text for text, address in page.links.items() if address.startswith(f"{HERE}{PAGE}/")]


def led(page: Any, text: str) -> str:
    """Where a link leads, without the host; "" where there is none."""
    return str(page.links.get(text, "")).removeprefix(HERE)


def test_each_word_leads_to_its_list(site: Site, person: Person) -> None:
    """With its number; rows tell word, note, provider, and can be chosen for a bulk job."""
    one_of_each(site.world)
    page = person.page(PAGE)
    assert "22 connections: 2 must be connected again" in page.words
    assert "Reconnect required 2" in page.words
    page = person.page(f"{PAGE}?health=reconnect_required")
    assert "2 connections must be connected again." in page.words
    assert sorted(accounts(page)) == ["reconnect_required", "reconnect_required sibling"]
    assert "invalid_grant" in page.words
    assert person.page(
        f"{PAGE}?health=blocked&provider=acme&organization=org&app=default&order=due"
    )
    assert accounts(person.page(f"{PAGE}?health=deleted")) == ["deleted"]


def test_pages_follow_each_other(
    site: Site, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Next keeps the filters, First leads back; a cursor of another list begins anew and says so."""
    monkeypatch.setattr("refresher.web.dashboard.pages.connections.SHOWN", 2)
    for n in range(5):
        site.world.connect(f"c{n}")
    seen, address = [], f"{PAGE}?health=fresh&order=due"
    while address:
        page = person.page(address)
        seen += accounts(page)
        address = led(page, "Next page")
        assert not address or "health=fresh" in address
    assert sorted(seen) == [f"c{n}" for n in range(5)]
    assert led(page, "First page") == f"{PAGE}?health=fresh&order=due"
    for cursor in ("garbage", "W10", "WyJhIiwiYiJd", "é"):
        page = person.page(f"{PAGE}?cursor={cursor}")
        assert "none of this list" in page.words
        assert accounts(page) == ["c0", "c1"]


def test_what_cannot_be_taken_falls_back_and_says_so(site: Site, person: Person) -> None:
    """An unknown word or order, a filter that no name can be; unknown parameters are nothing."""
    site.world.connect("c")
    for query, part in (
        ("health=well", "no word of health “well”"),
        ("order=name", "no order “name”"),
        ("provider=a%00", "provider can be none"),
        ("utm_source=chat", "1 connection"),
    ):
        page = person.page(f"{PAGE}?{query}")
        assert part in page.words
        assert accounts(page) == ["c"]


def test_an_empty_list_says_which_filter_to_drop(site: Site, person: Person) -> None:
    """The one without which there is something; without any connection, how to get the first one."""
    page = person.page(PAGE)
    assert "No connection is stored yet." in page.words
    assert "refresher connections import FILE" in page.words
    site.world.connect("c")
    page = person.page(f"{PAGE}?provider=paced&health=fresh")
    assert led(page, "Drop provider “paced”") == f"{PAGE}?health=fresh"
    assert not led(page, "Drop health “fresh”")
    assert "Drop organization “nobody”" in person.page(f"{PAGE}?organization=nobody").words
    assert "No connection is paused." in person.page(f"{PAGE}?health=paused").words


def test_a_look_that_ended_leads_further(
    site: Site, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says how many it looked at, and how many fit."""
    for module in (lists, walks):
        monkeypatch.setattr(module, "MOST_LOOKED", 3)
    for n in range(5):
        site.world.connect(f"c{n}")
    page = person.page(f"{PAGE}?app=eu")
    assert "Looked at 3,000, 0 fit" in page.words
    assert led(page, "Look further").startswith(f"{PAGE}?app=eu&cursor=")


def test_a_search_leads_to_the_one_that_is_meant(site: Site, person: Person) -> None:
    """By external id, by its beginning, by name, by id; several are listed, none is said in words."""
    id_ = site.world.connect("acct-1042", name="Ann")
    site.world.connect("acct-10421")
    for text in ("acct-1042", "ANN", str(id_), id_.hex):
        answer = person.get(f"{PAGE}?find={text}")
        assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}/{id_}")
    page = person.page(f"{PAGE}?find=acct")
    assert "2 connections fit “acct”." in page.words
    assert accounts(page) == ["acct-1042", "acct-10421"]
    page = person.page(f"{PAGE}?find=nobody&health=late")
    assert "No connection fits “nobody”." in page.words
    assert "health do not narrow it" in page.words
    assert "10,000 characters long" in person.page(f"{PAGE}?find={'x' * 10_000}").words
    assert "control character" in person.page(f"{PAGE}?find=a%00b").words


def test_a_bound_key_sees_and_finds_its_own(site: Site) -> None:
    """Not by the address, not by a search, not in a number; deleted ones are not there."""
    for whose in ("org", "other"):
        one_of_each(site.world, whose)
    person = Person.signed_in(site, [Scope.READ], "org")
    page = person.page(f"{PAGE}?organization=other")
    assert "22 connections" in page.words
    assert "other" not in page.words
    assert "Choose" not in page.text
    assert "/ui/bulk?" not in page.text
    assert accounts(person.page(f"{PAGE}?health=deleted")) == []
    foreign = site.world.one("select id from connection where organization_id = 'other' limit 1").id
    assert "No connection fits" in person.page(f"{PAGE}?find={foreign}").words


def test_an_open_list_is_told_how_many_rows_changed(site: Site, person: Person) -> None:
    """Its rows stay; a line leads to how they are now."""
    id_ = site.world.connect("c1")
    site.world.connect("c2")
    page = person.page(PAGE)
    live = page.text.partition('data-live="')[2].partition('"')[0].replace("&amp;", "&")
    assert "changed" not in person.get(live).text.replace('data-part="changed"', "")
    site.world.run("update refresh_schedule set attempt = 3 where connection_id = :id", id=id_)
    assert "1 of these has changed." in person.get(live).text
    assert person.get("/ui/live/connections?shown=garbage.x").status_code == 200

"""The page of one connection: its answer, its history, what it never shows, and whose it is."""

from __future__ import annotations

import re
from uuid import UUID, uuid4

import pytest

from refresher.connections import api_keys, lifecycle
from refresher.rules.access import Scope
from refresher.rules.outcomes import Reply
from tests.dashboard.kit import HERE, Person
from tests.web.kit import Site
from tests.world import refused


@pytest.fixture(name="site")
def _site(shared: Site) -> Site:
    """One web process for all tests of this module: each has connections of its own."""
    shared.world.script.answer = shared.world.script.rotate
    return shared


@pytest.fixture(name="person")
def _person(shared: Site) -> Person:
    """Somebody signed in: the clock goes on from test to test, and sessions end."""
    return Person.signed_in(shared)


def dead(site: Site) -> UUID:
    """Returns a connection whose grant the provider ended."""
    id_ = site.world.connect("dead", expires_in=0)
    site.world.script.answer = lambda _request: refused("invalid_grant")
    site.world.tick()
    return id_


def words(person: Person, path: str, status: int = 200) -> str:
    """Returns a page's words."""
    return person.page(path, status).words


def test_it_begins_with_how_it_stands_and_what_comes_next(site: Site, person: Person) -> None:
    """The sentences are those of `refresher explain`."""
    id_ = site.world.connect("a", name="Support inbox", metadata={"team": 7})
    said = words(person, f"/ui/connections/{id_}")
    assert "Fresh. The next refresh is in" in said
    assert "Its access token is good until" in said
    assert "because lifetime 60 min" in said
    assert "Support inbox" in said
    assert '{"team": 7}' in said
    assert "access-of-a" not in said


def test_it_tells_what_happened_and_who_did_what(site: Site, person: Person) -> None:
    """Attempts with their steps and statuses, deeds by the names of keys, each by the event's id."""
    world = site.world
    id_ = world.connect("b", expires_in=0)
    world.tick()
    site("POST", f"/v1/connections/{id_}/pause")
    page = person.page(f"/ui/connections/{id_}")
    (refreshed,) = world.rows("select id from refresh_event where kind = 'refreshed'")
    assert f'id="e{refreshed.id}"' in page.text
    assert "Paused since" in page.words
    assert "by API key test" in page.words
    assert "test paused it" in page.words
    assert "Today, 1 January" in page.words


def test_a_dead_grant_is_told_with_what_brings_it_back(site: Site, person: Person) -> None:
    """The main button makes a link; trying the stored tokens stands beside it."""
    id_ = dead(site)
    page = person.page(f"/ui/connections/{id_}")
    assert "Reconnect required" in page.words
    assert "ended by acme" in page.words
    assert "parked as reconnect_required (invalid_grant)" in page.words
    assert "connection.reconnect_required" in page.words
    actions = [form.action for form in page.forms]
    assert actions.index(f"/ui/connections/{id_}/link") < actions.index(
        f"/ui/connections/{id_}/resume"
    )


def test_older_events_are_a_page_away(site: Site, person: Person) -> None:
    """Twenty events a page, by the id of the last; the due refresh stands on the first page alone."""
    id_ = site.world.connect("c")
    for n in range(15):
        site("POST", f"/v1/connections/{id_}/{'resume' if n % 2 else 'pause'}")
    site("POST", f"/v1/connections/{id_}/resume")
    address = f"/ui/connections/{id_}"
    for n in range(8):
        site("PATCH", address.replace("/ui", "/v1"), json={"name": f"n{n}"})
    first = person.page(address)
    older = first.links["Older"].removeprefix(HERE)
    second = person.page(older.partition("#")[0])
    assert first.text.count("<tr id=") == 20
    assert 0 < second.text.count("<tr id=") < 20
    assert "Imported" in second.words
    assert ("Due" in first.words, 'class="ahead"' in second.text) == (True, False)


@pytest.mark.parametrize("given", ["garbage", "-1", "9" * 40, "0", "\u0661"])
def test_an_unknown_value_is_no_error(site: Site, person: Person, given: str) -> None:
    """A shared link must not break: what cannot be read falls back to how it stands now."""
    id_ = site.world.connect("d")
    assert "Fresh." in words(person, f"/ui/connections/{id_}?before={given}&nothing=known")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("10m%20ago", "As it stood at"),
        ("{then}", "As it stood at"),
        ("3030-01-01T00:00:00Z", "is in the future"),
        ("2029-01-01T00:00:00Z", "did not exist then"),
        ("yesterday", "is no time"),
    ],
)
def test_it_is_shown_as_it_stood(site: Site, person: Person, given: str, says: str) -> None:
    """What cannot be told says why, and shows how it stands now."""
    world = site.world
    id_, then = world.connect(says), f"{world.clock.now:%Y-%m-%dT%H:%M}"
    world.pass_time(1_800)
    said = words(person, f"/ui/connections/{id_}?at={given.format(then=then)}")
    assert says in said
    is_past = "As it stood at" in said
    assert ("Show it as it stands now" in said) == is_past
    assert is_past or "It cannot be shown as it stood then." in said


def test_then_it_stood_otherwise(site: Site, person: Person) -> None:
    """The word, the reasons and the lives are those of that instant; no deed is offered."""
    world = site.world
    id_ = world.connect("then")
    world.pass_time(1_800)
    site("POST", f"/v1/connections/{id_}/pause")
    page = person.page(f"/ui/connections/{id_}?at=20m%20ago")
    assert "Fresh. The next refresh is in" in page.words
    assert "Its next refresh was to be at" in page.words
    assert [f.action for f in page.forms if f"{id_}/" in (f.action or "")] == []


def test_a_sibling_shows_its_roots_state_and_a_slot_its_main_connection(
    site: Site, person: Person
) -> None:
    """Whose grant it is stands there, as a link; the root names who shares it."""
    world = site.world
    root = world.connect("root")
    sibling = world.connect(
        "page", root_external_id="root", access_token=None, refresh_token=None, expires_in=None
    )
    shown = person.page(f"/ui/connections/{sibling}")
    assert "It shares the grant of root" in shown.words
    assert f"{HERE}/ui/connections/{root}" in shown.links.values()
    assert "Fresh." in shown.words
    links = person.page(f"/ui/connections/{root}").links
    assert links["page"] == f"{HERE}/ui/connections/{sibling}"


def test_a_deleted_connection_has_everything_but_buttons(site: Site, person: Person) -> None:
    """And the page says how to bring it back."""
    id_ = site.world.connect("e")
    site("DELETE", f"/v1/connections/{id_}")
    page = person.page(f"/ui/connections/{id_}")
    assert "Deleted since" in page.words
    assert "It comes back when it is handed in again" in page.words
    assert [f.action for f in page.forms if f"{id_}/" in (f.action or "")] == []


def test_who_only_reads_has_no_buttons(site: Site) -> None:
    """It is said once."""
    id_ = site.world.connect("f")
    reader = Person.signed_in(site, {Scope.READ}).page(f"/ui/connections/{id_}")
    looker = Person.signed_in(site, read_only=True).page(f"/ui/connections/{id_}")
    for page, says in ((reader, "This key only reads."), (looker, "This session only looks.")):
        assert page.words.count(says) == 1
        assert [f.action for f in page.forms if f"{id_}/" in (f.action or "")] == []


def test_another_organizations_connection_is_none(site: Site) -> None:
    """Neither a living nor a deleted one can be told from one that there is not."""
    theirs = site.world.connect("g", organization_id="other")
    gone = site.world.connect("gone", organization_id="other")
    site("DELETE", f"/v1/connections/{gone}")
    bound = Person.signed_in(site, organization_id="org")
    pages = {
        re.sub(r"\d\d:\d\d:\d\d", "", words(bound, f"/ui/connections/{id_}", 404))
        for id_ in (theirs, gone, uuid4(), "x")
    }
    assert len(pages) == 1


def test_a_bound_key_sees_no_name_of_another_ones_key(site: Site) -> None:
    """What an operator did is there, by the id that events and the audit have."""
    id_ = site.world.connect("named", organization_id="org")
    database = site.world.services.database
    operator, own = (
        api_keys.create(
            database, name=name, scopes=[Scope.WRITE], organization_id=whose, by=site.actor
        ).key
        for name, whose in (("ops-laptop", None), ("org-desk", "org"))
    )
    for key in (operator, own):
        lifecycle.pause(database, key.actor, id_)
    bound = words(Person.signed_in(site, organization_id="org"), f"/ui/connections/{id_}")
    assert "ops-laptop" not in bound
    assert operator.id in bound
    assert "org-desk paused it" in bound
    assert "ops-laptop paused it" in words(Person.signed_in(site), f"/ui/connections/{id_}")


def test_an_answer_that_nobody_could_read_leads_to_where_it_is_read(
    site: Site, person: Person
) -> None:
    """The sentences of `explain`, and a link to the provider's page."""
    world = site.world
    id_ = world.connect("h", expires_in=0)
    world.script.answer = lambda _request: Reply(
        200, {}, b'{"accessToken": "a", "refreshToken": "b"}'
    )
    world.tick()
    page = person.page(f"/ui/connections/{id_}")
    assert "we could not read it" in page.words
    assert page.links["See its answers"] == f"{HERE}/ui/providers/acme"

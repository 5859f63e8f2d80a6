"""Bulk on the dashboard: asked with number, sample and reasons; done once; followed; stopped."""

from __future__ import annotations

import pytest

from refresher.connections import bulk_work
from refresher.rules.access import Scope
from tests.dashboard.kit import Person, encoded, read
from tests.web.kit import Site

READ, BOTH = [Scope.READ], [Scope.READ, Scope.WRITE]


@pytest.fixture
def three(site: Site) -> list[str]:
    """Three connections."""
    return [str(site.world.connect(f"c{n}", name=f"name {n}")) for n in range(3)]


def work_off(site: Site) -> None:
    """Works all jobs off, as the scheduler does."""
    bulk_work.look(site.world.services)


def test_a_preview_asks_and_its_form_is_one_job(
    site: Site, person: Person, three: list[str]
) -> None:
    """The number in question and button; sample, sum and reasons; sent twice it is one job."""
    site("POST", f"/v1/connections/{three[0]}/pause")
    asked = "/ui/bulk?do=pause&provider=acme"
    page = person.page(asked)
    for words in ("Pause 2 connections?", "Provider: acme", "None of them is refreshed until"):
        assert words in page.words
    assert "2 of 2 shown, the newest first" in page.words
    assert "1, it is paused already" in page.words
    form = person.form(asked, "/ui/bulk").filled(None, {})
    first, again = (person.send("POST", "/ui/bulk", form) for _ in range(2))
    assert first.headers["location"] == again.headers["location"] == "/ui/bulk/1"
    assert "Looking which connections are to be paused." in person.followed(first).words
    work_off(site)
    page = person.page("/ui/bulk/1")
    assert "Done: 2 paused, 1 left out." in page.words
    assert "/ui/bulk/1/stop" not in [form.action for form in page.forms]
    assert "Bulk 1: pause 2 connections" in person.page("/ui/bulk").words
    live = person.get("/ui/live/bulk/1")
    assert live.status_code == 200
    assert person.get("/ui/live/bulk/1", if_none_match=live.headers["etag"]).status_code == 304


def test_chosen_ones_are_asked_for_by_their_boxes(
    site: Site, person: Person, three: list[str]
) -> None:
    """As the list sends them; what cannot be undone wants the number typed, and keeps what was."""
    asked = f"/ui/bulk?do=delete&id={three[0]}&id={three[2]}"
    assert "2 connections chosen" in person.page(asked).words
    wrong = person.submit(asked, "/ui/bulk", number="3")
    assert wrong.status_code == 422
    assert "Nothing was begun: the number is another one: it is 2 now." in read(wrong).words
    assert "Delete 2 connections?" in read(wrong).words
    assert person.submit(asked, "/ui/bulk", number="two").status_code == 422
    assert person.submit(asked, "/ui/bulk", number="2").status_code == 303
    work_off(site)
    living = site.world.rows("select external_id from connection where deleted_at is null")
    assert [row.external_id for row in living] == ["c1"]


def test_a_stale_or_foreign_plan_is_asked_again(
    site: Site, person: Person, three: list[str]
) -> None:
    """Nothing begins; the question stands there as it is now."""
    asked = "/ui/bulk?do=resume&health=paused"
    site("POST", f"/v1/connections/{three[0]}/pause")
    form = person.form(asked, "/ui/bulk").filled(None, {})
    site("POST", f"/v1/connections/{three[1]}/pause")
    plan = encoded(form)["plan"]
    site.world.pass_time(901)
    late = person.send("POST", "/ui/bulk", form)
    assert late.status_code == 422
    assert "older than 15 minutes" in read(late).words
    assert "Resume 2 connections?" in read(late).words
    other = Person.signed_in(site, BOTH)
    assert other.post("/ui/bulk", plan=plan, do="resume").status_code == 422
    nothing = person.post("/ui/bulk", plan="none")
    assert (nothing.status_code, "was not made here" in read(nothing).words) == (422, True)
    assert site("GET", "/v1/bulk").json()["items"] == []


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("do=explode", "There is no such deed."),
        ("do=pause&health=happy", "There is no word of health “happy”: choose again."),
        ("do=pause&chosen=1", "Nothing is chosen: tick connections in their list"),
        ("do=pause&provider=a%00b", "There is a control character in a filter"),
        ("do=pause&id=1", "There is something chosen that is no connection's id."),
        ("do=pause&" + "&".join(["id=" + "0" * 8] * 201), "more than 200 chosen"),
    ],
)
def test_what_makes_no_sense_is_never_more_than_was_meant(
    site: Site, person: Person, query: str, words: str
) -> None:
    """A filter that is not understood is not left away."""
    site.world.connect()
    page = person.page(f"/ui/bulk?{query}", 422)
    assert words in page.words
    assert "Pause" not in [form.action for form in page.forms]


def test_nothing_that_fits_has_no_button(person: Person, site: Site) -> None:
    """A filter that matches nothing says so."""
    page = person.page("/ui/bulk?do=resume&provider=nobody")
    assert "Nothing is resumed: no connection is left that this fits." in page.words
    assert "/ui/bulk" not in [form.action for form in page.forms]


def test_who_only_reads_sees_and_does_nothing(site: Site, three: list[str]) -> None:
    """No button, and 403; a bound key has its own connections and jobs."""
    reader = Person.signed_in(site, READ)
    page = reader.page("/ui/bulk?do=pause")
    assert "Pause 3 connections?" in page.words
    assert "/ui/bulk" not in [form.action for form in page.forms]
    assert reader.post("/ui/bulk", plan="x").status_code == 403
    writer = Person.signed_in(site, BOTH)
    writer.submit("/ui/bulk?do=pause", "/ui/bulk")
    bound = Person.signed_in(site, BOTH, "other")
    assert "Pause 0 connections?" in bound.page("/ui/bulk?do=pause&organization=org").words
    for path in ("/ui/bulk/1", "/ui/bulk/x", "/ui/bulk/" + "9" * 30):
        assert bound.page(path, 404)
    assert bound.post("/ui/bulk/1/stop").status_code == 404
    assert writer.followed(writer.post("/ui/bulk/1/stop")).words.count("Stopped: by API key") == 1
    assert "It had ended already." in writer.followed(writer.post("/ui/bulk/1/stop")).words

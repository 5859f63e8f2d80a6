"""News of an open page: what changed, at little cost where nothing did, for every page alike."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from refresher.rules.access import Scope
from tests.dashboard.kit import Person, read
from tests.web.kit import Site


@contextmanager
def statements(site: Site) -> Iterator[list[str]]:
    """Counts what Postgres is asked within the block."""
    engine, asked = site.world.services.database.engine, list[str]()

    def note(_db: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if not threading.current_thread().name.startswith("look"):
            asked.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", note)


def test_a_page_without_a_cheap_name_is_304_by_its_text(site: Site, person: Person) -> None:
    """Any page answers below /ui/live; whoever is signed out there is told so, and led nowhere."""
    first = person.get("/ui/live/account")
    assert first.status_code == 200
    again = person.get("/ui/live/account", if_none_match=first.headers["etag"])
    assert again.status_code == 304
    assert person.get("/ui/live/overview", cookie="none=1").status_code == 401
    assert "class" not in read(person.get("/ui/live/nothing")).words


def test_a_quiet_connection_costs_one_statement(site: Site, person: Person) -> None:
    """Asked with what the page has, it is looked for by key; an event, or a change, is news."""
    id_ = site.world.connect("c1")
    path = f"/ui/live/connections/{id_}"
    person.page("/ui")  # a look, for the numbers of the left column
    first = person.get(path)
    assert '<template data-part="answer">' in first.text
    with statements(site) as asked:
        again = person.get(path, if_none_match=first.headers["etag"])
    assert (again.status_code, again.text) == (304, "")
    others = ("web_session", "secret_hash", "set_config")  # who asks, and the clock of a test
    ours = [one for one in asked if not any(word in one for word in others)]
    assert len(ours) == 1, asked
    site.world.run("update refresh_schedule set due_at = refresher_now()")
    site.world.tick()
    news = person.get(path, if_none_match=first.headers["etag"])
    assert news.status_code == 200
    assert person.get(path, if_none_match=news.headers["etag"]).status_code == 304
    site.world.run("update connection set name = 'another'")
    assert person.get(path, if_none_match=news.headers["etag"]).status_code == 200
    other = Person.signed_in(site, [Scope.READ], "other")
    assert other.get(path, if_none_match=news.headers["etag"]).status_code == 404


def test_what_answers_a_form_asks_for_no_news(person: Person) -> None:
    """A form that comes back with what was typed stays as it is while somebody mends it."""
    assert "data-live" in person.get("/ui/account").text or "data-live" in person.get("/ui").text
    answer = person.post("/ui/account/look", theme="", zone="Nowhere/At all")
    assert answer.status_code == 422
    assert "data-live" not in answer.text

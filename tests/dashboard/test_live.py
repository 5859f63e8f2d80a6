"""News of an open page: what changed, at little cost where nothing did, for every page alike."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event

from refresher.insight import watched
from refresher.rules.access import Scope
from refresher.web.dashboard import sessions
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


def test_a_quiet_connection_costs_one_statement(
    site: Site, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked with what the page has, it is looked for by key; an event, or a change, is news."""
    monkeypatch.setattr(watched, "KEPT_SECONDS", 0.0)
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


def test_all_who_watch_cost_one_statement_a_second(
    site: Site, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections of open pages are looked up together, and so are sessions; a revoked key ends all."""
    monkeypatch.setattr(watched, "KEPT_SECONDS", 60.0)
    monkeypatch.setattr(watched, "LATELY_SECONDS", 60.0)
    monkeypatch.setattr(sessions, "REMEMBERED_SECONDS", 60.0)
    person.page("/ui")  # a look, which pages are named by too
    people = [person, *(Person.signed_in(site) for _ in range(3))]
    paths = [f"/ui/live/connections/{site.world.connect(f'c{n}')}" for n in range(4)]
    asked_by = list(zip(people, paths, strict=True))
    tags = {path: one.get(path).headers["etag"] for one, path in asked_by}
    _forget(site)
    with statements(site) as asked:
        for one, path in asked_by:
            assert one.get(path, if_none_match=tags[path]).status_code == 304
    assert len([one for one in asked if "xmin" in one]) == 1, asked
    assert len([one for one in asked if "web_session" in one]) == 1, asked
    site.world.run("update api_key set revoked_at = refresher_now()")
    _forget(site)
    assert [one.get(path).status_code for one, path in asked_by] == [401] * 4


def _forget(site: Site) -> None:
    """Makes what is remembered of sessions and connections too old."""
    site.api.state.versions._known = (0.0, site.api.state.versions._known[1])
    dashboard = site.api._dashboard
    assert dashboard is not None
    known = dashboard._sessions._known
    for mark, one in list(known.items()):
        known[mark] = replace(one, looked_at=one.looked_at - 120.0)


def test_words_of_time_are_renewed_by_the_minute_where_they_are_near(
    site: Site, person: Person
) -> None:
    """What is due within 20 minutes is told anew each minute; what is further away, every five."""
    id_ = site.world.connect("c1")
    path = f"/ui/live/connections/{id_}"
    person.page("/ui")
    names = []
    for minutes in (10, 600):
        site.world.run(
            f"update refresh_schedule set due_at = refresher_now() + interval '{minutes} min'"
        )
        site.world.run("update connection set expires_at = refresher_now() + interval '20 h'")
        _forget(site)
        tag = person.get(path).headers["etag"]
        changes = 0
        for _ in range(5):
            site.world.pass_time(60.0)
            _forget(site)
            answer = person.get(path, if_none_match=tag)
            changes += answer.status_code == 200
            tag = answer.headers["etag"]
        names.append(changes)
    assert names == [5, 1]


def test_what_answers_a_form_asks_for_no_news(person: Person) -> None:
    """A form that comes back with what was typed stays as it is while somebody mends it."""
    assert "data-live" in person.get("/ui/account").text or "data-live" in person.get("/ui").text
    answer = person.post("/ui/account/look", theme="", zone="Nowhere/At all")
    assert answer.status_code == 422
    assert "data-live" not in answer.text

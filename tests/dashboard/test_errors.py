"""Whatever goes wrong is a page in words: what it is, what to do, nothing of how it came to be."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from refresher.errors import DatabaseUnavailable, InvalidConnection, NoSuchConnection
from refresher.store import web_sessions
from refresher.store.looking import TooSlow, looking
from refresher.store.pool import DatabaseError
from refresher.web.dashboard import sessions
from refresher.web.dashboard.routing import NotHere
from refresher.web.problems import Problem
from tests.dashboard.kit import Person, read


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (NotHere(), 404, "There is nothing at this address."),
        (NoSuchConnection("canary"), 404, "There is nothing at this address."),
        (TooSlow("canary"), 503, "Postgres took more than a second to answer"),
        (InvalidConnection("the name is too long"), 422, "The name is too long."),
        (Problem("too_many_waiting", "wait", retry_after_seconds=3), 429, "Wait."),
        (RuntimeError("canary"), 500, "There is an error in refresher."),
    ],
    ids=lambda one: type(one).__name__,
)
def test_an_error_is_a_page(
    person: Person, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, words: str
) -> None:
    """With the status of its kind; a bug is told in the log alone."""

    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(web_sessions, "of_key", fails)
    answer = person.get("/ui/account")
    page = read(answer)
    assert (answer.status_code, words in page.words) == (status, True), page.words
    assert "canary" not in answer.text
    assert any(form.action == "/ui/connections" for form in page.forms)
    waits = status in {429, 503}
    assert ("retry-after" in answer.headers) is waits


def test_a_database_that_is_away(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was here is believed for some time; a stranger is told to come again."""

    def away(*_: object) -> None:
        raise DatabaseUnavailable("canary")

    assert person.get("/ui/account").status_code == 200
    monkeypatch.setattr(sessions, "REMEMBERED_SECONDS", -1.0)
    monkeypatch.setattr(web_sessions, "find", away)
    assert person.get("/ui/account").status_code == 200
    stranger = Person(person.site)
    stranger.cookies = {"refresher": "x" * 43}
    answer = stranger.get("/ui/account")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "canary" not in answer.text
    key = person.site.new_key()
    monkeypatch.setattr("refresher.store.api_keys.find", away)
    assert Person(person.site).sign_in(key).status_code == 503


def test_a_form_that_meets_a_database_that_is_away(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is done, and what was typed stays to be read; secrets do not."""

    def away(*_: object) -> None:
        raise DatabaseUnavailable("canary")

    monkeypatch.setattr("refresher.store.idempotency.take", away)
    answer = person.post("/ui/account/look", once="1", zone="Mars/Olympus", client_secret="canary")
    assert answer.status_code == 503
    assert "Mars/Olympus" in read(answer).words
    assert "canary" not in answer.text


def test_a_look_is_short_and_writes_nothing(person: Person) -> None:
    """A statement that takes too long is ended, and one that writes is refused."""
    database = person.site.world.services.database
    with pytest.raises(TooSlow), looking(database, 0.05) as db:
        db.execute(text("select pg_sleep(5)"))
    with pytest.raises((DatabaseError, DatabaseUnavailable)), looking(database) as db:
        db.execute(text("delete from web_session"))
    assert person.get("/ui/account").status_code == 200

"""Signing in and out: keys become sessions, which end, and lead back to where one was."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import text

from refresher.connections import api_keys, dashboard_links
from refresher.rules.access import Actor, Scope
from refresher.store import audit, web_sessions
from refresher.web.dashboard import sessions
from tests.dashboard.kit import Person, read
from tests.web.kit import Site

BY = Actor("cli:ann")


@pytest.fixture(autouse=True)
def _forgets_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has every request look its session up."""
    monkeypatch.setattr(sessions, "REMEMBERED_SECONDS", -1.0)


def test_a_key_becomes_a_session(site: Site) -> None:
    """The cookie is the browser's alone, and the page greets the key by its name."""
    person = Person(site)
    answer = person.sign_in(site.new_key([Scope.READ]), "/ui/account")
    assert (answer.status_code, answer.headers["location"]) == (303, "/ui/account")
    cookie = answer.headers.get_list("set-cookie")[0]
    assert cookie.startswith("refresher=")
    assert "; Path=/; HttpOnly; SameSite=Strict" in cookie
    assert "Secure" not in cookie
    assert "You are signed in as test." in person.page("/ui/account").words


def test_behind_https_the_cookie_is_secure(site: Site) -> None:
    """Its prefix has browsers refuse one that another host has put."""
    person = Person(site, "https://refresher.test")
    answer = person.sign_in(site.new_key([Scope.READ]))
    cookie = answer.headers.get_list("set-cookie")[0]
    assert cookie.startswith("__Host-refresher=")
    assert "Secure" in cookie
    assert person.get("/ui").status_code == 200


@pytest.mark.parametrize("path", ["/ui", "/ui/account?x=1"])
def test_who_is_not_signed_in_is_led_there_and_back(site: Site, path: str) -> None:
    """A page without a session leads to the sign-in, which leads back to it."""
    answer = Person(site).get(path)
    assert answer.status_code == 303
    page = Person(site).page(answer.headers["location"])
    assert dict(page.forms[0].fields)["next"] == ("" if path == "/ui" else path)


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/ui", "//evil.example", "/v1", "/uix", "/ui\\..", "/ui\r\nx: y"],
)
def test_nobody_is_led_elsewhere(site: Site, elsewhere: str) -> None:
    """What comes after signing in is a page of ours."""
    answer = Person(site).sign_in(site.new_key([Scope.READ]), elsewhere)
    assert (answer.status_code, answer.headers["location"]) == (303, "/ui")


def test_wrong_keys_are_told_apart(site: Site) -> None:
    """Unknown, expired, revoked, and one that may not read: each in a sentence of its own."""
    person = Person(site)
    revoked, expired = site.new_key([Scope.READ]), site.new_key([Scope.READ], expires_in_seconds=-1)
    api_keys.revoke(site.world.services.database, revoked.split("_")[1], by=BY)
    for key, status, sentence in (
        ("rfr_nonsense", 401, "This API key is not known."),
        (expired, 401, "This API key has expired."),
        (revoked, 401, "This API key is revoked."),
        (site.new_key([Scope.TOKEN]), 403, "This API key may not read."),
    ):
        answer = person.sign_in(key)
        assert (answer.status_code, sentence in read(answer).words) == (status, True), sentence
        assert key not in answer.text
    assert not person.secret


def test_who_is_refused_stands_in_the_audit(site: Site) -> None:
    """Keys that do not count, and deeds that a key may not do: counted, as by the API."""
    person = Person(site)
    person.sign_in("rfr_" + "a" * 12 + "_" + "b" * 43)
    expired = site.new_key([Scope.READ], expires_in_seconds=-1)
    person.sign_in(expired)
    reader = Person.signed_in(site, [Scope.READ])
    assert reader.get("/ui/apps/new").status_code == 403
    state = site.api.state
    state.refusals.write(state.refusals.take())
    with site.world.services.database.transaction() as db:
        told = {(one.key_id, one.subject) for one in audit.recent(db) if one.action == "refused"}
    assert told == {
        ("unknown", "401 unknown, dashboard"),
        (expired.split("_")[1], "401 expired, dashboard"),
        (reader.key_id, "403 needs admin"),
    }


def test_an_address_may_try_ten_times(site: Site) -> None:
    """The eleventh wrong key within a minute is not looked at, and a good one neither."""
    person = Person(site)
    answers = [person.sign_in("rfr_nonsense").status_code for _ in range(11)]
    assert answers == [401] * 10 + [429]
    late = person.sign_in(site.new_key([Scope.READ]))
    assert late.status_code == 429
    assert int(late.headers["retry-after"]) > 0
    # Behind a proxy nobody trusts, X-Forwarded-For is anybody's word.
    assert (
        person.send("POST", "/ui/sign-in", {"key": "x"}, x_forwarded_for="9.9.9.9").status_code
        == 429
    )


def test_no_key_is_taken_in_the_clear(site: Site) -> None:
    """From another machine by http there is no form, and a key that is sent is not looked at."""
    person = Person(site, "http://refresher.test")
    page = person.page("/ui/sign-in")
    assert page.forms == []
    assert "ssh -L" in page.words
    answer = person.sign_in(site.new_key([Scope.READ]))
    assert (answer.status_code, person.secret) == (403, "")


def test_signing_out_ends_the_session(person: Person) -> None:
    """What the browser held is worth nothing afterwards."""
    before = dict(person.cookies)
    answer = person.submit("/ui/sign-out", "/ui/sign-out")
    assert "You are signed out." in person.followed(answer).words
    assert not person.secret
    person.cookies = before
    assert person.get("/ui").status_code == 303
    assert "Your session has ended." in person.page("/ui/sign-in?next=/ui/account").words


def test_a_revoked_key_ends_its_sessions(person: Person) -> None:
    """And says so, with the way back to where one was."""
    api_keys.revoke(person.site.world.services.database, person.key_id, by=BY)
    answer = person.get("/ui/account")
    assert answer.headers["location"] == "/ui/sign-in?next=/ui/account"
    assert "The API key of this session was revoked." in person.page("/ui/sign-in").words


@pytest.mark.parametrize(("hours", "status"), [(1.9, 200), (2.1, 303), (12.1, 303)])
def test_sessions_end(person: Person, hours: float, status: int) -> None:
    """After two idle hours, and after twelve in any case."""
    sql = "update web_session set seen_at = seen_at - {0}, ends_at = ends_at - {0}"
    with person.site.world.services.database.transaction() as db:
        db.execute(text(sql.format(f"interval '{hours} hours'")))
    assert person.get("/ui").status_code == status


def test_a_form_of_an_ended_session_keeps_what_was_typed(person: Person) -> None:
    """Nothing is done, and nobody has to type it again."""
    person.cookies = {}
    answer = person.send(
        "POST", "/ui/account/look", {"zone": "Mars/Olympus", "client_secret": "canary-x"},
        referer="http://localhost/ui/account",
    )  # fmt: skip
    page = read(answer)
    assert answer.status_code == 401
    assert "nothing was changed" in page.words
    assert "Mars/Olympus" in page.words
    assert "canary-x" not in answer.text
    assert page.links["Sign in"].endswith("/ui/sign-in?next=/ui/account")


def test_other_sessions_of_a_key_are_ended(site: Site) -> None:
    """From the account: each by its button; this one is not offered."""
    key = site.new_key([Scope.READ, Scope.WRITE])
    ann, other = Person(site), Person(site)
    ann.sign_in(key)
    other.sign_in(key)
    forms = [f for f in ann.page("/ui/account").forms if f.action == "/ui/account/sessions"]
    assert len(forms) == 1
    answer = ann.send("POST", "/ui/account/sessions", forms[0].filled(None, {}))
    assert "The session has ended." in ann.followed(answer).words
    assert other.get("/ui").status_code == 303
    assert ann.get("/ui").status_code == 200


def test_token_counts_in_no_session(site: Site) -> None:
    """Whatever the key may, no session is one that reads tokens."""
    words = Person.signed_in(site, Scope).page("/ui/account").words
    assert "read, write, connect, admin" in words


def test_a_link_signs_in_once(site: Site) -> None:
    """Looking spends nothing, the button does; from another machine there is nothing."""
    database = site.world.services.database
    path, person = dashboard_links.make(database, BY), Person(site)
    assert Person(site, "https://refresher.test").get(path).status_code == 404
    assert person.page(path).forms[0].buttons[0][0] == "Sign in"
    assert person.submit(path, path).headers["location"] == "/ui"
    assert "dashboard links" in person.page("/ui/account").words
    again = Person(site).send("POST", path, {})
    assert again.status_code == 410
    late = dashboard_links.make(database, BY)
    with database.transaction() as db:
        db.execute(text("update web_session set ends_at = refresher_now() where is_link"))
    assert Person(site).send("POST", late, {}).status_code == 410


def test_a_session_may_ask_twenty_times_a_second(person: Person, monkeypatch) -> None:
    """And is told for how long to wait."""
    monkeypatch.setattr(sessions, "PER_SECOND", 20.0)
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    answers = [person.get("/ui/nowhere").status_code for _ in range(21)]
    assert answers == [404] * 20 + [429]


def test_old_sessions_are_forgotten(person: Person) -> None:
    """A day after their end, by the scheduler's tidy job."""
    with person.site.world.services.database.transaction() as db:
        assert web_sessions.forget_old(db) == 0
        db.execute(text("update web_session set ends_at = ends_at - interval '3 days'"))
        assert web_sessions.forget_old(db) == 1

"""Answers that nobody could read: kept, told, read again; and their connections meanwhile."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta

import pytest

from refresher.refresh import attempt, rereading, retention
from refresher.refresh.rereading import How, NoSuchAnswer
from refresher.rules.access import Actor
from refresher.rules.outcomes import Outcome, classify
from refresher.store import answers, state_changes
from tests.outbound.servers import answer
from tests.refresh.answers.conftest import Stage
from tests.refresh.answers.test_wire import CAMEL, NAMES, PAIR, head, says

ME = Actor("cli:ann")
NEVER = 'rotation = "never"'
XML = b"<?xml version='1.0'?><r><access_token>new-access</access_token></r>"
PAGE = answer(b"<html><title>Sign in</title></html>", "200 OK", "Content-Type: text/html")
HELD = {
    "other-names": (says(CAMEL), ""),
    "xml": (answer(XML, "200 OK", "Content-Type: text/xml"), ""),
    "unknown-packing": (answer(bytes(range(128, 228)), "200 OK", "Content-Encoding: br"), ""),
    "half-a-pair": (head("Content-Length: 999") + b'{"access_token": "new-access", "ref', ""),
    "half-a-form": (head("Content-Length: 999") + b"access_token=a&refresh_token=b", ""),
}
TRIED_AGAIN = {
    "no-rotation": (says(CAMEL), NEVER),
    "a-page": (PAGE, ""),
    "nothing": (answer(b""), ""),
    "a-captcha": (says({"captcha_token": "x", "challenge": "y"}), ""),
    "half-of-nothing": (head("Content-Length: 999") + b"<html>", ""),
}


@pytest.fixture
def one(stage: Stage) -> Stage:
    """A stage on which one answer with other names has come, and is held."""
    stage.play({"odd": (says(CAMEL), "")})
    stage.world.tick()
    return stage


def kept(stage: Stage) -> answers.AnswerView:
    """Returns the one answer that is kept."""
    with stage.world.services.database.transaction() as db:
        (view,) = answers.page(db)
    return view


def test_what_looks_like_a_grant_is_held_and_what_does_not_is_tried_again(stage: Stage) -> None:
    """M16: a rotating token is not presented twice; a page, a captcha or an empty body passes."""
    world, ids = stage.world, stage.play({**HELD, **TRIED_AGAIN})

    world.tick()
    world.pass_time(600)
    world.tick()

    rows = {name: world.row(id_) for name, id_ in ids.items()}
    held = {name for name, row in rows.items() if row.parked_reason == "unread_answer"}
    assert held == set(HELD)
    assert {name: len(stage.asked(name)) for name in HELD} == dict.fromkeys(HELD, 1)
    assert {name: len(stage.asked(name)) for name in TRIED_AGAIN} == dict.fromkeys(TRIED_AGAIN, 2)
    assert {row.status for row in rows.values()} == {"active"}
    for name in HELD:
        assert world.events(ids[name])[-1] == "unreadable"
    with world.services.database.transaction() as db:
        views = answers.page(db, limit=100)
    grants = {view.external_id for view in views if view.looks_like_grant}
    assert grants == {*HELD, "no-rotation"}
    others = {view.external_id for view in views} - grants
    assert others == {"a-page", "a-captcha"}


def test_a_kept_answer_is_sealed_and_told(one: Stage) -> None:
    """M10: its bytes stand nowhere in the clear; event, notice and reason say what happened."""
    world, view = one.world, kept(one)

    stored = world.one("select body from kept_answer").body
    assert b"new-access" not in bytes(stored)
    assert view.reason.startswith("the provider answered, and we could not read it")
    assert "interrupted" not in world.one("select string_agg(reason, ' ') r from refresh_event").r
    news = world.one("select kind, payload from outbox")
    assert news.kind == "connection.answer_unread"
    assert news.payload["answer_id"] == str(view.id)


def test_a_mended_providers_file_brings_the_pair(one: Stage) -> None:
    """The pair is stored, the connection goes on with it, and the body is forgotten."""
    world, view = one.world, kept(one)
    assert rereading.reread(world.services, view.id, ME).outcome is How.STILL_UNREAD

    world.pass_time(600)
    one.describe("odd", NAMES)
    done = rereading.reread(world.services, view.id, ME)

    assert done.outcome is How.STORED
    row = world.row(view.connection_id)
    assert (row.state, row.parked_reason, row.credential_version) == (0, None, 2)
    assert world.token(view.connection_id, "refresh_token") == "new-refresh"
    assert row.expires_at == view.received_at + timedelta(seconds=3600)
    assert world.events(view.connection_id)[-1] == "reread"
    assert world.one("select body from kept_answer").body is None
    assert rereading.reread(world.services, view.id, ME).outcome is How.READ_BEFORE
    told = [r.kind for r in world.rows("select kind from outbox order by sequence")]
    assert told == ["connection.answer_unread", "connection.recovered"]


def test_all_of_a_provider_are_read_at_once(stage: Stage) -> None:
    """One line in the file, one command, and every connection of that provider goes on."""
    ids = stage.play({"odd": (says(CAMEL), ""), "other": (says(CAMEL), "")})
    more = stage.world.connect("two", provider="odd", expires_in=0)
    stage.world.tick()
    stage.describe("odd", NAMES)

    done = rereading.reread_provider(stage.world.services, "odd", ME)

    assert {one.outcome for one in done} == {How.STORED}
    assert {one.connection_id for one in done} == {ids["odd"], more}
    assert stage.world.row(ids["other"]).parked_reason == "unread_answer"


def test_a_pair_that_comes_after_a_reconnect_goes_into_quarantine(one: Stage) -> None:
    """M1: a late reader never overwrites a newer pair."""
    world, view = one.world, kept(one)
    world.connect("odd", provider="odd", access_token="newest", refresh_token="newest-refresh")
    one.describe("odd", NAMES)

    assert rereading.reread(world.services, view.id, ME).outcome is How.QUARANTINED
    assert world.token(view.connection_id) == "newest"
    assert world.one("select count(*) n from quarantine").n == 1


def test_a_person_may_say_to_try_the_old_token_again(one: Stage) -> None:
    """Resuming presents it once more; where that ends the grant, the cause names the answer."""
    world, view = one.world, kept(one)
    one.said["odd"] = says({"error": "invalid_grant"}, "400 Bad")
    with world.services.database.transaction() as db:
        state_changes.resume(db, view.connection_id)

    world.tick()

    assert one.asked("odd") == ["refresh-of-odd"] * 2
    row = world.row(view.connection_id)
    assert (row.status, row.status_cause) == ("reconnect_required", f"unread_answer {view.id}")
    event = world.one("select reason from refresh_event where kind = 'revoked'")
    assert event.reason == f"unread_answer {view.id}: interrupted"

    one.describe("odd", NAMES)
    assert rereading.reread(world.services, view.id, ME).outcome is How.STORED
    row = world.row(view.connection_id)
    assert (row.status, row.state, row.parked_reason) == ("active", 0, None)


def test_a_page_before_a_dead_grant_is_named_too(stage: Stage) -> None:
    """What came instead of an answer may explain why the next one says that the grant is dead."""
    world, ids = stage.world, stage.play({"odd": (PAGE, "")})
    world.tick()
    view = kept(stage)
    stage.said["odd"] = says({"error": "invalid_grant", "error_description": "Gone"}, "400 Bad")
    world.pass_time(600)

    world.tick()

    assert world.row(ids["odd"]).status_cause == f"unread_answer {view.id}"


def test_pages_without_end_leave_a_handful_of_answers(stage: Stage) -> None:
    """A proxy that says the same page for days fills no table."""
    stage.play({"odd": (PAGE, "")})
    for _ in range(answers.MOST_OF_ONE + 3):
        stage.world.tick()
        stage.world.pass_time(3600)
    count = stage.world.one("select count(*) n from kept_answer").n
    assert count == answers.MOST_OF_ONE


def test_kept_answers_are_forgotten_after_their_time(one: Stage) -> None:
    """REFRESHER_ANSWER_RETENTION_DAYS is 30: not a day sooner."""
    world = one.world
    world.pass_time(29 * 86_400)
    retention.keep_answers(world.services)
    assert kept(one)
    world.pass_time(2 * 86_400)
    retention.keep_answers(world.services)
    assert world.one("select count(*) n from kept_answer").n == 0


def test_only_one_s_own_answers_are_there(one: Stage) -> None:
    """A stranger's answer is as good as none, for looking and for reading."""
    stranger, view = Actor("key", "another"), kept(one)
    services = one.world.services
    with pytest.raises(NoSuchAnswer):
        rereading.reread(services, view.id, stranger)
    assert rereading.reread_provider(services, "odd", stranger) == []
    with services.database.transaction() as db:
        assert answers.page(db, "another") == []


def test_an_outline_names_fields_and_shows_no_value(one: Stage) -> None:
    """Whoever mends the entry sees what the fields are called and how large they are."""
    lines = rereading.outline(one.world.services, kept(one))
    assert lines == [
        "accessToken: a text of 10 characters",
        "refreshToken: a text of 11 characters",
        "expiresIn: a number, true, false or null",
    ]


def test_a_bug_of_ours_costs_one_connection_a_wait_and_no_token(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reply that it stumbled over is kept, the others go on, and a mended program reads it."""
    world, ids = stage.world, stage.play({"odd": (says(PAIR), ""), "good": (says(PAIR), "")})

    def stumble(provider: object, reply: object, now: float) -> Outcome:
        if "odd" in str(provider):
            raise RuntimeError("a bug")
        return classify(provider, reply, now)  # type: ignore[arg-type]

    monkeypatch.setattr(attempt, "classify", stumble)
    world.tick()
    monkeypatch.undo()

    assert world.token(ids["good"]) == "new-access"
    assert world.row(ids["odd"]).parked_reason == "unread_answer"
    assert rereading.reread(world.services, kept(stage).id, ME).outcome is How.STORED
    assert world.token(ids["odd"], "refresh_token") == "new-refresh"


def test_a_bug_in_each_of_our_rules_costs_no_answer(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing need be understood of an answer for it to be kept, and its connection held."""
    world, ids = stage.world, stage.play({"odd": (says(PAIR), "")})

    def stumble(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    for name in ("classify", "decide", "text_of", "_before"):
        monkeypatch.setattr(attempt, name, stumble)
    world.tick()
    monkeypatch.undo()

    assert world.row(ids["odd"]).parked_reason == "unread_answer"
    assert rereading.reread(world.services, kept(stage).id, ME).outcome is How.STORED


def test_what_is_kept_is_what_came(stage: Stage) -> None:
    """Packed as it was, so that a later version may know how to open it."""
    packed = gzip.compress(json.dumps(CAMEL).encode())
    stage.play({"odd": (answer(packed, "200 OK", "Content-Encoding: gzip"), "")})
    stage.world.tick()
    view = kept(stage)
    assert (view.bytes, view.content_encoding) == (len(packed), "gzip")
    stage.describe("odd", NAMES)
    assert rereading.reread(stage.world.services, view.id, ME).outcome is How.STORED

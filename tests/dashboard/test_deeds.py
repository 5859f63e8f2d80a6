"""Deeds on one connection: what fits how it stands, who may, and nothing done twice."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import httpx
import pytest

from refresher.connections import lifecycle
from refresher.rules.access import Scope
from refresher.rules.deeds import Deed
from refresher.rules.providers import Slot
from refresher.runtime.whoever import whoever
from refresher.web.dashboard import forms
from refresher.web.dashboard.pages import refreshing
from tests.dashboard.kit import Person, read
from tests.web.kit import Site
from tests.world import World, refused

STATES = ("fresh", "paused", "disabled", "reconnect_required", "crash_loop", "leased", "deleted")
ANYWAY = dict.fromkeys(STATES[:-1], 303) | {"deleted": 409}
FITS: dict[Deed, dict[str, int]] = {
    Deed.PAUSE: ANYWAY | {"paused": 409},
    Deed.RESUME: ANYWAY | {"fresh": 409, "leased": 409},
    Deed.DISABLE: ANYWAY | {"disabled": 409},
    Deed.ENABLE: dict.fromkeys(STATES, 409) | {"disabled": 303},
    Deed.REFRESH: dict.fromkeys(STATES, 409) | {"fresh": 303, "leased": 303},
    Deed.DELETE: ANYWAY,
    Deed.EDIT: ANYWAY,
    Deed.LINK: dict.fromkeys(STATES, 200) | {"disabled": 409, "deleted": 409},
}
"""What the POST of each deed answers, by how the connection stands."""
LINK = re.compile(r"https://refresher\.[a-z]+/connect/[A-Za-z0-9_-]{43}")


def put(world: World, id_: UUID, state: str) -> None:
    """Has a connection stand so."""
    by, database = whoever("cli"), world.services.database
    ways: dict[str, Callable[[], object]] = {
        "fresh": lambda: None,
        "paused": lambda: lifecycle.pause(database, by, id_),
        "disabled": lambda: lifecycle.disable(database, by, id_),
        "deleted": lambda: lifecycle.delete(database, by, id_),
        "leased": lambda: park(world, id_, None, 1),
        "crash_loop": lambda: park(world, id_, "crash_loop"),
        "reconnect_required": lambda: park(world, id_, "reconnect_required"),
    }
    ways[state]()


def park(world: World, id_: UUID, reason: str | None, state: int = 2) -> None:
    """Puts a schedule row into a state."""
    world.run(
        "update refresh_schedule set state = :state, parked_reason = :reason, "
        "lease_until = case when :state = 1 then refresher_now() + interval '1 minute' end "
        "where connection_id = :id",
        id=id_, state=state, reason=reason,
    )  # fmt: skip
    if reason == "reconnect_required":
        world.run("update connection set status = :status where id = :id", id=id_, status=reason)


def said(person: Person, answer: httpx.Response) -> str:
    """What the next page says after a deed."""
    assert answer.status_code == 303, read(answer).words
    return person.page("/ui").words


def address(id_: UUID, deed: Deed) -> str:
    """Where a deed is."""
    return f"/ui/connections/{id_}/{deed}"


@pytest.mark.parametrize("state", STATES)
def test_a_deed_is_done_where_it_fits_how_the_connection_stands(
    shared: Site, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deed by state: done (303), shown (200), or a page that says why not (409) and does nothing."""
    monkeypatch.setattr(refreshing, "WAIT_SECONDS", 0.2)
    person, world = Person.signed_in(shared), shared.world
    told: dict[Deed, int] = {}
    for deed in Deed:
        name = f"{state}-{deed}"
        id_ = world.connect(name)
        put(world, id_, state)
        asked = person.get(address(id_, deed))
        assert asked.status_code == 200, (deed, read(asked).words)
        fits = FITS[deed][state] < 400
        assert fits is (f'action="{address(id_, deed)}"' in asked.text), (deed, asked.text)
        before = world.events(id_)
        sent = person.post(address(id_, deed), typed=name, name="New name")
        told[deed] = sent.status_code
        if sent.status_code == 409:
            assert world.events(id_) == before
            assert "Nothing was done" in sent.text
    assert told == {deed: FITS[deed][state] for deed in Deed}


@pytest.mark.parametrize("deed", Deed)
def test_who_may_not_does_not(shared: Site, deed: Deed) -> None:
    """Only looking: 403 for page and form; another organization: as if it were not there."""
    world = shared.world
    id_ = world.connect(f"scope-{deed}")
    before = world.one("select * from connection where id = :id", id=id_)
    for person, status in (
        (Person.signed_in(shared, {Scope.READ}), 403),
        (Person.signed_in(shared, read_only=True), 403),
        (Person.signed_in(shared, organization_id="other"), 404),
    ):
        path = address(id_, deed)
        assert person.post(path, typed=f"scope-{deed}", name="x").status_code == status
        if status == 404:
            assert person.get(path).status_code == 404
    assert person.get(address(uuid4(), deed)).status_code == 404
    assert person.get(f"/ui/connections/not-an-id/{deed}").status_code == 404
    assert world.one("select * from connection where id = :id", id=id_) == before


def test_a_bound_key_does_it_in_its_own_organization(shared: Site) -> None:
    """And the audit says by which key."""
    person = Person.signed_in(shared, {Scope.READ, Scope.WRITE}, "org")
    id_ = shared.world.connect("bound")
    told = said(person, person.post(address(id_, Deed.PAUSE)))
    assert "bound is paused: it keeps its tokens" in told
    done = shared.world.one(
        "select key_id, action, organization_id from audit where connection_id = :id", id=id_
    )
    assert tuple(done) == (person.key_id, "paused", "org")


def test_a_row_that_changed_asks_again(shared: Site) -> None:
    """The page of before does nothing; it shows how the row stands now, and its form works."""
    person, world = Person.signed_in(shared), shared.world
    id_ = world.connect("stale")
    path = address(id_, Deed.DISABLE)
    old = person.form(path, path)
    lifecycle.pause(world.services.database, whoever("cli"), id_)
    answer = person.send("POST", path, old.filled(None, {}))
    assert answer.status_code == 409
    page = read(answer)
    assert "changed meanwhile, and nothing was done" in page.words
    assert "Paused" in page.words
    assert "disabled" not in world.events(id_)
    again = [form for form in page.forms if form.action == path]
    assert person.send("POST", path, again[0].filled(None, {})).status_code == 303
    assert world.events(id_).count("disabled") == 1


def test_one_form_sent_twice_is_done_once(shared: Site) -> None:
    """A double click: the second gets the answer of the first, though the row has changed by it."""
    person, world = Person.signed_in(shared), shared.world
    id_ = world.connect("twice")
    path = address(id_, Deed.PAUSE)
    fields = person.form(path, path).filled(None, {})
    answers = [person.send("POST", path, fields) for _ in range(2)]
    assert [one.status_code for one in answers] == [303, 303]
    assert world.events(id_).count("paused") == 1
    assert "is paused" in said(person, answers[1])


def test_a_double_click_waits_for_the_answer_of_the_first(
    shared: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One refresh, told to both; one link, which both show, and nobody later."""
    person, world = Person.signed_in(shared), shared.world
    id_ = world.connect("double")
    before = len(world.script.asked)
    for deed, status in ((Deed.REFRESH, 303), (Deed.LINK, 200)):
        path = address(id_, deed)
        fields = person.form(path, path).filled(None, {})
        with ThreadPoolExecutor(2) as threads:
            sent = [threads.submit(person.send, "POST", path, fields) for _ in range(2)]
        answers = [one.result() for one in sent]
        assert [one.status_code for one in answers] == [status, status]
        if deed is Deed.LINK:
            links = [LINK.findall(answer.text) for answer in answers]
            assert links[0] == links[1] != []
            monkeypatch.setattr(forms, "SHOWN_SECONDS", 0.0)
            late = person.send("POST", path, fields)
            assert "shown once only" in read(late).words
            assert LINK.findall(late.text) == []
    assert len(world.script.asked) == before + 1
    assert len(world.rows("select 1 from connect_session where connection_id = :id", id=id_)) == 1


def test_a_delete_wants_the_external_id(shared: Site) -> None:
    """What was typed stays; what others use is not deleted before them."""
    person, world = Person.signed_in(shared), shared.world
    id_ = world.connect("to-delete")
    path = address(id_, Deed.DELETE)
    wrong = person.submit(path, path, typed="to-delte")
    assert wrong.status_code == 422
    assert "Nothing was deleted" in read(wrong).words
    assert 'value="to-delte"' in wrong.text
    alone = {"access_token": None, "refresh_token": None, "expires_in": None}
    page = world.connect("its-page", root_external_id="to-delete", **alone)
    assert "holds the grant that others use" in person.page(path).words
    assert person.post(path, typed="to-delete").status_code == 409
    assert person.post(address(page, Deed.DELETE), typed="its-page").status_code == 303
    done = person.submit(path, path, typed=" to-delete ")
    assert "to-delete is deleted" in said(person, done)
    assert world.events(id_).count("deleted") == 1


def test_a_deed_says_what_else_it_does(shared: Site) -> None:
    """Its slots go with it, and who shares its grant gets no token either."""
    person, world = Person.signed_in(shared), shared.world
    world.describe("acme", slots={"chat": Slot(("chat",))})
    id_ = world.connect("main", slots={"chat": {"access_token": "a", "refresh_token": "r"}})
    alone = {"access_token": None, "refresh_token": None, "expires_in": None}
    world.connect("sibling", root_external_id="main", **alone)
    words = person.page(address(id_, Deed.DISABLE)).words
    assert "The same is done to its 1 slot." in words
    assert "1 other connection uses its grant, and gets no fresh token either." in words


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "Refreshed: a fresh token is stored."),
        (refused("invalid_grant"), "acme has ended the grant (invalid_grant, HTTP 400)"),
        (refused("server_error", 503), "acme is in trouble that passes"),
    ],
)
def test_refresh_now_tells_what_came_of_it(shared: Site, answer: object, words: str) -> None:
    """The attempt on its page, and a sentence: what it means, and when it is tried again."""
    person, world = Person.signed_in(shared), shared.world
    id_ = world.connect(f"refresh-{words[:20]}")
    if answer is not None:
        world.script.answer = lambda _: answer  # type: ignore[assignment, return-value]
    try:
        sent = person.post(address(id_, Deed.REFRESH))
    finally:
        world.script.answer = world.script.rotate
    event = world.one(
        "select max(id) as id from refresh_event where connection_id = :id", id=id_
    ).id
    assert sent.headers["location"] == f"/ui/connections/{id_}#e{event}"
    assert words in said(person, sent)


def test_a_refresh_that_takes_long_goes_on(shared: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waited is told that nothing is lost; one that is held back is told until when."""
    monkeypatch.setattr(refreshing, "WAIT_SECONDS", 0.2)
    person, world = Person.signed_in(shared), shared.world
    id_ = world.connect("slow")
    put(world, id_, "leased")
    told = said(person, person.post(address(id_, Deed.REFRESH)))
    assert "goes on by itself and nothing is lost" in told
    held = world.connect("held")
    world.hold("app", "acme/default", sort="refused", reason="invalid_client")
    told = said(person, person.post(address(held, Deed.REFRESH)))
    world.run("delete from pause")
    assert "Nothing was sent: the app acme/default is left alone for a while." in told
    assert "It is tried again in " in told
    assert " UTC." in told


def test_what_is_typed_into_the_form_stays(shared: Site) -> None:
    """Name, metadata and scopes are changed; a mistake is one sentence above what was typed."""
    person, world = Person.signed_in(shared), shared.world
    id_ = world.connect("edit", name="Before", metadata={"a": 1}, scopes=["x"])
    path = address(id_, Deed.EDIT)
    for metadata, sentence in (
        ("{", "the metadata is no JSON, line 1"),
        ("[1]", "must be a JSON object"),
        ("[" * 10_000, "no JSON"),
    ):
        wrong = person.submit(path, path, name="<b>New</b>", metadata=metadata)
        assert wrong.status_code == 422, metadata[:9]
        assert sentence in read(wrong).words or "nests too deep" in read(wrong).words
        assert "&lt;b&gt;New&lt;/b&gt;" in wrong.text
    assert person.submit(path, path, name="x\x00y").status_code == 422
    old = person.form(path, path)
    world.run("update connection set name = 'Other' where id = :id", id=id_)
    stale = person.send("POST", path, old.filled(None, {"name": "Mine"}))
    assert (stale.status_code, "Mine" in stale.text) == (409, True)
    done = person.submit(path, path, name="After", metadata='{"b": [1]}', scopes="y z")
    assert "After is changed" in said(person, done)
    row = world.one("select name, metadata, scopes from connection where id = :id", id=id_)
    assert tuple(row) == ("After", {"b": [1]}, ["y", "z"])

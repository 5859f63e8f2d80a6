"""Forms that come at the wrong moment: nothing is done twice, and what was typed stays."""

from __future__ import annotations

from uuid import UUID

import pytest

from refresher.connections import lifecycle
from refresher.errors import DatabaseUnavailable
from refresher.rules.deeds import Deed
from refresher.runtime.whoever import whoever
from refresher.store import connections, lookup
from refresher.web.state import MOST_EACH
from tests.dashboard.kit import Person, read
from tests.dashboard.test_deeds import address
from tests.web.kit import Site

TYPED = {
    Deed.EDIT: {"name": "Their <inbox>", "metadata": '{"a":\r\n1}', "scopes": "x"},
    Deed.DELETE: {"typed": "wrong"},
}


@pytest.mark.parametrize("deed", Deed)
def test_a_form_of_another_site_or_session(shared: Site, deed: Deed) -> None:
    """Nothing is done: not with another site's form, nor with one of a session that has ended."""
    person, other = Person.signed_in(shared), Person.signed_in(shared)
    id_ = shared.world.connect(f"bad-{deed}")
    before, path = events(shared, id_), address(id_, deed)
    fields = {"csrf": person.token(path), **TYPED.get(deed, {})}
    foreign = {"origin": "https://evil.example", "sec_fetch_site": "cross-site"}
    sent = person.send("POST", path, fields, **foreign)
    assert sent.status_code == 403
    assert "inbox" not in sent.text
    stale = person.send("POST", path, {**fields, "csrf": other.token(path)})
    assert (stale.status_code, "Form out of date" in stale.text) == (403, True)
    assert ("Their &lt;inbox&gt;" in stale.text) is (deed is Deed.EDIT)
    elsewhere = person.send("POST", path, {**fields, "csrf": person.token(f"{path}/more")})
    assert elsewhere.status_code == 403
    assert events(shared, id_) == before


@pytest.mark.parametrize("deed", [Deed.PAUSE, Deed.EDIT, Deed.DELETE])
@pytest.mark.parametrize("how", ["before", "after"])
def test_a_database_that_goes_away(
    shared: Site, monkeypatch: pytest.MonkeyPatch, deed: Deed, how: str
) -> None:
    """The page keeps what was typed, and sends it again by a button: it is done once in the end."""
    person, name = Person.signed_in(shared), f"away-{how}-{deed}"
    id_ = shared.world.connect(name)
    path = address(id_, deed)
    typed = TYPED[Deed.EDIT] if deed is Deed.EDIT else {"typed": name}
    asked = {} if deed is Deed.PAUSE else typed
    fields = person.form(path, path).filled(None, asked)
    look = connections.find

    def away(*given: object) -> object:
        raise DatabaseUnavailable("canary")

    if how == "before":
        monkeypatch.setattr(connections, "locked", away)
    else:  # it is committed, and we do not learn of it
        monkeypatch.setattr(lifecycle, "retrying", lambda work: (work(), away()))
    sent = person.send("POST", path, fields)
    monkeypatch.undo()
    assert connections.find is look
    assert (sent.status_code, "canary" in sent.text) == (503, False)
    assert ("What was typed" in sent.text) is (deed is not Deed.PAUSE)
    again = [form for form in read(sent).forms if form.action == path]
    answer = person.send("POST", path, again[0].filled(None, {}))
    assert answer.status_code == (303 if how == "before" else 409)
    kind = {Deed.PAUSE: "paused", Deed.EDIT: "changed", Deed.DELETE: "deleted"}[deed]
    assert events(shared, id_).count(kind) == 1
    if deed is Deed.EDIT:
        row = shared.world.one("select name, metadata from connection where id = :id", id=id_)
        assert tuple(row) == ("Their <inbox>", {"a": 1})


def test_a_row_that_goes_between_look_and_deed(
    shared: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleted by another in that very moment: the page says so."""
    person, world = Person.signed_in(shared), shared.world
    for deed in (Deed.PAUSE, Deed.EDIT, Deed.DELETE, Deed.REFRESH, Deed.LINK):
        name = f"race-{deed}"
        id_ = world.connect(name)
        found = lookup.siblings

        def gone(*given: object, id_: UUID = id_, **more: object) -> object:
            monkeypatch.undo()
            lifecycle.delete(world.services.database, whoever("cli"), id_)
            return []

        monkeypatch.setattr(lookup, "siblings", gone)
        sent = person.post(address(id_, deed), typed=name, name="x")
        assert lookup.siblings is found
        assert (deed, sent.status_code) == (deed, 409)
        assert "it is deleted" in read(sent).words


def test_too_many_that_wait_for_others(shared: Site) -> None:
    """Each tenant has a few places for what waits; what was typed can be sent again."""
    person = Person.signed_in(shared)
    id_ = shared.world.connect("places")
    taken = shared.api.state.outside._taken
    taken[f"key {person.key_id}"] = MOST_EACH
    try:
        sent = person.post(address(id_, Deed.DELETE), typed="places")
    finally:
        del taken[f"key {person.key_id}"]
    assert (sent.status_code, "Send it again" in sent.text) == (429, True)
    again = [form for form in read(sent).forms if form.action == address(id_, Deed.DELETE)]
    assert person.send("POST", again[0].action, again[0].filled(None, {})).status_code == 303


def events(site: Site, id_: UUID) -> list[str]:
    """What happened to a connection."""
    return site.world.events(id_)

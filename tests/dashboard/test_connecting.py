"""Connecting by hand, and again by one click: links shown once, and why there is none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from refresher.connections.lifecycle import disable
from refresher.rules.access import Scope
from refresher.rules.deeds import Deed
from refresher.runtime.whoever import whoever
from refresher.store import recipients
from tests.dashboard.kit import Person, read
from tests.dashboard.test_deeds import LINK, address
from tests.web.conftest import PUBLIC_URL
from tests.web.kit import Site

PAGE = "/ui/connect"


def sessions(site: Site) -> int:
    """How many connect sessions there are."""
    number: int = site.world.one("select count(*) as n from connect_session").n
    return number


def test_a_link_is_made_by_hand_and_cancelled(shared: Site) -> None:
    """Shown on the page that makes it, and never again; cancelled from the list."""
    person = Person.signed_in(shared, {Scope.READ, Scope.CONNECT})
    made = person.submit(
        PAGE, PAGE, provider="acme", organization="org-1", external_id="new <1>", scopes="a b"
    )
    [link] = set(LINK.findall(made.text))
    assert made.headers["cache-control"] == "no-store"
    assert "new &lt;1&gt;" in made.text
    row = shared.world.one("select * from connect_session order by id desc limit 1")
    assert (row.organization_id, row.external_id, row.scopes) == ("org-1", "new <1>", ["a", "b"])
    assert row.made_by == f"by API key {person.key_id}"
    page = person.get(PAGE)
    assert (link in page.text, "Waits for the person" in page.text) == (False, True)
    path = f"{PAGE}/{row.id}/cancel"
    assert person.submit(PAGE, path).headers["location"] == PAGE
    assert "cancelled: its link leads nowhere" in person.page(PAGE).words
    again = person.post(path)
    assert (again.status_code, again.headers["location"]) == (303, PAGE)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"organization": "org"}, "choose a provider"),
        ({"provider": "acme"}, "say for which organization"),
        ({"provider": "gone", "organization": "org"}, 'no provider is called "gone"'),
        ({"provider": "meta", "organization": "org"}, "nobody can connect to meta"),
        ({"provider": "acme", "organization": "org", "app": "x"}, "no app acme/x is stored"),
        ({"provider": "acme", "organization": "org", "placeholders": "realm"}, "name=value"),
    ],
)
def test_what_is_wrong_is_said_above_what_was_typed(
    shared: Site, fields: dict[str, str], sentence: str
) -> None:
    """One sentence, 422, and every field as it was."""
    before, person = sessions(shared), Person.signed_in(shared)
    answer = person.post(PAGE, external_id="<typed>", **fields)
    assert (answer.status_code, sentence in read(answer).words) == (422, True), read(answer).words
    assert 'value="&lt;typed&gt;"' in answer.text
    assert sessions(shared) == before


def test_a_bound_key_connects_for_its_own_organization(shared: Site) -> None:
    """Another's is refused, whatever the form says; and it sees its own sessions alone."""
    bound = Person.signed_in(shared, organization_id="org-2")
    foreign = bound.post(PAGE, provider="acme", organization="org-9")
    assert (foreign.status_code, "another organization" in foreign.text) == (422, True)
    assert bound.submit(PAGE, PAGE, provider="acme", external_id="mine").status_code == 200
    words = bound.page(PAGE).words
    assert ("mine" in words, "org-1" in words) == (True, False)
    row = shared.world.one(
        "select id, organization_id from connect_session order by id desc limit 1"
    )
    assert row.organization_id == "org-2"
    other = Person.signed_in(shared, organization_id="org-3")
    assert other.post(f"{PAGE}/{row.id}/cancel").status_code == 404


def test_a_setting_that_is_missing_is_named(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without REFRESHER_PUBLIC_URL, with REFRESHER_CONNECT off, without an app: a mend in its place."""
    person, services = Person.signed_in(site), site.api.state.services

    def with_settings(**given: object) -> str:
        settings = services.settings.model_copy(update=given)
        monkeypatch.setattr(site.api.state, "services", replace(services, settings=settings))
        page = person.page(PAGE)
        assert [form for form in page.forms if form.action == PAGE] == []
        return page.words

    assert "REFRESHER_PUBLIC_URL is not set" in with_settings(public_url=None)
    assert "REFRESHER_CONNECT is false" in with_settings(connect=False)
    with_settings(public_url=None)
    made = person.post(address(site.world.connect("path"), Deed.LINK))
    assert (made.status_code, "This is only its path" in read(made).words) == (200, True)
    site.world.run("delete from app")
    words = with_settings(public_url=PUBLIC_URL)
    assert "Nobody can connect here yet. No app of ours is stored" in words, words
    assert "Store an app" in words


def test_who_cannot_be_connected_and_why(shared: Site) -> None:
    """By the reason, only where it is asked for."""
    person = Person.signed_in(shared)
    assert "Its entry has no authorize_url" not in person.page(PAGE).words
    words = person.page(f"{PAGE}?others=yes&provider=acme").words
    assert "Its entry has no authorize_url, and no [connect]." in words


def test_one_click_makes_the_link_of_a_broken_connection(shared: Site) -> None:
    """With whose account it is; the organization's own page, or a link for programs, elsewhere."""
    person, world = Person.signed_in(shared), shared.world
    id_ = world.connect("ann's", name="Inbox")
    path = address(id_, Deed.LINK)
    assert "has not told us yet whose account it is" in person.page(path).words
    world.run("update connection set account = 'u7', account_label = 'ann@acme.example'")
    made = person.post(path)
    [link] = set(LINK.findall(made.text))
    assert "Whoever opens the link has to sign in as ann@acme.example." in read(made).words
    assert link not in person.get(path).text
    meta = world.connect("page", provider="meta", refresh_token=None)
    made = person.post(address(meta, Deed.LINK))
    assert "/v1/resume/" in made.text
    assert "A resume link is for a program that has new tokens" in read(made).words
    with world.services.database.transaction() as db:
        own = "https://app.example/{external_id}"
        recipients.set_organization(db, "org", {"reconnect_url": own})
    assert "https://app.example/page" in person.post(address(meta, Deed.LINK)).text
    disable(world.services.database, whoever("cli"), id_)
    assert person.post(path).status_code == 409

"""Keys, audit and doctor: what they show, to whom, and what is shown once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from refresher.rules.access import Actor, Scope
from refresher.store import audit
from refresher.web.dashboard.pages.audit import parted
from tests.dashboard.kit import HERE, PUBLIC, Person, read
from tests.web.kit import Site


def test_a_key_is_made_and_shown_once(site: Site, person: Person) -> None:
    """Its text stands on one page, works at the API, and is on no other; a double click makes one."""
    form = person.form("/ui/keys/create", "/ui/keys/create")
    filled = form.filled(None, {"name": "mailer", "scope": "read", "organization": "org-1"})
    answer = person.send("POST", "/ui/keys/create", filled)
    assert answer.status_code == 200
    (text,) = [line for line in answer.text.split(">") if line.startswith("rfr_")]
    key = text.partition("<")[0]
    assert site("GET", "/v1/whoami", key=key).json()["organization_id"] == "org-1"
    again = person.send("POST", "/ui/keys/create", filled)
    assert (again.status_code, key in again.text) == (200, True)
    assert site.world.one("select count(*) from api_key where name = 'mailer'")[0] == 1
    pages = ("/ui/keys", f"/ui/keys/{key.split('_')[1]}", "/ui/audit")
    assert not [path for path in pages if key in person.get(path).text]
    assert "mailer" in person.get("/ui/keys").text
    assert "key created" in person.get("/ui/audit").text


WRONG: list[tuple[dict[str, Any], int, str]] = [
    ({"name": "x", "scope": ["read", "token"]}, 403, "no more scopes"),
    ({"name": "x", "scope": "everything"}, 403, "no more scopes"),
    ({"name": "x"}, 422, "Scope: choose one"),
    ({"name": " ", "scope": "read"}, 422, "Name: it is missing"),
    ({"name": "x\u0007", "scope": "read"}, 422, "control character"),
    ({"name": "typed", "scope": "read", "days": "soon"}, 422, "Days: give a number"),
    ({"name": "typed", "scope": "read", "days": "1e9"}, 422, "Days: give a number"),
]


def test_a_key_that_cannot_be(site: Site, person: Person) -> None:
    """It is refused in a sentence, none is made, and what was typed stays in the form."""
    before = site.world.one("select count(*) from api_key")
    for fields, status, told in WRONG:
        answer = person.post("/ui/keys/create", **fields)
        assert (answer.status_code, told in answer.text) == (status, True), fields
        assert fields["name"] != "typed" or 'value="typed"' in answer.text
    assert site.world.one("select count(*) from api_key") == before


def test_no_scope_is_given_that_the_maker_lacks(site: Site) -> None:
    """Whoever may not write makes no key that may, and is not offered it."""
    maker = Person.signed_in(site, {Scope.READ, Scope.ADMIN})
    assert 'value="write"' not in maker.get("/ui/keys/create").text
    answer = maker.post("/ui/keys/create", name="x", scope="write")
    assert answer.status_code == 403


def test_a_revoked_key_ends_with_its_sessions(site: Site, person: Person) -> None:
    """The question tells its last use; after it the key's sessions are signed out, and it says so."""
    other = Person.signed_in(site, PUBLIC)
    path = f"/ui/keys/{other.key_id}/revoke"
    assert "It was last used" in person.get(path).text
    said = person.followed(person.submit(path, path))
    assert "is revoked" in said.words
    assert "1 session ended with it" in said.words
    assert other.get("/ui/account").status_code != 200
    assert "revoked already" in person.get(path).text
    assert person.post("/ui/keys/nosuchkeyid1/revoke").status_code == 404


def test_sessions_end_and_the_key_goes_on(site: Site, person: Person) -> None:
    """Who is signed in with it has to sign in again."""
    other = Person.signed_in(site, PUBLIC)
    page = f"/ui/keys/{other.key_id}"
    said = person.followed(person.submit(page, f"{page}/sessions"))
    assert "1 session has ended" in said.words
    assert other.get("/ui/account").status_code != 200
    assert "in use" in person.get("/ui/keys").text


def test_many_keys_are_paged(site: Site, person: Person) -> None:
    """Each is on one page, the newest first; a cursor that is none of ours begins anew and says so."""
    site.world.run(
        "insert into api_key (id, name, scopes, secret_hash, created_at) select 'k' || n, "
        "'key ' || n, '{read}', decode(repeat('00', 32), 'hex'), "
        "refresher_now() - n * interval '1 hour' from generate_series(1, 120) n"
    )
    seen, path = list[str](), "/ui/keys"
    while path:
        page = person.page(path)
        seen += [text for text in page.links if text.startswith("key ")]
        path = page.links.get("Next page", "").removeprefix(HERE)
    assert seen == [f"key {n}" for n in range(1, 121)]
    assert "not known any more" in person.get("/ui/keys?cursor=nonsense").text


def test_the_audit_of_a_bound_key_is_its_organizations(site: Site) -> None:
    """Nothing of others is told, whatever is asked for; a person of a proxy is named."""
    with site.world.services.database.transaction() as db:
        entries = [
            audit.AuditEntry("cli:ann", "paused", "org-1", UUID(int=1)),
            audit.AuditEntry("cli:bob", "resumed", "org-2", UUID(int=2)),
            audit.AuditEntry(
                "k1", "app_stored", "org-1", None, "app:acme/x, by carol@acme.example"
            ),
        ]
        audit.append(db, entries)
    bound = Person.signed_in(site, PUBLIC, "org-1")
    whole = bound.get("/ui/audit").text
    assert ("cli:ann" in whole, "cli:bob" in whole, "carol@acme.example" in whole) == (
        True,
        False,
        True,
    )
    for asked in (f"connection={UUID(int=2)}", "key=cli:bob", "organization=org-2&key=cli:bob"):
        assert "cli:bob</td>" not in bound.get(f"/ui/audit?{asked}").text
    assert "paused" in bound.get("/ui/audit?key=cli:ann").text
    everybody = Person.signed_in(site)
    assert "resumed" in everybody.get(f"/ui/audit?connection={UUID(int=2)}").text
    assert "is a UUID" in everybody.get("/ui/audit?connection=x").text


@pytest.mark.parametrize("about", [None, "key:x", "a, by b"])
def test_a_person_is_told_from_what_an_entry_is_about(about: str | None) -> None:
    """What `Actor.about` puts together is taken apart again."""
    actor = Actor("k", person="ann")
    assert parted(actor.about(about)) == (about or "", "ann")


def test_doctor_runs_when_asked(site: Site, person: Person) -> None:
    """Opening the page runs nothing; asked, it shows what is wrong first, with mends and pages."""
    site.world.connect("c1")
    assert "Nobody has asked" in person.get("/ui/doctor").text
    answer = person.submit("/ui/doctor", "/ui/doctor")
    words = read(answer).words
    assert answer.status_code == 200
    assert "wrong" in words
    assert "Macro" not in words
    assert "no scheduler is running" in words
    assert "<code>python -m refresher.scheduler</code>" in answer.text
    assert words.index("no scheduler is running") < words.index("autovacuum is on")
    assert "this web process" in words or "agreement" not in words
    assert "no scheduler is running" in person.get("/ui/doctor").text


def test_a_bound_key_has_no_such_pages(site: Site) -> None:
    """Doctor and keys exist for keys of all organizations alone."""
    bound = Person.signed_in(site, PUBLIC, "org-1")
    for path in ("/ui/doctor", "/ui/keys", "/ui/keys/create"):
        assert bound.get(path).status_code == 404

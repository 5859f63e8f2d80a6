"""Recipients and organizations on the dashboard: who is told, whom no mail reaches, what is known."""

from __future__ import annotations

from refresher.rules.access import Scope
from refresher.store import recipients
from tests.dashboard.kit import HERE, PUBLIC, Person
from tests.web.kit import Site


def refused(site: Site, address: str, organization: str | None = "org-1") -> str:
    """A recipient whose address a mail server refused; returns its page."""
    with site.world.services.database.transaction() as db:
        stored, _ = recipients.add(db, organization, address, {})
    site.world.run(
        "update recipient set blocked_at = refresher_now(), blocked_reason = '550 no such user' "
        "where id = :id",
        id=stored.id,
    )
    return f"/ui/recipients/{stored.id}"


def test_somebody_is_told_and_told_no_more(site: Site, person: Person) -> None:
    """Whose it is must be said; what is wrong stays typed; removing asks."""
    assert "Nobody is told by mail yet" in person.page("/ui/recipients").words
    for fields, status in (
        ({"address": "no address", "organization": "org-1"}, 422),
        ({"address": "typed@acme.example"}, 422),
        ({"address": "typed@acme.example", "organization": "org-1", "operators": "on"}, 422),
    ):
        answer = person.post("/ui/recipients", None, **fields)
        assert (answer.status_code, f'value="{fields["address"]}"' in answer.text) == (status, True)
    person.followed(person.post("/ui/recipients", address="ann@Acme.Example", organization="org-1"))
    said = person.followed(person.post("/ui/recipients", address="ops@us.example", operators="on"))
    assert "ops@us.example is told of the apps" in said.words
    words = person.page("/ui/recipients").words
    assert "2 recipients are told by mail" in words
    assert "ann@acme.example" in words
    assert "ann@acme" not in person.page("/ui/recipients?which=operators").words
    assert "ops@us" not in person.page("/ui/recipients?organization=org-1").words
    path = person.page("/ui/recipients").links["ann@acme.example"].removeprefix(HERE)
    said = person.followed(person.submit(f"{path}/remove", f"{path}/remove"))
    assert "told no more of the connections of org-1" in said.words
    assert person.get(path).status_code == 404
    assert {"recipient stored", "recipient deleted"} <= {
        row.action.replace("_", " ") for row in site.world.rows("select action from audit")
    }


def test_a_refused_address_is_told_again(site: Site, person: Person) -> None:
    """It stands first where it is looked for, with the reason, and one button tries it again."""
    path = refused(site, "gone@acme.example")
    assert (
        "1 recipient is told by mail; 1 address was refused." in person.page("/ui/recipients").words
    )
    listed = person.page("/ui/recipients?which=refused").words
    assert "550 no such user" in listed
    said = person.followed(person.submit("/ui/recipients?which=refused", f"{path}/unblock"))
    assert "is told again" in said.words
    assert "No address was refused" in person.page("/ui/recipients?which=refused").words


def test_choices_are_kept(site: Site, person: Person) -> None:
    """Each kind is told as chosen; a choice that there is not is refused."""
    path = refused(site, "ann@acme.example")
    person.followed(person.post(path, **{"connection.recovered": "none"}))
    with site.world.services.database.transaction() as db:
        (stored,) = recipients.page(db, ["org-1"])
    assert stored.choices == {"connection.recovered": "none"}
    assert person.post(path, **{"connection.recovered": "loudly"}).status_code == 422
    person.followed(person.submit(path, path, None, **{"connection.recovered": "usual"}))
    with site.world.services.database.transaction() as db:
        assert recipients.page(db, ["org-1"])[0].choices == {}


def test_ten_thousand_are_paged(site: Site, person: Person) -> None:
    """Each is on one page, whatever its address is; the words are short."""
    site.world.run(
        "insert into recipient (id, organization_id, address) select gen_random_uuid(), "
        "'org-' || n % 7, 'a' || n || '@acme.example' from generate_series(1, 10050) n"
    )
    page, seen = person.page("/ui/recipients?organization=org-3"), set[str]()
    assert "1,436 recipients are told" in page.words
    for _ in range(28):
        seen |= {text for text in page.links if text.endswith("@acme.example")}
        page = person.page(page.links["Next page"].removeprefix(HERE))
    assert len(seen) == 1_400
    assert "10,000+ recipients are told" in person.page("/ui/recipients").words
    assert "not known any more" in person.page("/ui/recipients?cursor=x").words


def test_an_organization_is_looked_at_and_set(site: Site, person: Person) -> None:
    """Numbers, people and endpoints; the form stores as a whole, and asks again after a change."""
    for n in range(3):
        site.world.connect(f"c{n}", organization_id="org/1 ü")
    path = "/ui/organizations/org/1%20%C3%BC"
    assert "None of its 3 connections needs a person." in person.page(path).words
    form = person.form(path, path)
    filled = form.filled(None, {"name": "Acme", "return_urls": "https://a.example/x"})
    answer = person.send("POST", path, filled)
    assert (answer.status_code, "return URLs: " in answer.text.lower()) == (422, False)
    assert 'value="Acme"' in answer.text
    fields = {"name": "Acme", "reconnect_url": "https://a.example/{external_id}"}
    assert "It is kept" in person.followed(person.submit(path, path, None, **fields)).words
    assert "Acme" in person.page(path).title
    stale = person.send("POST", path, [*form.filled(None, {"name": "Other"}), ("once", "2")])
    assert (stale.status_code, "changed meanwhile" in stale.text) == (409, True)
    wrong = person.submit(path, path, None, reconnect_url="https://a.example/{evil}")
    assert (wrong.status_code, "Reconnect_url" in wrong.text) == (422, True)


def test_a_bound_key_knows_its_own_alone(site: Site) -> None:
    """Another organization's page, and its people, are not there; nor is a choice of whose."""
    path = refused(site, "ann@acme.example")
    bound = Person.signed_in(site, PUBLIC, "mine")
    assert bound.get("/ui/organizations/org-1").status_code == 404
    assert bound.get("/ui/organizations/mine").status_code == 200
    assert bound.post("/ui/organizations/org-1", name="x").status_code == 404
    assert bound.get(path).status_code == 404
    posts = ("", "/unblock", "/remove")
    assert {bound.post(f"{path}{word}").status_code for word in posts} == {404}
    for page in ("/ui/recipients?organization=org-1", "/ui/recipients?which=operators"):
        assert "acme.example" not in bound.get(page).text
    said = bound.followed(bound.post("/ui/recipients", address="b@mine.example", operators="on"))
    assert "told of the connections of mine" in said.words


def test_who_only_reads_sees_no_form(site: Site) -> None:
    """No page has one but the search and the filter."""
    path = refused(site, "ann@acme.example")
    reader = Person.signed_in(site, {Scope.READ})
    for page in ("/ui/recipients", path, "/ui/organizations/org-1"):
        actions = {form.action for form in reader.page(page).forms}
        assert actions <= {"/ui/connections", "/ui/recipients"}
        assert not {"Remove"} & set(reader.page(page).links)

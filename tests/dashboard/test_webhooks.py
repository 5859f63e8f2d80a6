"""Webhooks on the dashboard: endpoints and what is done to them, messages and sending them again."""

from __future__ import annotations

from uuid import UUID

import pytest

from refresher.rules.access import Scope
from tests.dashboard.kit import HERE, PUBLIC, Person, read
from tests.notify.webhooks import kit
from tests.web.kit import HOOK, Site


@pytest.fixture
def endpoint(site: Site) -> UUID:
    """An endpoint of "org" that nothing was sent to."""
    made, _ = kit.add(site.world, "http://127.0.0.1:9/hooks")
    return made


def told(site: Site, number: int, state: int) -> list[str]:
    """Has so many things happen; their messages are in this state (2 held, 3 arrived, 4 given up)."""
    connection = site.world.connect()
    events = [str(kit.happen(site.world, connection)) for _ in range(number)]
    kit.claim(site.world)
    site.world.run(
        "update webhook_delivery set state = :state, lease_until = null, ended_at = "
        "refresher_now() where state in (0, 1)",
        state=state,
    )
    return events


def states(site: Site) -> dict[int, int]:
    """How many messages are in each state."""
    rows = site.world.rows("select state, count(*) as n from webhook_delivery group by 1")
    return {row.state: row.n for row in rows}


def test_an_endpoint_is_added_and_its_secret_shown_once(site: Site, person: Person) -> None:
    """The form says whose it is; what it refuses stays typed; the secret is on no other page."""
    wrong = person.post("/ui/webhooks/add", url="ftp://x", event="*", organization="org")
    assert (wrong.status_code, 'value="ftp://x"' in wrong.text) == (422, True)
    for whose in ({}, {"organization": "org", "operators": "on"}):
        answer = person.post("/ui/webhooks/add", None, url=HOOK, event="*", **whose)
        assert (answer.status_code, "give an organization" in answer.text) == (422, True)
    form = person.form("/ui/webhooks/add", "/ui/webhooks/add")
    assert ("event", "*") in form.filled(None, {})
    made = person.post("/ui/webhooks/add", url=HOOK, event=["*"], organization="org")
    assert made.status_code == 200
    secret = made.text.partition("whsec_")[2].partition("<")[0]
    path = read(made).links["I have it"].removeprefix(HERE)
    pages = ["/ui/webhooks", path, f"{path}/edit", "/ui/audit"]
    assert secret
    assert not [page for page in pages if secret in person.get(page).text]
    rotated = person.submit(f"{path}/rotate-secret", f"{path}/rotate-secret")
    other = rotated.text.partition("whsec_")[2].partition("<")[0]
    assert other not in {"", secret}
    assert "the one before signs as well" in person.get(path).text


def test_held_messages_go_out_when_it_is_enabled(
    site: Site, person: Person, endpoint: UUID
) -> None:
    """Disabling asks, with the number; a question about something that changed is asked again."""
    told(site, 3, 0)
    path = f"/ui/webhooks/{endpoint}"
    question = person.form(f"{path}/disable", f"{path}/disable")
    assert "3 messages that wait are held" in person.page(f"{path}/disable").words
    said = person.followed(person.send("POST", question.action, question.filled(None, {})))
    assert "It is disabled: 3 messages are held for it." in said.words
    stale = person.send("POST", question.action, [*question.filled(None, {}), ("once", "other")])
    assert (stale.status_code, "changed meanwhile" in stale.text) == (409, True)
    assert "Of 1 endpoint 1 is disabled." in person.page("/ui/webhooks").words
    assert states(site) == {2: 3}
    said = person.followed(person.submit(path, f"{path}/enable"))
    assert "3 held messages can go out now" in said.words
    assert states(site) == {0: 3}


def test_messages_are_sent_again(site: Site, person: Person, endpoint: UUID) -> None:
    """One, all that failed with the number first, or a span; a disabled endpoint says what helps."""
    arrived, failed = told(site, 2, 3), told(site, 3, 4)
    path = f"/ui/webhooks/{endpoint}"
    assert "3 messages were given up" in person.page(path).words
    assert failed[0] not in person.get(f"{path}?state=delivered").text
    said = person.followed(person.post(f"{path}/replay", event=arrived[0]))
    assert "1 message is due again" in said.words
    assert person.post(f"{path}/replay", event=str(UUID(int=1))).status_code == 404
    preview = person.page(f"{path}/replay?failed=on")
    assert "3 messages would be sent again" in preview.words
    said = person.followed(person.submit(f"{path}/replay?failed=on", f"{path}/replay"))
    assert "3 messages are due again" in said.words
    assert states(site) == {0: 4, 3: 1}
    at = "2030-01-01 12:00"
    assert "1 message would be sent again" in person.page(f"{path}/replay?since={at}").words
    assert "Nothing would be sent" in person.page(f"{path}/replay?until={at}").words
    wrong = person.get(f"{path}/replay?since=yesterday")
    assert (wrong.status_code, 'value="yesterday"' in wrong.text) == (422, True)
    assert person.post(f"{path}/replay").status_code == 422
    person.post(f"{path}/disable")
    assert "nothing can be sent again" in person.page(f"{path}/replay?failed=on").words
    assert person.post(f"{path}/replay", failed="on").status_code == 409


def test_a_test_message_tells_what_came(person: Person, endpoint: UUID) -> None:
    """Whether it arrived is said, and nothing is stored."""
    said = person.followed(person.post(f"/ui/webhooks/{endpoint}/test"))
    assert "A test message did not arrive" in said.words
    assert "Nothing was sent to it yet" in said.words


def test_an_endpoint_is_changed_and_removed(site: Site, person: Person, endpoint: UUID) -> None:
    """What is wrong is refused and stays typed; removing tells how many messages go with it."""
    path = f"/ui/webhooks/{endpoint}"
    wrong = person.post(f"{path}/edit", url=HOOK, description="mine", event="no.such")
    assert (wrong.status_code, 'value="mine"' in wrong.text) == (422, True)
    changed = person.post(f"{path}/edit", url=HOOK, description="for ops", event="connection.*")
    assert "It is changed" in person.followed(changed).words
    assert "for ops" in person.page(path).words
    told(site, 2, 0)
    assert "2 messages for it" in person.page(f"{path}/remove").words
    assert "is removed" in person.followed(person.submit(f"{path}/remove", f"{path}/remove")).words
    assert person.get(path).status_code == 404
    assert "Nobody is told" in person.page("/ui/webhooks").words


def test_a_bound_key_sees_and_does_its_own_alone(site: Site, endpoint: UUID) -> None:
    """Another organization's endpoint is a 404 whatever is done; its own needs no word of whose."""
    bound = Person.signed_in(site, PUBLIC, "mine")
    path = f"/ui/webhooks/{endpoint}"
    gets = [path, *(f"{path}/{word}" for word in ("disable", "remove", "edit", "replay"))]
    assert {bound.get(page).status_code for page in gets} == {404}
    posts = ("test", "enable", "disable", "remove", "edit", "rotate-secret", "replay")
    assert {bound.post(f"{path}/{word}").status_code for word in posts} == {404}
    assert "organization" not in dict(bound.form("/ui/webhooks/add", "/ui/webhooks/add").fields)
    assert bound.post("/ui/webhooks/add", url=HOOK, event="*").status_code == 200
    assert HOOK in bound.get("/ui/webhooks?organization=org").text
    assert "127.0.0.1:9" not in bound.get("/ui/webhooks?organization=org").text


def test_who_only_reads_is_shown_no_button(site: Site, endpoint: UUID) -> None:
    """No form that changes anything, and no link to one."""
    told(site, 1, 4)
    reader = Person.signed_in(site, {Scope.READ})
    for page in ("/ui/webhooks", f"/ui/webhooks/{endpoint}"):
        assert [form.action for form in reader.page(page).forms] == ["/ui/connections"]
        assert not {"Add an endpoint", "Change it"} & set(reader.page(page).links)


def test_urls_are_text(site: Site, person: Person) -> None:
    """An endpoint's URL and words are no link and no markup, and long ones are cut."""
    hostile = "https://x.example/" + "a" * 300 + '"><script>alert(1)</script>'
    made, _ = kit.add(site.world, "https://127.0.0.1/hooks")
    site.world.run(
        "update webhook_endpoint set url = :url, description = :words where id = :id",
        url=hostile,
        words="\u202eevil <b>bold</b>",
        id=made,
    )
    for path in ("/ui/webhooks", f"/ui/webhooks/{made}"):
        text = person.get(path).text
        assert ("<script>alert" in text, "a" * 250 in text, "<b>bold" in text) == (False,) * 3
        assert ("\u202e" in text, "U+202E" in text) == (False, True)
        assert 'href="https://x.example' not in text


def test_thousands_of_endpoints_are_paged(site: Site, person: Person) -> None:
    """Each is on one page; a state or a cursor that there is not falls back, and says so."""
    site.world.run(
        "insert into webhook_endpoint (id, url, events, secret) select gen_random_uuid(), "
        "'https://a.example/' || n, '{*}', 'x' from generate_series(1, 10050) n"
    )
    page, seen = person.page("/ui/webhooks"), 0
    assert "Messages arrive at all 10,000+ endpoints." in page.words
    for _ in range(3):
        seen += sum(text.startswith("https://a.example/") for text in page.links)
        page = person.page(page.links["Next page"].removeprefix(HERE))
    assert seen == 150
    assert "not known any more" in person.page("/ui/webhooks?cursor=x").words
    made = site.world.one("select id from webhook_endpoint limit 1")[0]
    assert "no such state" in person.page(f"/ui/webhooks/{made}?state=odd&cursor=%00").words

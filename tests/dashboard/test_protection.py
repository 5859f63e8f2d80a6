"""What the dashboard is safe from: other sites, old forms, wrong proxies, large bodies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from refresher.rules.access import Scope
from refresher.store import audit
from refresher.web.dashboard import static
from tests.dashboard.kit import Person, read
from tests.web.kit import Site
from tests.world import World

PROXY_KEY = "proxykeyproxy"[:12]


def test_every_answer_carries_the_headers(person: Person) -> None:
    """Pages, errors, redirections, static files, 304, and what a stranger gets."""
    style = static.address("style.css")
    live = person.get("/ui/live/overview")
    for answer in (
        person.get("/ui"),
        person.get("/ui/nowhere"),
        person.get(style),
        person.get("/ui/static/0000/style.css"),
        live,
        person.get("/ui/live/overview", if_none_match=live.headers["etag"]),
        person.post("/ui/account/look", zone="UTC"),
        Person(person.site).get("/ui"),
        Person(person.site).get("/ui/sign-in"),
        Person(person.site).send("PUT", "/ui/sign-in", {}),
    ):
        told = answer.headers
        policy = told["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert told["referrer-policy"] == "same-origin"
        assert told["x-content-type-options"] == "nosniff"
        assert told["cross-origin-opener-policy"] == "same-origin"
        is_static = str(answer.url).endswith(style)
        kept = "public, max-age=31536000, immutable" if is_static else "no-store"
        assert told["cache-control"] == kept
    assert person.get("/ui/live/overview", if_none_match=live.headers["etag"]).status_code == 304


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site", "origin": "http://localhost"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none"},
        {"sec_fetch_site": "", "origin": "https://evil.example"},
    ],
)
def test_a_form_of_another_site_is_refused(person: Person, headers: dict[str, str]) -> None:
    """Even with the cookie, and with a token; what it held is not shown either."""
    fields = {"csrf": person.token("/ui/account/look"), "zone": "Europe/Berlin"}
    answer = person.send("POST", "/ui/account/look", fields, **headers)
    assert answer.status_code == 403
    assert "nothing was changed" in read(answer).words
    assert "Europe/Berlin" not in answer.text


def test_an_old_browser_tells_its_origin_alone(person: Person) -> None:
    """Which is enough, where it is ours."""
    fields = [("csrf", person.token("/ui/account/look")), ("zone", "UTC")]
    headers = {"origin": "http://localhost", "cookie": f"refresher={person.secret}"}
    answer = person.site(
        "POST", "http://localhost/ui/account/look", key=None, headers=headers, data=dict(fields)
    )
    assert answer.status_code == 303


@pytest.mark.parametrize("token", [None, "", "0" * 64, "other form", "other session", "über"])
def test_a_form_without_its_token_is_refused(person: Person, token: str | None) -> None:
    """Missing, made up, of another form, of another session: the page keeps what was typed."""
    given = {
        "other form": person.token("/ui/sign-out"),
        "other session": Person.signed_in(person.site).token("/ui/account/look"),
    }.get(token or "", token)
    fields = {"zone": "Europe/Berlin"} | ({} if given is None else {"csrf": given})
    answer = person.send("POST", "/ui/account/look", fields, referer="http://localhost/ui/account")
    page = read(answer)
    assert answer.status_code == 403
    assert "Europe/Berlin" in page.words
    assert page.links["Open it anew"].endswith("/ui/account")


def test_bodies_are_small_forms(person: Person) -> None:
    """At most 64 KiB, and no other kind."""
    large = person.post("/ui/account/look", zone="x" * 66_000)
    assert (large.status_code, "65,536 bytes" in read(large).words) == (413, True)
    other = person.site(
        "POST", "http://localhost/ui/account/look", key=None, json={},
        headers={"origin": "http://localhost", "cookie": f"refresher={person.secret}"},
    )  # fmt: skip
    assert other.status_code == 415


def test_a_link_of_another_site_arrives_signed_in(person: Person) -> None:
    """Without the Strict cookie: the page leads to itself, once, and that request brings it."""
    stranger = Person(person.site)
    outside = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}
    first = stranger.get("/ui/account?x=%3Cb%3E&y=1", **outside)
    assert first.status_code == 200
    assert 'content="0; url=/ui/account?x=%3Cb%3E&amp;y=1"' in first.text
    (mark,) = first.headers.get_list("set-cookie")
    assert "refresher-bounced=1" in mark
    assert "SameSite=Lax" in mark
    again = stranger.get("/ui/account", **outside)
    assert (again.status_code, again.headers["location"]) == (303, "/ui/sign-in?next=/ui/account")
    assert person.get("/ui/account", sec_fetch_site="same-origin").status_code == 200


def test_no_method_but_looking_in_a_session_that_only_looks(site: Site) -> None:
    """Whatever the key may, whatever the address: refused before it is looked for."""
    looks = Person.signed_in(site, read_only=True)
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        for path in ("/ui", "/ui/connections/1/delete", "/ui/nowhere", "/ui/account/sessions"):
            assert looks.send(method, path, {}).status_code == 403, (method, path)
    assert "only looks" in looks.page("/ui/account").words
    assert looks.submit("/ui/account", "/ui/account/look", zone="UTC").status_code == 303
    assert looks.submit("/ui/sign-out", "/ui/sign-out").status_code == 303


def test_what_is_not_offered(person: Person) -> None:
    """405 names what is; an address that leads nowhere is 404, with the search field."""
    refused = person.send("DELETE", "/ui", {})
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
    page = person.page("/ui/nowhere/at/all", 404)
    assert any(form.action == "/ui/connections" for form in page.forms)
    head = person.send("HEAD", "/ui")
    assert head.status_code == 200


@pytest.fixture
def proxied(database_url: str) -> Iterator[Site]:
    """A web process behind a proxy that tells who somebody is."""
    given = {
        "dashboard_user_header": "X-Forwarded-User",
        "dashboard_proxies": "127.0.0.1",
        "dashboard_proxy_key_id": PROXY_KEY,
    }
    world = World(database_url, **given)
    with Site.opened(world) as opened:
        key_id = opened.new_key([Scope.READ, Scope.WRITE, Scope.TOKEN]).split("_")[1]
        object.__setattr__(opened.api._dashboard, "_proxy_key_id", key_id)
        yield opened
    world.close()


def test_a_proxy_names_people(proxied: Site) -> None:
    """With the rights of its key, and with forms of their own; the audit says who it was."""
    ann = Person(proxied)
    named = {"x_forwarded_user": "ann@acme.example"}
    page = read(ann.get("/ui/account", **named))
    assert "ann@acme.example" in page.words
    assert "read, write" in page.words
    form = next(f for f in page.forms if f.action == "/ui/account/look")
    fields = form.filled(None, {"zone": "UTC"})
    assert ann.send("POST", "/ui/account/look", fields, **named).status_code == 303
    ben = ann.send("POST", "/ui/account/look", fields, x_forwarded_user="ben@acme.example")
    assert ben.status_code == 403


def test_the_header_of_anybody_else_is_refused(proxied: Site) -> None:
    """Not taken for a guest's: who sends it wants to be somebody."""
    transport: Any = proxied._client._transport
    transport.client = ("192.0.2.7", 1)
    answer = Person(proxied).get("/ui", x_forwarded_user="ann")
    assert answer.status_code == 400
    assert Person(proxied).get("/ui").status_code == 303


@pytest.mark.parametrize("name", ["", "x" * 65, "a\x07b"])
def test_a_proxy_s_nonsense_is_refused(proxied: Site, name: str) -> None:
    """A name is printable, and of some length."""
    assert Person(proxied).get("/ui", x_forwarded_user=name).status_code == 400


def test_the_same_form_is_carried_out_once(person: Person) -> None:
    """A double click gets the first answer again."""
    fields = {"once": "number-of-the-form", "id": "others"}
    first = person.post("/ui/account/sessions", **fields)
    second = person.post("/ui/account/sessions", **fields)
    assert (first.status_code, second.status_code) == (303, 303)
    with person.site.world.services.database.transaction() as db:
        deeds = [one.action for one in audit.recent(db, key_id=person.key_id)]
    assert deeds.count("sessions_ended") == 1


def test_off_means_off(database_url: str) -> None:
    """There is nothing under /ui then."""
    world = World(database_url, dashboard="off")
    with Site.opened(world) as site:
        assert site("GET", "/ui", key=None).json()["code"] == "not_found"
    world.close()

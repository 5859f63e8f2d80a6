"""Resume links from making to use: once, in time, unchanged, and only for what waits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest

from refresher.rules.access import Scope
from refresher.rules.resume_links import PURPOSE, Link, sign
from refresher.runtime.cipher import Cipher, new_key, parse_key
from refresher.store import state_changes
from tests.web.kit import Site
from tests.world import refused

NEW = {"access_token": "new-access", "refresh_token": "new-refresh", "expires_in": 3600}


def link(site: Site, connection: UUID, **body: Any) -> str:
    """Makes a link and returns its path."""
    answer = site("POST", f"/v1/connections/{connection}/resume-link", json=body)
    assert answer.status_code == 201, answer.text
    path: str = answer.json()["path"]
    return path


def use(site: Site, path: str, **arguments: Any) -> tuple[int, str]:
    """Uses a link without a key; returns status and the problem's code."""
    answer = site("POST", path, key=None, **arguments)
    return answer.status_code, answer.json().get("code", "")


def paused(site: Site) -> UUID:
    """A paused connection."""
    one = site.world.connect()
    with site.world.services.database.transaction() as db:
        state_changes.stop(db, one, "paused")
    return one


def dead(site: Site) -> UUID:
    """A connection whose grant the provider refused."""
    one = site.world.connect(expires_in=1)
    site.world.pass_time(60)
    site.world.script.answer = lambda _: refused("invalid_grant")
    site.world.tick()
    assert site.world.row(one).status == "reconnect_required"
    return one


def test_a_paused_connection_goes_on(site: Site):
    """The link works once, without a key; what came along is in the event and with the link."""
    one = paused(site)
    path = link(site, one)

    answer = site("POST", path, key=None, json={"approved_by": "Ann", "password": "p"})

    assert (answer.status_code, answer.json()) == (200, {"resumed": True})
    assert site.world.row(one).state == 0
    event = site.world.one("select reason from refresh_event where kind = 'resumed'")
    assert '{"approved_by": "Ann", "password": "***"}' in event.reason
    stored = site.world.one("select * from resume_link")
    assert stored.payload == {"approved_by": "Ann", "password": "***"}
    assert use(site, path) == (410, "link_used")


def test_looking_at_a_link_does_nothing(site: Site):
    """A scanner's GET or HEAD shows nothing of the connection and leaves the link unused."""
    one = paused(site)
    path = link(site, one)

    for method in ("GET", "HEAD"):
        answer = site(method, path, key=None)
        assert answer.status_code == 200
        assert path not in answer.text
        assert str(one) not in answer.text
    for method in ("PUT", "DELETE", "OPTIONS"):
        answer = site(method, path, key=None)
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")

    assert site.world.row(one).state == 2
    assert use(site, path) == (200, "")


def test_of_many_calls_at_once_one_counts(site: Site):
    """A link is used once, however many call it at the same time."""
    path = link(site, paused(site))

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: use(site, path)[0], range(8)))

    assert sorted(statuses) == [200] + [410] * 7
    assert [
        row.n
        for row in site.world.rows("select count(*) as n from refresh_event where kind = 'resumed'")
    ] == [1]


def test_a_link_ends(site: Site):
    """By the database's clock; asked for too long or too short a time, it is not made."""
    one = paused(site)
    path = link(site, one, expires_in_seconds=60)
    site.world.pass_time(61)

    assert use(site, path) == (410, "link_expired")
    assert site.world.row(one).state == 2


def test_a_link_that_was_made_up_is_none(site: Site):
    """With the wrong key, of another connection, or without its row."""
    one, other = paused(site), site.world.connect("c2")
    path = link(site, one)
    identity = site.world.one("select id, expires_at from resume_link")
    end = int(identity.expires_at.timestamp())
    [(key_id, key)] = site.world.services.cipher.derived(PURPOSE).items()
    strange = Cipher([parse_key(new_key())]).derived(PURPOSE)
    forged = [
        sign(Link(identity.id, one, end), *next(iter(strange.items()))),
        sign(Link(identity.id, one, end), key_id, next(iter(strange.values()))),
        sign(Link(identity.id, other, end), key_id, key),
        sign(Link(uuid4(), one, end), key_id, key),
        path.rpartition("/")[2][:-1],
        "x",
        "rsm_" + "A" * 103,
    ]

    assert {use(site, f"/v1/resume/{text}") for text in forged} == {(404, "invalid_link")}
    assert site.world.row(one).state == 2


def test_a_dead_grant_needs_tokens_or_a_decision(site: Site):
    """Without either the link is refused and stays good; tokens are a reconnect."""
    one = dead(site)
    path = link(site, one)

    assert use(site, path) == (422, "tokens_needed")
    assert use(site, path, json={"tokens": {"access_token": ""}}) == (422, "invalid_body")
    assert use(site, path, json={"tokens": NEW}) == (200, "")

    row = site.world.row(one)
    assert (row.status, row.state, row.grant_number) == ("active", 0, 2)
    assert site.world.token(one, "refresh_token") == "new-refresh"


def test_a_dead_grant_is_tried_again_on_request(site: Site):
    """`retry` presents the stored tokens once more, and the provider decides."""
    one = dead(site)
    assert use(site, link(site, one), json={"retry": True}) == (200, "")
    site.world.script.answer = site.world.script.rotate

    assert site.world.tick()["refreshed"] == 1
    assert site.world.row(one).status == "active"


def test_the_end_of_an_oauth_dance(site: Site):
    """A connection that waits mid-OAuth goes on with the tokens that the dance brought."""
    one = site.world.connect(
        access_token=None, refresh_token=None, expires_in=None, in_between_steps=True, name="Ann's"
    )
    path = link(site, one)

    assert use(site, path) == (422, "tokens_needed")
    assert use(site, path, json={"tokens": NEW, "by": "callback"}) == (200, "")

    row = site.world.row(one)
    assert (row.state, row.parked_reason) == (0, None)
    assert site.world.one("select name from connection").name == "Ann's"


def test_what_somebody_switched_off_stays_off(site: Site):
    """No link enables a disabled connection, brings a deleted one back, or wakes one that is awake."""
    awake, off, gone = (site.world.connect(name) for name in ("awake", "off", "gone"))
    paths = [link(site, one) for one in (awake, off, gone)]
    with site.world.services.database.transaction() as db:
        state_changes.stop(db, off, "disabled")
        state_changes.stop(db, gone, "deleted")

    assert {use(site, path, json={}) for path in paths} == {(409, "not_waiting")}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            {"content": b"x", "headers": {"content-type": "text/plain"}},
            (415, "unsupported_media_type"),
        ),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, (400, "invalid_json")),
        ({"json": []}, (422, "invalid_body")),
        ({"json": "text"}, (422, "invalid_body")),
        ({"json": {"retry": "yes"}}, (422, "invalid_body")),
        ({"json": {"tokens": "t"}}, (422, "invalid_body")),
        ({"json": {"tokens": {"acces_token": "t"}}}, (422, "invalid_body")),
        ({"json": {"tokens": {"expires_in": 5}}}, (422, "invalid_body")),
        ({"json": {"tokens": {"access_token": 7}}}, (422, "invalid_connection")),
        ({"json": {"tokens": {**NEW, "expires_in": "soon"}}}, (422, "invalid_connection")),
        ({"json": {"a": "x" * 300_000}}, (413, "too_large")),
        (
            {
                "content": b'{"a":' * 500 + b"1" + b"}" * 500,
                "headers": {"content-type": "application/json"},
            },
            (422, "invalid_body"),
        ),
    ],
)
def test_a_bad_body_leaves_the_link_good(shared: Site, arguments, expected):
    """Each in one sentence, and no token in it."""
    one = shared.world.connect(f"bad-{uuid4()}", in_between_steps=True)
    path = link(shared, one)

    assert use(shared, path, **arguments) == expected
    assert use(shared, path, json={"tokens": NEW}) == (200, "")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"expires_in_seconds": 59}, 422),
        ({"expires_in_seconds": 2_592_001}, 422),
        ({"days": 1}, 422),
    ],
)
def test_a_link_lasts_a_minute_to_thirty_days(shared: Site, body, status):
    """Other lengths are refused by name."""
    one = shared.world.connect("lasting")

    assert shared("POST", f"/v1/connections/{one}/resume-link", json=body).status_code == status


def test_making_a_link_needs_write_and_the_own_organization(shared: Site):
    """A reader, and a key of another tenant, make none."""
    one = shared.world.connect("mine")
    path = f"/v1/connections/{one}/resume-link"

    assert shared("POST", path, key=shared.new_key([Scope.READ]), json={}).status_code == 403
    assert shared("POST", path, key=shared.new_key(Scope, "other"), json={}).status_code == 404
    assert shared("POST", path, key=shared.new_key(Scope, "org"), json={}).status_code == 201

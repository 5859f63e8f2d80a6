"""Resume links after they were made: bound to their key, listed, withdrawn, counted, and audited."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from refresher.connections import api_keys
from refresher.rules.access import Scope
from refresher.store import state_changes
from tests.web.kit import Site, refused
from tests.web.test_resume import NEW, dead, link, paused, use
from tests.world import World


def key_id(key: str) -> str:
    """Returns the public part."""
    return key.split("_")[1]


def links(site: Site, connection: UUID, **more: Any) -> list[dict[str, Any]]:
    """Lists a connection's links."""
    answer = site("GET", f"/v1/connections/{connection}/resume-links", **more)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def made_with(site: Site, connection: UUID, key: str, **body: Any) -> str:
    """Makes a link with this key and returns its path."""
    answer = site("POST", f"/v1/connections/{connection}/resume-link", key=key, json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["path"])


def test_a_revoked_key_takes_its_links_along(site: Site) -> None:
    """They are 410 from then on, in the list as well; another key's link stays good."""
    one = paused(site)
    key = site.new_key(organization_id="org")
    theirs, ours = made_with(site, one, key, expires_in_seconds=2_592_000), link(site, one)

    api_keys.revoke(site.world.services.database, key_id(key), by=site.actor)

    assert use(site, theirs) == (410, "link_withdrawn")
    assert [item["state"] for item in links(site, one)] == ["open", "withdrawn"]
    assert site.world.row(one).state == 2
    assert use(site, ours) == (200, "")


def test_a_link_ends_with_its_key(site: Site) -> None:
    """A key with an end makes no link that outlives it."""
    one = paused(site)
    path = made_with(site, one, site.new_key(expires_in_seconds=600.0), expires_in_seconds=3_600)
    assert links(site, one)[0]["expires_at"] == "2030-01-01T12:10:00Z"
    site.world.pass_time(601)
    assert use(site, path) == (410, "link_expired")


def test_a_working_connection_keeps_its_account(site: Site) -> None:
    """Tokens are refused while nothing waits for them, and the link stays good for what it is for."""
    one = site.world.connect()
    path = link(site, one)

    assert use(site, path, json={"tokens": NEW}) == (409, "not_waiting")
    with site.world.services.database.transaction() as db:
        state_changes.stop(db, one, "paused")
    assert use(site, path, json={"tokens": NEW}) == (409, "not_waiting")

    assert site.world.token(one) == "access-of-c1"
    assert use(site, path) == (200, "")


@pytest.mark.parametrize("state", ["works", "paused", "dead"])
def test_a_link_may_be_made_to_replace_tokens(site: Site, state: str) -> None:
    """With `replaces_tokens` it takes them in any state but a disabled one."""
    one = {
        "works": site.world.connect,
        "paused": lambda: paused(site),
        "dead": lambda: dead(site),
    }[state]()
    path = link(site, one, replaces_tokens=True)

    assert links(site, one)[0]["replaces_tokens"] is True
    assert use(site, path, json={"tokens": NEW}) == (200, "")

    assert (site.world.token(one), site.world.row(one).state) == ("new-access", 0)


def test_links_are_listed_without_being_shown(site: Site) -> None:
    """Each with its state and who made it, the newest first; nothing by which one could be used."""
    one = paused(site)
    path = link(site, one)
    link(site, one)
    first = links(site, one)[1]
    assert use(site, path) == (200, "")

    listed = links(site, one)

    assert [item["state"] for item in listed] == ["open", "used"]
    assert listed[1]["id"] == first["id"]
    assert listed[1]["key_id"] == key_id(site.key)
    assert listed[1]["made_by"] == f"by API key {key_id(site.key)}"
    text = path.removeprefix("/v1/resume/rsm_")
    assert not any(text[at : at + 12] in str(listed) for at in range(len(text) - 12))


def test_a_withdrawn_link_is_worth_nothing(site: Site) -> None:
    """410 for whoever has it; withdrawing it again is as good; one that was used stays used."""
    one = paused(site)
    path, other = link(site, one), link(site, one)
    newest, oldest = links(site, one)
    where = f"/v1/connections/{one}/resume-links"

    for _ in range(2):
        answer = site("DELETE", f"{where}/{oldest['id']}").json()
        assert (answer["state"], answer["id"]) == ("withdrawn", oldest["id"])
    assert use(site, path) == (410, "link_withdrawn")
    assert use(site, other) == (200, "")
    assert site("DELETE", f"{where}/{newest['id']}").json()["state"] == "used"
    refused(site("DELETE", f"{where}/{uuid4()}"), 404, "no_such_link")
    refused(site("DELETE", f"{where}/x"), 404, "no_such_link")
    elsewhere = site.world.connect("c2")
    gone = site("DELETE", f"/v1/connections/{elsewhere}/resume-links/{newest['id']}")
    refused(gone, 404, "no_such_link")


def test_making_using_and_withdrawing_stand_in_the_audit(site: Site) -> None:
    """In the name of the key that made it, with the connection's organization and the link's id."""
    one = paused(site)
    path = link(site, one)
    link(site, one)
    newest, oldest = links(site, one)
    assert use(site, path) == (200, "")
    site("DELETE", f"/v1/connections/{one}/resume-links/{newest['id']}")

    rows = site.world.rows("select * from audit where connection_id = :id order by id", id=one)

    assert [(row.action, row.subject) for row in rows] == [
        ("resume_link", f"link:{oldest['id']}"),
        ("resume_link", f"link:{newest['id']}"),
        ("link_used", f"link:{oldest['id']}"),
        ("link_withdrawn", f"link:{newest['id']}"),
    ]
    assert {(row.key_id, row.organization_id) for row in rows} == {(key_id(site.key), "org")}


def test_a_refused_use_is_no_deed(site: Site) -> None:
    """What was not done is not in the audit as done: use and deed are one transaction."""
    one = site.world.connect()
    path = link(site, one)
    assert use(site, path) == (409, "not_waiting")
    assert site.world.rows("select 1 from audit where action = 'link_used'") == []


def test_open_links_have_a_quota(database_url: str) -> None:
    """REFRESHER_QUOTA_LINKS for each organization; used and withdrawn ones do not count."""
    world = World(database_url, quota_links=2)
    with Site.opened(world) as site:
        one, other = paused(site), site.world.connect("x", organization_id="other")
        path = link(site, one)
        link(site, one)
        where = f"/v1/connections/{one}/resume-link"
        problem = refused(site("POST", where, json={}), 409, "quota_reached")
        assert "REFRESHER_QUOTA_LINKS" in problem["detail"]
        link(site, other)
        assert use(site, path) == (200, "")
        link(site, one)
        newest = links(site, one)[0]
        site("DELETE", f"/v1/connections/{one}/resume-links/{newest['id']}")
        link(site, one)
    world.close()


def test_listing_needs_read_and_withdrawing_write(shared: Site) -> None:
    """Neither implies the other."""
    one = shared.world.connect("scoped")
    reader, writer = shared.new_key([Scope.READ], "org"), shared.new_key([Scope.WRITE], "org")
    link(shared, one)
    item = links(shared, one, key=reader)[0]
    path = f"/v1/connections/{one}/resume-links"
    refused(shared("GET", path, key=writer), 403, "scope_missing")
    refused(shared("DELETE", f"{path}/{item['id']}", key=reader), 403, "scope_missing")
    assert shared("DELETE", f"{path}/{item['id']}", key=writer).json()["state"] == "withdrawn"

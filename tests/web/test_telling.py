"""Webhooks, recipients and organizations over HTTP: what the matrix of all routes does not show."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from refresher.outbound.egress import Egress
from refresher.store import recipients
from tests.notify.webhooks import kit
from tests.web.kit import Site, refused

HOOK = {"url": "https://app.example/hooks", "events": ["*"], "organization_id": "org"}


def make(site: Site, **more: Any) -> tuple[str, str]:
    """Creates an endpoint; returns its path and secret."""
    answer = site("POST", "/v1/webhooks", json={**HOOK, **more})
    assert answer.status_code == 201, answer.text
    return f"/v1/webhooks/{answer.json()['id']}", answer.json()["secret"]


def told(site: Site, path: str, times: int) -> list[str]:
    """Has so many things happen, and a message of each planned for the endpoint; returns the events."""
    connection = site.world.connect()
    events = [str(kit.happen(site.world, connection)) for _ in range(times)]
    kit.claim(site.world)
    assert len(site("GET", f"{path}/deliveries").json()["items"]) == times
    return events


def test_a_secret_is_shown_once_and_kept_nowhere_in_the_clear(site: Site) -> None:
    """Only creating and rotating answer a secret, and with an Idempotency-Key they keep none."""
    keyed = {"Idempotency-Key": "k"}
    made = site("POST", "/v1/webhooks", json=HOOK, headers=keyed).json()
    path = f"/v1/webhooks/{made['id']}"
    rotated = site("POST", f"{path}/rotate-secret", headers=keyed).json()
    assert made["secret"].startswith("whsec_")
    assert rotated["secret"] not in {made["secret"], ""}
    others = [site("GET", "/v1/webhooks"), site("GET", path), site("POST", f"{path}/test")]
    others += [site("POST", f"{path}/{word}") for word in ("disable", "enable")]
    rows = str([site.world.rows(f"select t::text from {t} t") for t in ("idempotency", "audit")])
    shown = rows + "".join(answer.text for answer in others)
    assert made["secret"] not in shown
    assert rotated["secret"] not in shown


def test_a_bound_key_makes_its_own_and_a_free_one_must_say_whose(site: Site) -> None:
    """Whose it is comes from a bound key; a key for all names it, and null is the operators'."""
    bound = site.new_key(organization_id="mine")
    body = {"url": HOOK["url"], "events": ["*"]}
    assert site("POST", "/v1/webhooks", key=bound, json=body).json()["organization_id"] == "mine"
    refused(site("POST", "/v1/webhooks", key=bound, json=HOOK), 403, "organization_mismatch")
    assert (
        "missing" in refused(site("POST", "/v1/webhooks", json=body), 422, "invalid_body")["detail"]
    )
    operators = site("POST", "/v1/webhooks", json={**body, "organization_id": None})
    assert operators.json()["organization_id"] is None
    assert len(site("GET", "/v1/webhooks", key=bound).json()["items"]) == 1
    theirs = site("GET", "/v1/webhooks?organization_id=org", key=bound)
    assert theirs.json()["items"] == []


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        ({"events": ["connection.recoverd"]}, "did you mean"),
        ({"url": "http://app.example/hooks"}, "https"),
        ({"url": "https://inside.example"}, "private"),
    ],
)
def test_an_endpoint_that_cannot_be_is_refused_and_changes_nothing(
    site: Site, wrong: dict[str, object], part: str
) -> None:
    """Creating and changing refuse an unknown event, plain http and a private address (422)."""
    path, _ = make(site)
    before = site("GET", path).json()
    lookup = {"inside.example": "10.0.0.1"}
    site.api.state.egress = Egress(lookup=lambda host: [lookup.get(host, "93.184.216.34")])
    for answer in (
        site("POST", "/v1/webhooks", json={**HOOK, **wrong}),
        site("PATCH", path, json=wrong),
    ):
        assert part in refused(answer, 422, "invalid_webhook")["detail"]
    assert site("GET", "/v1/webhooks").json()["items"] == [before]


def test_a_disabled_endpoint_holds_its_messages_until_it_is_enabled(site: Site) -> None:
    """Disabling holds what waits and says by whom; replay is refused; enabling releases it all."""
    path, _ = make(site)
    told(site, path, 2)
    site.world.run("update webhook_delivery set state = 0, lease_until = null, due_at = now()")
    stopped = site("POST", f"{path}/disable").json()
    assert (stopped["held"], stopped["waiting"]) == (2, 0)
    assert stopped["disabled_reason"].startswith("by API key ")
    refused(site("POST", f"{path}/replay", json={"only_failed": True}), 409, "webhook_disabled")
    started = site("POST", f"{path}/enable").json()
    assert (started["released"], started["waiting"], started["disabled_at"]) == (2, 2, None)


def test_messages_page_backwards_and_are_replayed(site: Site) -> None:
    """Deliveries page without a gap, a delivered one is replayed by its event, a foreign one is 404."""
    path, _ = make(site)
    events = told(site, path, 3)
    site.world.run("update webhook_delivery set state = 3, lease_until = null")
    first = site("GET", f"{path}/deliveries?limit=2").json()
    rest = site("GET", f"{path}/deliveries?limit=2&cursor={first['next_cursor']}").json()
    assert [m["event_id"] for m in first["items"] + rest["items"]] == events[::-1]
    assert rest["next_cursor"] is None
    answer = site("POST", f"{path}/replay", json={"event_id": events[0]})
    assert answer.json()["replayed"] == 1
    waiting = site("GET", f"{path}/deliveries?state=waiting").json()["items"]
    assert [m["event_id"] for m in waiting] == events[:1]
    other, _ = make(site, organization_id="other")
    for where, event in ((path, str(uuid4())), (other, events[0])):
        answer = site("POST", f"{where}/replay", json={"event_id": event})
        refused(answer, 404, "no_such_event")
    refused(site("POST", f"{path}/replay", json={}), 422, "invalid_body")


def test_lists_of_who_is_told_page_through_everything_once(site: Site) -> None:
    """Endpoints, recipients and organizations page by cursor; one that was made up is refused."""
    for n in range(3):
        make(site, description=f"{n}")
        body = {"address": f"a{n}@x.example", "organization_id": "org" if n else None}
        assert site("PUT", "/v1/recipients", json=body).status_code == 201
        assert site("PUT", f"/v1/organizations/org%2F{n}", json={"name": "x"}).status_code == 200
    for listing in ("webhooks", "recipients", "organizations"):
        seen: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            query = {"limit": "2", **({"cursor": cursor} if cursor else {})}
            page = site("GET", f"/v1/{listing}", params=query).json()
            seen += [item["id"] for item in page["items"]]
            cursor = page["next_cursor"]
        assert len(seen) == len(set(seen)) == 3, listing
        refused(site("GET", f"/v1/{listing}?cursor=made-up"), 400, "invalid_cursor")


def test_a_recipient_is_added_changed_tried_again_and_removed(site: Site) -> None:
    """PUT adds and unblocks, PATCH changes the choices it names, DELETE ends it."""
    body = {"address": "Ann@ACME.example", "organization_id": "org"}
    id_ = site("PUT", "/v1/recipients", json=body).json()["id"]
    path = f"/v1/recipients/{id_}"
    site.world.run("update recipient set blocked_at = now(), blocked_reason = 'no such mailbox'")
    assert site("GET", path).json()["blocked_reason"] == "no such mailbox"
    site("PATCH", path, json={"choices": {"connection.expiring": "none"}})
    again = site(
        "PUT", "/v1/recipients", json={**body, "choices": {"connection.recovered": "none"}}
    )
    assert (again.status_code, again.json()["blocked_at"]) == (200, None)
    assert again.json()["address"] == "Ann@acme.example"
    changed = site("PATCH", path, json={"choices": {"connection.expiring": None}}).json()
    assert changed["choices"] == {"connection.recovered": "none"}
    assert site("DELETE", path).json() == {"id": id_, "deleted": True}
    refused(site("GET", path), 404, "no_such_recipient")
    wrong = {**body, "address": "nobody"}
    refused(site("PUT", "/v1/recipients", json=wrong), 422, "invalid_recipient")


def test_an_organization_s_page_is_judged_and_set_as_a_whole(site: Site) -> None:
    """A template that could lead astray is 422 and changes nothing; what is left out is forgotten."""
    path = "/v1/organizations/org"
    page = "https://app.example/{external_id}"
    site("PUT", path, json={"name": "Acme", "reconnect_url": page})
    for wrong in ("https://{provider}.example/", "http://app.example/", "https://app.example/{x}"):
        answer = site("PUT", path, json={"name": "other", "reconnect_url": wrong})
        refused(answer, 422, "invalid_organization")
    known = {"id": "org", "name": "Acme", "reconnect_url": page, "return_urls": []}
    assert site("GET", path).json() == known
    assert site("PUT", path, json={"name": "Acme"}).json()["reconnect_url"] is None
    refused(site("GET", "/v1/organizations/%00"), 404, "no_such_organization")


def test_deeds_stand_in_the_audit_without_addresses(site: Site) -> None:
    """Who made, changed or removed an endpoint or a recipient is written down, by id."""
    path, _ = make(site)
    site("PATCH", path, json={"description": "x"})
    site("DELETE", path)
    with site.world.services.database.transaction() as db:
        stored, _ = recipients.add(db, "org", "ann@acme.example", {})
    site("DELETE", f"/v1/recipients/{stored.id}")
    rows = site.world.rows(
        "select action, organization_id, subject from audit where action <> 'key_created' order by id"
    )
    id_ = UUID(path.rsplit("/", 1)[1])
    words = ("webhook_created", "webhook_changed", "webhook_deleted")
    expected = [(word, "org", f"webhook:{id_}") for word in words]
    expected.append(("recipient_deleted", "org", f"recipient:{stored.id}"))
    assert [tuple(row) for row in rows] == expected

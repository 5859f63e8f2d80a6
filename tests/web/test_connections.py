"""Connections over HTTP: register, list, look, change, steer, delete."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from refresher.rules.access import Scope
from refresher.rules.outcomes import Reply
from refresher.rules.providers import Provider
from tests.web.kit import Site, refused

LINE = {
    "organization_id": "org",
    "provider": "acme",
    "external_id": "1042",
    "access_token": "access-1",
    "refresh_token": "refresh-1",
    "expires_in": 3600,
    "scopes": ["mail", "files"],
    "metadata": {"plan": "gold"},
}


def test_registering_is_reconnecting(site: Site) -> None:
    """The first call creates (201), the same again reconnects (200); no answer holds a token."""
    first = site("PUT", "/v1/connections", json=LINE)
    again = site("PUT", "/v1/connections", json={**LINE, "access_token": "access-2"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert again.json()["credential_version"] == 2
    assert first.json()["metadata"] == {"plan": "gold"}
    assert site.world.token(UUID(first.json()["id"])) == "access-2"
    assert "access-" not in first.text + again.text


def test_what_cannot_be_stored_is_told_in_the_words_of_an_import(site: Site) -> None:
    """A rule that a schema cannot tell, an unknown provider and an unknown root are 422."""
    for field, given, part in (
        ("provider", "amce", "did you mean"),
        ("root_external_id", "none", "shares its root's tokens"),
        ("expires_at", "2030-01-01T00:00:00Z", "not both"),
        ("external_id", " ", "external_id is missing"),
    ):
        answer = site("PUT", "/v1/connections", json={**LINE, field: given})
        assert part in refused(answer, 422, "invalid_connection")["detail"]


def test_listing_pages_through_everything_once(site: Site) -> None:
    """Following `next_cursor` visits each connection exactly once, in a stable order."""
    for n in range(7):
        site.world.connect(f"c{n}")
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"limit": "3", **({"cursor": cursor} if cursor else {})}
        page = site("GET", "/v1/connections", params=query).json()
        seen += [item["external_id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == [f"c{n}" for n in range(7)]


def test_filters_narrow_the_list(site: Site) -> None:
    """Each filter leaves what fits it, and several narrow together."""
    site.world.connect("c1")
    paused = site.world.connect("c2")
    site.world.connect("c3", provider="paced")
    assert site("POST", f"/v1/connections/{paused}/pause").status_code == 200

    def listed(**query: str) -> list[str]:
        answer = site("GET", "/v1/connections", params=query)
        return [item["external_id"] for item in answer.json()["items"]]

    assert listed(provider="paced") == ["c3"]
    assert listed(state="parked") == ["c2"]
    assert listed(reason="paused", provider="acme") == ["c2"]
    assert listed(external_id="c1") == ["c1"]
    assert listed(organization_id="other") == []
    assert listed(state="idle", provider="acme") == ["c1"]
    assert listed(state="leased") == []
    assert listed(health="paused") == ["c2"]
    assert listed(health="fresh") == ["c1", "c3"]
    assert listed(find="c", organization_id="other") == []
    assert listed(find="c1") == ["c1"]
    assert listed(find="c") == ["c1", "c2", "c3"]
    assert listed(find=str(paused)[:8], limit="1") == ["c2"]


def test_a_search_says_what_it_does_not_take(site: Site) -> None:
    """What no id can be, other filters beside it, a word that there is not: 400 with a sentence."""
    for query, part in (
        ({"find": "x" * 10_000}, "find: that is 10,000 characters long"),
        ({"find": "a\x00"}, "control character"),
        ({"find": "a", "health": "late"}, "find goes without health"),
        ({"health": "well"}, "health"),
    ):
        answer = site("GET", "/v1/connections", params=query)
        assert part in refused(answer, 400, "invalid_query")["detail"]


def test_a_bound_key_lists_and_finds_its_own(site: Site) -> None:
    """Whatever it asks for, and nothing where it asks for another's."""
    for whose in ("one", "two"):
        for n in range(2):
            site.world.connect(f"c{n}", organization_id=whose)
    key = site.new_key([Scope.READ], "one")
    for query in ({}, {"health": "fresh"}, {"find": "c"}, {"provider": "acme"}, {"state": "idle"}):
        items = site("GET", "/v1/connections", params=query, key=key).json()["items"]
        assert [item["organization_id"] for item in items] == ["one", "one"], query
        other = site("GET", "/v1/connections", params={**query, "organization_id": "two"}, key=key)
        assert other.json()["items"] == []


def test_a_change_is_only_what_is_given(site: Site) -> None:
    """PATCH changes the fields that it names, null clears one, and the rest stays."""
    id_ = site("PUT", "/v1/connections", json={**LINE, "name": "Ann"}).json()["id"]
    path = f"/v1/connections/{id_}"
    answer = site("PATCH", path, json={"metadata": {"plan": "iron"}}).json()
    assert (answer["name"], answer["metadata"]) == ("Ann", {"plan": "iron"})
    answer = site("PATCH", path, json={"name": None, "scopes": ["mail"]}).json()
    assert (answer["name"], answer["scopes"], answer["metadata"]) == (
        None, ["mail"], {"plan": "iron"},
    )  # fmt: skip
    assert site.world.token(UUID(id_)) == "access-1"


def test_of_two_writers_who_read_the_same_one_is_told(site: Site) -> None:
    """With If-Match the second write is 412, also within one instant, and changes nothing."""
    path = f"/v1/connections/{site.world.connect()}"
    etag = site("GET", path).headers["etag"]
    first = site("PATCH", path, json={"name": "one"}, headers={"If-Match": etag})
    assert first.status_code == 200
    for method, where in (("PATCH", path), ("POST", f"{path}/pause"), ("DELETE", path)):
        body: dict[str, Any] = {"json": {"name": "two"}} if method == "PATCH" else {}
        refused(site(method, where, headers={"If-Match": etag}, **body), 412, "changed")
    assert site("GET", path).json()["name"] == "one"
    now = first.headers["etag"]
    assert site("DELETE", path, headers={"If-Match": f'"0-0", {now}'}).status_code == 200


def test_steering_moves_the_row_and_says_by_whom(site: Site) -> None:
    """Pause, resume, disable and enable do what their words say; each leaves event and audit."""
    id_ = site.world.connect()
    key_id = site("GET", "/v1/whoami").json()["key_id"]
    expected = {
        "pause": ("parked", "paused"),
        "resume": ("idle", None),
        "disable": ("parked", "disabled"),
        "enable": ("idle", None),
    }
    for word, (state, reason) in expected.items():
        shown = site("POST", f"/v1/connections/{id_}/{word}").json()
        assert (shown["state"], shown["parked_reason"]) == (state, reason), word
    events = site("GET", f"/v1/connections/{id_}/events").json()["items"]
    told = [(event["kind"], event["reason"]) for event in events[:4]][::-1]
    by = f"by API key {key_id}"
    assert told == [(k, by) for k in ("paused", "resumed", "disabled", "enabled")]
    audited = site.world.rows("select action, key_id from audit where connection_id = :c", c=id_)
    assert [row.action for row in audited] == ["paused", "resumed", "disabled", "enabled"]
    assert {row.key_id for row in audited} == {key_id}


def test_enabling_leaves_a_pause_alone(site: Site) -> None:
    """What was paused before it was disabled is paused again when it is enabled."""
    path = f"/v1/connections/{site.world.connect()}"
    for word in ("pause", "disable"):
        site("POST", f"{path}/{word}")
    assert site("POST", f"{path}/enable").json()["parked_reason"] == "paused"
    # And what was not disabled is left as it is
    assert site("POST", f"{path}/enable").json()["parked_reason"] == "paused"


def test_deleting_is_soft_and_registering_brings_back(site: Site) -> None:
    """A deleted connection is 404 on every route, and alive again after the next PUT."""
    id_ = site("PUT", "/v1/connections", json=LINE).json()["id"]
    path = f"/v1/connections/{id_}"
    assert site("DELETE", path).json() == {"id": id_, "deleted": True, "revocation": None}
    for method, where in (("GET", path), ("GET", f"{path}/token"), ("DELETE", path)):
        refused(site(method, where), 404, "no_such_connection")
    assert site("GET", "/v1/connections").json()["items"] == []
    assert site("PUT", "/v1/connections", json=LINE).status_code == 200
    assert site("GET", path).json()["state"] == "idle"


def test_a_grant_that_others_use_is_not_deleted(site: Site) -> None:
    """Deleting a root before its siblings is a conflict that names them."""
    root = site.world.connect("root")
    sibling = site.world.connect(
        "page", root_external_id="root", access_token=None, refresh_token=None, expires_in=None
    )
    answer = site("DELETE", f"/v1/connections/{root}")
    assert str(sibling) in refused(answer, 409, "holds_grant")["detail"]
    assert site("GET", f"/v1/connections/{sibling}").json()["root_id"] == str(root)


@pytest.mark.parametrize(
    ("reply", "outcome", "status"),
    [
        (Reply(200, {}, b""), "revoked", 200),
        (Reply(503, {}, b"secret words"), "refused", 503),
        (Reply(failure="timeout"), "unreachable", None),
    ],
)
def test_the_provider_is_asked_to_revoke(
    site: Site, reply: Reply, outcome: str, status: int | None
) -> None:
    """The refresh token goes to the revocation endpoint; whatever it says, the connection is gone."""
    add(
        site,
        Provider("ends", "https://ends.example/token", revocation_url="https://ends.example/r"),
    )
    id_ = site.world.connect(provider="ends")
    site.world.script.answer = lambda _request: reply
    answer = site("DELETE", f"/v1/connections/{id_}?revoke=true").json()
    told = answer["revocation"]
    assert (told["outcome"], told["http_status"]) == (outcome, status)
    (asked,) = site.world.script.asked
    assert (asked.url, asked.parameters["token"]) == ("https://ends.example/r", "refresh-of-c1")
    assert asked.parameters["client_secret"] == "app-secret"
    assert site.world.events(id_)[-2:] == ["deleted", "revocation"]
    assert "secret words" not in str(site.world.rows("select * from refresh_event"))


def test_a_provider_without_revocation_says_so(site: Site) -> None:
    """Nothing is sent where the catalogue knows no endpoint, and the answer says `unsupported`."""
    id_ = site.world.connect()
    told = site("DELETE", f"/v1/connections/{id_}?revoke=true").json()["revocation"]
    assert told["outcome"] == "unsupported"
    assert site.world.script.asked == []


def test_events_page_backwards(site: Site) -> None:
    """The newest events come first, and the cursor leads to older ones without a gap."""
    id_ = site.world.connect()
    for word in ("pause", "resume", "pause", "resume"):
        site("POST", f"/v1/connections/{id_}/{word}")
    path = f"/v1/connections/{id_}/events"
    first = site("GET", path, params={"limit": "3"}).json()
    rest = site("GET", path, params={"limit": "3", "cursor": first["next_cursor"]}).json()
    kinds = [event["kind"] for event in first["items"] + rest["items"]]
    assert kinds == ["resumed", "paused", "resumed", "paused", "imported"]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    "id_", ["1", "not-a-uuid", "11111111-2222-4333-8444-555555555555", "0" * 32, "%00", "é"]
)
def test_what_is_no_connection_is_404(shared: Site, id_: str) -> None:
    """A malformed id and an unknown one are one and the same refusal."""
    for suffix in ("", "/token", "/events"):
        answer = shared("GET", f"/v1/connections/{id_}{suffix}")
        refused(answer, 404, "no_such_connection")


def add(site: Site, provider: Provider) -> None:
    """Adds a provider, with an app, to the site's catalogue."""
    world = site.world
    known = world.services.catalogue
    object.__setattr__(known, "_providers", {**known._providers, provider.name: provider})
    body = {"provider": provider.name, "client_id": "id", "client_secret": "app-secret"}
    object.__setattr__(known, "_origins", dict.fromkeys(known.names, "file"))
    assert site("PUT", "/v1/apps", json=body).status_code == 200

"""Who may do what: each route of the table without a key, without its scope, as another tenant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from refresher.connections import api_keys
from refresher.rules.access import Scope
from refresher.web.problems import NONE_SUCH
from tests.waiting import wait_until
from tests.web.kit import Site, refused
from tests.web.rows import ROUTES, Route

BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("PUT", "/v1/connections"): {"provider": "acme", "external_id": "new", "access_token": "a"},
    ("PATCH", "/v1/connections/{id}"): {"name": "stolen"},
    ("PUT", "/v1/apps"): {"provider": "acme", "client_id": "stolen", "client_secret": None},
    ("POST", "/v1/apps/rotate-secret"): {"provider": "acme", "client_secret": "stolen"},
    ("POST", "/v1/apps/end-rotation"): {"provider": "acme"},
    ("POST", "/v1/webhooks"): {"url": "https://new.example", "events": ["*"]},
    ("PATCH", "/v1/webhooks/{webhook_id}"): {"description": "stolen"},
    ("POST", "/v1/webhooks/{webhook_id}/replay"): {"only_failed": True},
    ("PUT", "/v1/recipients"): {"address": "new@new.example"},
    ("PATCH", "/v1/recipients/{recipient_id}"): {"choices": {"connection.recovered": "none"}},
    ("PUT", "/v1/organizations/{organization_id}"): {"name": "stolen"},
    ("POST", "/v1/connect/sessions"): {"provider": "acme", "external_id": "new"},
    ("POST", "/v1/connect/sessions/{session_id}/complete"): {
        "code": "stolen",
        "verifier": "stolen".ljust(43, "-"),
    },
    ("POST", "/v1/answers/reread"): {"provider": "acme"},
    ("POST", "/v1/bulk/preview"): {"deed": "delete"},
    ("POST", "/v1/bulk"): {"deed": "delete", "number": 1},
}
ids = [f"{route.method} {route.path}" for route in ROUTES]
every_route = pytest.mark.parametrize("route", ROUTES, ids=ids)
with_scope = [route for route in ROUTES if route.scope is not None]


@pytest.fixture(scope="module")
def other(shared: Site) -> str:
    """Another tenant's key with every scope."""
    return shared.new_key(organization_id="other")


HELD = (
    (
        "select c.*, s.* from connection c join refresh_schedule s on s.connection_id = c.id "
        "where c.organization_id = 'org' order by c.id"
    ),
    "select * from webhook_endpoint where organization_id = 'org' order by id",
    "select * from recipient where organization_id = 'org' order by id",
    "select * from organization where id = 'org'",
    "select * from resume_link order by id",
    "select * from kept_answer order by id",
    "select * from connect_session where organization_id = 'org' order by id",
)


def held(site: Site) -> list[Any]:
    """Returns all that the first tenant has."""
    return [site.world.rows(query) for query in HELD]


def ask(site: Site, route: Route, given: Mapping[str, str], key: str | None) -> httpx.Response:
    """Sends a good request to a route, with these parts of its path."""
    path = route.path.format_map(given)
    body = BODIES.get((route.method, route.path), {} if route.body else None)
    return site(route.method, path, key=key, **({"json": body} if body is not None else {}))


@every_route
def test_without_a_key_nothing_is_answered(shared: Site, route: Route) -> None:
    """No key is 401 with a challenge (RFC 6750), whatever the path names."""
    answer = ask(shared, route, shared.parameters(route.path), None)
    refused(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"] == 'Bearer realm="refresher"'


@pytest.mark.parametrize("route", with_scope, ids=[f"{r.method} {r.path}" for r in with_scope])
def test_each_route_needs_its_own_scope(shared: Site, route: Route) -> None:
    """A key with every scope but the one is 403, for its own connections as well."""
    assert route.scope is not None
    key = shared.new_key(set(Scope) - {route.scope})
    answer = ask(shared, route, shared.parameters(route.path), key)
    refused(answer, 403, "scope_missing")
    assert f'scope="{route.scope}"' in answer.headers["www-authenticate"]


@every_route
def test_another_tenant_sees_and_changes_nothing(shared: Site, other: str, route: Route) -> None:
    """With the other tenant's key, a foreign id is an unknown one, and no list holds anything of it."""
    shared.parameters("{id} {webhook_id} {recipient_id} {answer_id} {session_id}")
    given = shared.parameters(route.path)
    before = held(shared)
    answer = ask(shared, route, given, other)
    code = next((code for part, code in NONE_SUCH.items() if part in route.path), None)
    if code is not None:
        refused(answer, 404, code)
    elif (route.method, route.path) == ("POST", "/v1/bulk"):
        if answer.status_code == 201:  # something of its own is there to delete
            assert answer.json()["organization_id"] == "other"
        else:
            refused(answer, 409, "bulk_refused")
    elif route.for_all_organizations:
        refused(answer, 403, "scope_missing")
    else:
        assert answer.status_code in {200, 201}, answer.text
    told = answer.text.replace(answer.request.url.path, "")
    names = ("id", "webhook_id", "recipient_id", "link_id", "answer_id", "session_id")
    ids = [given[name] for name in names if name in given]
    for leaked in ("foreign", "private", '"org"', *ids):
        assert leaked not in told
    assert held(shared) == before


def test_another_tenant_cannot_register_into_an_organization(shared: Site, other: str) -> None:
    """An organization_id that is not the key's own is refused, and stores nothing."""
    line = {**BODIES["PUT", "/v1/connections"], "organization_id": "org", "external_id": "planted"}
    answer = shared("PUT", "/v1/connections", key=other, json=line)
    refused(answer, 403, "organization_mismatch")
    assert shared("GET", "/v1/connections?external_id=planted").json()["items"] == []


def test_lists_and_numbers_are_the_tenant_s_own(site: Site) -> None:
    """A bound key counts and lists its organization; one for all counts and lists everything."""
    site.world.connect("mine")
    site.world.run("update connection set organization_id = 'mine'")
    site.world.connect("theirs")
    mine = site.new_key(organization_id="mine")
    listed = site("GET", "/v1/connections", key=mine).json()["items"]
    assert [item["external_id"] for item in listed] == ["mine"]
    assert site("GET", "/v1/stats", key=mine).json()["connections"] == 1
    assert site("GET", "/v1/stats").json()["connections"] == 2
    assert site("GET", "/v1/connections?organization_id=org", key=mine).json()["items"] == []


def test_a_dead_token_that_is_parked_counts_as_parked_alone(site: Site) -> None:
    """`expired` means the same as in doctor and top: dead, and to be refreshed."""
    for name in ("waits", "parked"):
        site.world.connect(name, expires_in=0)
    site.world.run(
        "update refresh_schedule set state = 2, parked_reason = 'reconnect_required' "
        "where connection_id = (select id from connection where external_id = 'parked')"
    )
    told = site("GET", "/v1/stats").json()
    assert (told["expired"], told["parked"]) == (1, {"reconnect_required": 1})


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer x", "Basic abc", "rfr_x", "Bearer rfr_abcdefghijkl_" + "s" * 43, "é"],
)
def test_what_is_no_key_is_refused(shared: Site, header: str) -> None:
    """Every other text is 401 `invalid_token`."""
    answer = shared(
        "GET", "/v1/whoami", key=None, headers={"Authorization": header.encode("latin-1")}
    )
    refused(answer, 401, "unauthorized")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_a_right_id_with_a_wrong_secret_is_unknown(shared: Site) -> None:
    """The last character of the secret counts."""
    wrong = shared.key[:-1] + ("A" if shared.key[-1] != "A" else "B")
    assert shared("GET", "/v1/whoami").status_code == 200
    refused(shared("GET", "/v1/whoami", key=wrong), 401, "unauthorized")


def test_a_revoked_key_is_refused_within_moments(site: Site) -> None:
    """A key that was just used is refused as soon as what is remembered is a second old."""
    key = site.new_key()
    assert site("GET", "/v1/whoami", key=key).status_code == 200
    api_keys.revoke(site.world.services.database, key.split("_")[1], by=site.actor)
    wait_until(lambda: site("GET", "/v1/whoami", key=key).status_code == 401, 5)
    assert "revoked" in site("GET", "/v1/whoami", key=key).json()["detail"]


def test_an_expired_key_is_refused(site: Site) -> None:
    """A key counts up to its end, in the database's clock."""
    key = site.new_key(expires_in_seconds=60.0)
    assert site("GET", "/v1/whoami", key=key).json()["expires_at"] == "2030-01-01T12:01:00Z"
    site.world.pass_time(60)
    wait_until(lambda: site("GET", "/v1/whoami", key=key).status_code == 401, 5)


def test_the_use_of_a_key_is_noted_rarely(site: Site) -> None:
    """`last_used_at` moves at most once a minute."""
    key_id = site.key.split("_")[1]
    used = []
    for _ in range(3):
        site.api.state.lookups.keyring._keys.clear()
        site("GET", "/v1/whoami")
        used.append(site.world.one("select last_used_at from api_key where id = :i", i=key_id)[0])
        site.world.pass_time(40)
    assert used[0] == used[1] < used[2]


def test_a_key_that_asks_too_often_is_told_when_to_come_again(site: Site) -> None:
    """Beyond its rate a key gets 429 with Retry-After; another key goes on."""
    site.api.state._rate = 2.0
    key = site.new_key()
    answers = [site("GET", "/v1/whoami", key=key) for _ in range(4)]
    assert [a.status_code for a in answers[:2]] == [200, 200]
    problem = refused(answers[-1], 429, "rate_limited")
    assert 0 < problem["retry_after_seconds"] <= 1
    assert answers[-1].headers["retry-after"] == "1"
    assert site("GET", "/v1/whoami").status_code == 200

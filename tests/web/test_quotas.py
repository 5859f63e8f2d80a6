"""How many connections an organization may have by API: none too many, and no known one in the way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.web.kit import Site, refused
from tests.world import World


@pytest.fixture
def two(database_url: str) -> Iterator[Site]:
    """An API at which an organization may have two connections."""
    world = World(database_url, quota_connections=2)
    with Site.opened(world) as site:
        yield site
    world.close()


def register(site: Site, name: str, organization: str = "org", **more: Any) -> httpx.Response:
    """Registers a connection."""
    line = {"provider": "acme", "external_id": name, "organization_id": organization}
    tokens = {"access_token": "a", "refresh_token": "r", "expires_in": 3600}
    return site("PUT", "/v1/connections", json={**line, **tokens, **more})


def test_a_third_connection_is_refused(two: Site) -> None:
    """409 with the setting's name, and nothing is stored; another organization has its own."""
    assert [register(two, name).status_code for name in ("c1", "c2")] == [201, 201]
    problem = refused(register(two, "c3"), 409, "quota_reached")
    assert "REFRESHER_QUOTA_CONNECTIONS" in problem["detail"]
    assert len(two("GET", "/v1/connections").json()["items"]) == 2
    assert register(two, "c3", "other").status_code == 201
    sql = "select count(*) as n from audit where action = 'registered'"
    assert two.world.one(sql).n == 3


def test_a_known_connection_is_none_more(two: Site) -> None:
    """A reconnect goes through with all places taken, also where there are more than may be."""
    for name in ("c1", "c2"):
        register(two, name)
    two.world.connect("c3")
    two.world.connect("c4")
    assert register(two, "c1", access_token="newer").status_code == 200
    refused(register(two, "c5"), 409, "quota_reached")


def test_one_that_was_deleted_takes_a_place_when_it_is_back(two: Site) -> None:
    """Deleting makes room, and whoever took it keeps it."""
    first = register(two, "c1").json()["id"]
    register(two, "c2")
    assert two("DELETE", f"/v1/connections/{first}").status_code == 200
    assert register(two, "c3").status_code == 201
    refused(register(two, "c1"), 409, "quota_reached")


def test_without_a_quota_there_is_none(site: Site) -> None:
    """As it is by default, for connections."""
    assert site.world.services.settings.quota_connections == 0
    assert {register(site, f"c{n}").status_code for n in range(30)} == {201}

"""Values of placeholders that are the app's: at the door, and in its connections' requests."""

from __future__ import annotations

from dataclasses import replace

import pytest

from refresher.catalogue import AppEntry, Catalogue
from refresher.connections.oauth_apps import store_app
from refresher.rules.clients import ClientCredentials
from refresher.rules.providers import Provider
from tests.world import World

PLACED = Provider(
    "acme", "https://{host}/{base}/token", host_pattern=r"[a-z]+\.acme\.example",
    placeholders={"base": "[a-z/]+", "key": "[a-z0-9]+"}, path_placeholders=("base",),
    default_placeholders={"base": ""}, headers={"X-Key": "{key}"},
    parameters={"access_token": "{access_token}"},
)  # fmt: skip


@pytest.fixture
def placed(world: World) -> World:
    """A world with an entry that wants a host and a key."""
    catalogue = Catalogue({"acme": PLACED}, {})
    world.services = replace(world.services, catalogue=catalogue)
    return world


def brings(world: World, **values: str) -> None:
    """Stores the app with these values."""
    client = ClientCredentials("app-id", None, placeholders=values)
    store_app(world.services.database, world.services.cipher, AppEntry("acme", client))


def test_what_the_app_brings_no_connection_is_asked_for(placed: World):
    """Host and key are the app's, the base path is none, and the stored access token goes along."""
    brings(placed, host="eu.acme.example", key="k1")
    placed.connect()
    placed.connect("c2", host="us.acme.example", placeholders={"base": "a/b", "key": "k2"})
    placed.pass_time(3600)
    assert placed.tick()["refreshed"] == 2
    asked = {r.url: (r.headers["X-Key"], r.parameters["access_token"]) for r in placed.script.asked}
    assert asked == {
        "https://eu.acme.example/token": ("k1", "access-of-c1"),
        "https://us.acme.example/a/b/token": ("k2", "access-of-c2"),
    }


def test_without_the_app_s_values_a_connection_is_asked_for_them(placed: World):
    """One sentence says which is missing."""
    brings(placed, key="k1")
    with pytest.raises(ValueError, match="host is missing"):
        placed.connect()


def test_a_value_that_goes_away_parks_its_connections_until_it_is_back(placed: World):
    """Nothing is sent to a place that is none; the app that is stored anew lets them go on."""
    brings(placed, host="eu.acme.example", key="k1")
    one = placed.connect()
    brings(placed, key="k1")
    placed.pass_time(3600)
    placed.tick()
    assert placed.script.asked == []
    assert placed.row(one).parked_reason == "unbuildable_request"
    brings(placed, host="us.acme.example", key="k1")
    placed.tick()
    assert [request.url for request in placed.script.asked] == ["https://us.acme.example/token"]

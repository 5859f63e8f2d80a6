"""The pages beside the API, in one process."""

from __future__ import annotations

from tests.web.kit import Site
from tests.world import World


def test_pages_stand_beside_the_api(site: Site) -> None:
    """A browser is answered a page, HEAD as GET; the API's own 404 stays JSON."""
    answer = site("GET", "/connect/nothing", key=None)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert [name for name, _ in answer.headers.multi_items()].count("x-content-type-options") == 1
    assert site("HEAD", "/connect/nothing", key=None).status_code == 404
    assert site("GET", "/connected", key=None).headers["content-type"] == "application/problem+json"


def test_pages_can_be_turned_off(database_url: str) -> None:
    """REFRESHER_CONNECT=false: there is nothing there."""
    world = World(database_url, connect=False)
    with Site.opened(world) as site:
        answer = site("GET", "/connect/nothing", key=None)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    world.close()

"""Kept answers over the API: listed by pages, and read again by whoever may write."""

from __future__ import annotations

from tests.web.kit import Site
from tests.world import granted


def test_an_answer_is_listed_and_read_again(site: Site) -> None:
    """`still_unread` while the catalogue lacks the names; its own tenant sees it, page by page."""
    world = site.world
    world.script.answer = lambda _: granted(accessToken="new-access")
    for name in ("one", "two"):
        world.connect(name, expires_in=0)
    world.tick()

    first = site("GET", "/v1/answers?limit=1&unread=true").json()
    second = site("GET", f"/v1/answers?limit=1&unread=true&cursor={first['next_cursor']}").json()

    items = [*first["items"], *second["items"]]
    assert {item["external_id"] for item in items} == {"one", "two"}
    assert second["next_cursor"] is None
    assert "new-access" not in str(items)
    path = f"/v1/answers/{items[0]['id']}"
    assert site("GET", path).json() == items[0]
    assert site("POST", f"{path}/reread").json()["outcome"] == "still_unread"
    done = site("POST", "/v1/answers/reread", json={"provider": "acme"}).json()["items"]
    assert [one["outcome"] for one in done] == ["still_unread"] * 2

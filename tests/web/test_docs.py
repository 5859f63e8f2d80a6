"""`docs/api.md` is true: its requests run in their order, and its answers are part of the real ones."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from refresher.settings import Settings, variable
from tests.web.kit import Site, let_people_connect, refused
from tests.web.rows import EVERY
from tests.world import World

TEXT = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
MAKERS = {
    ("PUT", "/v1/connections"): "id",
    ("POST", "/v1/webhooks"): "webhook_id",
    ("PUT", "/v1/recipients"): "recipient_id",
    ("POST", "/v1/connect/sessions"): "session_id",
    ("POST", "/v1/bulk"): "job_id",
}
ELSEWHERE = {
    # Told in security.md: an example would have to be signed by a provider.
    "/v1/signals/{provider}",
    # Told in connect.md: a person must have consented.
    "/v1/connect/sessions/{session_id}/complete",
    # Told below the list of answers: there must be one.
    "/v1/answers/{answer_id}",
    "/v1/answers/{answer_id}/reread",
}
BLOCKS = re.findall(r"```(http|json)\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def site(database_url: str) -> Iterator[Site]:
    """The API at an address to which people come back."""
    world = World(database_url, public_url="https://refresher.example")
    let_people_connect(world)
    with Site.opened(world) as opened:
        yield opened
    world.close()


def requests() -> list[tuple[str, str, dict[str, str], Any, Any]]:
    """Returns method, path, headers, body and what the answer is said to hold, of each example."""
    found = []
    for position, (language, text) in enumerate(BLOCKS):
        if language == "json":
            continue
        head, _, body = text.partition("\n\n")
        first, *lines = head.strip().splitlines()
        method, path = first.split(" ")
        following = BLOCKS[position + 1] if position + 1 < len(BLOCKS) else ("", "")
        said = json.loads(following[1]) if following[0] == "json" else {}
        headers = dict(line.split(": ", 1) for line in lines)
        found.append((method, path, headers, json.loads(body) if body else None, said))
    return found


def test_every_example_runs_as_it_stands(site: Site) -> None:
    """Each request of the page succeeds, and its answer holds what the page shows."""
    bound = site.new_key(organization_id="org-1")
    known: dict[str, str] = {}
    for method, path, headers, body, shown in requests():
        said = {} if "code" in shown else shown  # that of a problem follows the last request
        key = _key(site, path, bound)
        more = {} if body is None else {"json": body}
        answer = site(method, path.format_map(known), key=key, headers=headers, **more)
        assert answer.status_code in {200, 201}, (method, path, answer.text)
        given = answer.json()
        known |= _made(method, path, given)
        for name, value in said.items():
            if isinstance(value, dict):
                assert given[name] | value == given[name], (path, name)
            else:
                assert given[name] == value, (path, name)


def _key(site: Site, path: str, bound: str) -> str | None:
    """Returns the key that the page says a path needs."""
    if "{token}" in path:
        return None
    for_all = ("/v1/apps", "/pauses", "/history")
    return site.key if any(part in path for part in for_all) else bound


def _made(method: str, path: str, given: dict[str, Any]) -> dict[str, str]:
    """Returns the part of later paths that an answer gives."""
    if path.endswith("/resume-link"):
        return {"token": given["path"].rsplit("/", 1)[1], "link_id": given["id"]}
    name = MAKERS.get((method, path))
    return {name: given["id"]} if name else {}


def test_the_example_of_a_problem_is_one(site: Site) -> None:
    """A deleted connection is answered with the members that the page shows."""
    said = next(json.loads(text) for language, text in BLOCKS if '"code"' in text)
    answer = site("GET", "/v1/connections/00000000-0000-0000-0000-000000000000")
    problem = refused(answer, said["status"], said["code"])
    assert problem | said == problem


def test_the_page_has_every_route_and_no_other() -> None:
    """What is in the table is on the page."""
    shown = {(method, _pattern(path.partition("?")[0])) for method, path, *_ in requests()}
    described = {(r.method, r.path) for r in EVERY if r.path not in ELSEWHERE}
    assert shown == described


def _pattern(path: str) -> str:
    return path.replace("acme", "{name}").replace("org-1", "{organization_id}")


def test_the_page_s_settings_are_settings() -> None:
    """A variable that the page names is one that is read."""
    known = {variable(name) for name in Settings.model_fields}
    assert set(re.findall(r"REFRESHER_[A-Z_]+", TEXT)) <= known

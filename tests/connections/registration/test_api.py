"""What the API alone tells of registering, resuming, and of mistakes in a request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.connections.registration.kit import ENTRY, FRESH, NAMES, PAIR, Opened, Place
from tests.web.kit import Site, refused


def test_the_api_says_created_reconnected_and_updated(
    opened: Opened, site_of: Callable[[Place], Site]
) -> None:
    """201 is new, 200 is known; both kinds of scopes and what is missing are shown."""
    place = opened(ENTRY)
    site = site_of(place)
    line = {**NAMES, "scopes": ["mail", "files", "offline_access"]}
    made = site("PUT", "/v1/connections", json={**line, "answer": {**PAIR, "scope": "mail"}})
    assert made.status_code == 201
    again = site("PUT", "/v1/connections", json={**NAMES, "name": "Ann"})
    assert again.status_code == 200
    shown = again.json()
    assert shown["scopes"] == ["mail", "files", "offline_access"]
    assert (shown["granted_scopes"], shown["missing_scopes"]) == (["mail"], ["files"])
    assert (shown["credential_version"], shown["note"]) == (1, None)


def test_resuming_what_waits_for_nothing_does_nothing(
    opened: Opened, site_of: Callable[[Place], Site]
) -> None:
    """No event and no due time changes, and the answer says so; a paused one is resumed."""
    place = opened(ENTRY)
    site, id_ = site_of(place), place.take(FRESH)
    before, events = place.row(id_), place.events(id_)
    answer = site("POST", f"/v1/connections/{id_}/resume")
    assert (answer.status_code, answer.json()["note"]) == (200, "nothing to resume: it is active")
    assert (place.row(id_).due_at, place.events(id_)) == (before.due_at, events)
    site("POST", f"/v1/connections/{id_}/pause")
    answer = site("POST", f"/v1/connections/{id_}/resume")
    assert answer.json()["note"] is None
    assert place.events(id_)[-1] == "resumed"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"acess_token": "a"}, 'there is no such field (did you mean "access_token"?)'),
        ({"token_type": "Bearer"}, "a provider's whole answer goes into `answer`"),
        ({"scope": "a"}, 'did you mean "scopes"?'),
        ({"expires_at": 1_800_000_000}, 'such as "2026-12-31T23:59:59Z"'),
        ({"external_id": 1042}, 'it must be a text in quotes, such as "1042"'),
        ({"answer": PAIR, "refresh_token": "r"}, "give answer or refresh_token, not both"),
    ],
)
def test_each_mistake_in_a_body_says_what_was_meant(
    opened: Opened, site_of: Callable[[Place], Site], body: dict[str, Any], words: str
) -> None:
    """The field, what is wrong, and what to write instead."""
    answer = site_of(opened(ENTRY))("PUT", "/v1/connections", json={**NAMES, **body})
    assert answer.status_code == 422
    assert words in answer.json()["detail"]


def test_a_wrong_query_and_a_broken_body_say_where(
    opened: Opened, site_of: Callable[[Place], Site]
) -> None:
    """An unknown parameter is told with those that there are, broken JSON with its place."""
    site = site_of(opened(ENTRY))
    problem = refused(site("GET", "/v1/connections?status=active"), 400, "invalid_query")
    assert 'did you mean "state"?' in problem["detail"]
    problem = refused(site("GET", "/v1/connections?page=2"), 400, "invalid_query")
    assert "there are organization_id, provider, state" in problem["detail"]
    headers = {"content-type": "application/json"}
    answer = site("PUT", "/v1/connections", content=b'{"provider":\n "x",}', headers=headers)
    assert "line 2, column" in refused(answer, 400, "invalid_json")["detail"]

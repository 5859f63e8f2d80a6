"""A server that wants more than was consented to: one link for it, and none where nothing helps."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from refresher.client import AsyncRefresher, Refresher
from refresher.devkit.browser import Browser
from tests.client.conftest import Place

WANTS = {"www-authenticate": 'Bearer error="insufficient_scope", scope="write all"'}


def refusal(status: int = 403, headers: dict[str, str] | None = None) -> httpx.Response:
    """Returns what a resource server answers."""
    return httpx.Response(status, headers=WANTS if headers is None else headers)


def test_one_link_for_what_is_missing(refresher: Refresher, place: Place) -> None:
    """The same while it is open; once it is cancelled, another; asyncio alike."""
    id_ = refresher.register(**place.fields(scopes=("read",))).id
    first = refresher.step_up(id_, refusal(), flow="link")
    assert first is not None
    assert first.connection_id == id_
    assert set(refresher.connect_status(first.session_id).scopes) >= {"write", "all"}
    assert refresher.step_up(id_, refusal()) == first
    refresher.connect_cancel(first.session_id)
    second = refresher.step_up(id_, refusal())
    assert second is not None
    assert second.session_id != first.session_id

    async def elsewhere() -> None:
        async with AsyncRefresher(**place.direct) as client:
            third = await client.step_up(id_, refusal())
            assert third is not None
            assert (await client.connect_status(second.session_id)).outcome == "cancelled"
            assert await client.step_up(id_, refusal()) == third

    asyncio.run(elsewhere())


def test_who_is_on_the_way_is_not_called_back(place: Place) -> None:
    """Another process made the link, and the person has left for the provider."""
    with Refresher(**place.direct) as one, Refresher(**place.direct) as other, Browser() as ann:
        id_ = one.register(**place.fields(scopes=("read",))).id
        start = one.step_up(id_, refusal())
        assert start is not None
        ann.open(start.url)
        ann.submit(until="/connect/callback")
        assert other.step_up(id_, refusal()) is None
        assert one.step_up(id_, refusal()) == start


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (401, WANTS),
        (403, {}),
        (403, {"www-authenticate": 'Bearer error="invalid_token"'}),
        (403, {"www-authenticate": 'Bearer error="insufficient_scope"'}),
        (403, {"www-authenticate": 'Bearer error="insufficient_scope", scope="read"'}),
    ],
)
def test_what_no_consent_can_mend_makes_no_link(
    refresher: Refresher, place: Place, status: int, headers: dict[str, str]
) -> None:
    """Another refusal, one that names no scope, and one for what is granted already: it would go on."""
    id_ = refresher.register(**place.fields(scopes=("read",))).id
    assert refresher.step_up(id_, refusal(status, headers)) is None

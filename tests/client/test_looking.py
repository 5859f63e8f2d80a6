"""The list of connections and what a key may do, directly and over HTTP alike."""

import asyncio
from typing import Any

import pytest

from refresher.client import AsyncRefresher, Refresher, calls
from tests.client.conftest import Place


def test_connections_are_listed_page_by_page(
    refresher: Refresher, place: Place, monkeypatch: pytest.MonkeyPatch
):
    """In the order of their names, of one organization and provider; asyncio alike."""
    names = {f"listed-{number}" for number in range(3)}
    for name in names:
        refresher.register(**place.fields(external_id=name))
    refresher.register(**place.fields(provider="google", external_id="listed"))
    monkeypatch.setattr(calls, "PAGE", 2)
    chosen: dict[str, Any] = {"organization_id": "org", "provider": "acme"}
    assert [one.external_id for one in refresher.connections(**chosen)] == sorted(names)
    assert len(list(refresher.connections(organization_id="org"))) == 4

    async def listed() -> list[str]:
        async with AsyncRefresher(**place.direct) as client:
            return [one.external_id async for one in client.connections(**chosen)]

    assert asyncio.run(listed()) == sorted(names)


def test_a_key_knows_its_rights(refresher: Refresher):
    """For one organization, or for all; without a key everything is allowed."""
    found = refresher.rights()
    assert found.organization_id in {None, "org"}
    assert {"read", "token", "write"} <= found.scopes

"""The SDK asks for a slot by its name: over HTTP and directly, with threads and asyncio."""

import asyncio
from typing import Any

import httpx
import pytest

from refresher.client import AsyncRefresher, Refresher, TokenUnavailable
from tests.client.conftest import Place


def both(place: Place) -> dict[str, Any]:
    """Returns what brings a main token and a user's, each of a grant of its own."""
    user = place.fields()
    names = ("access_token", "refresh_token", "expires_in")
    return place.fields(slots={"user": {name: user[name] for name in names}})


def test_a_slot_is_served_by_its_name(refresher: Refresher, place: Place):
    """And what there is not is told with what there is."""
    fields = both(place)
    made = refresher.register(**fields)
    served = refresher.token(made.id, slot="user")
    assert served.access_token.reveal() == fields["slots"]["user"]["access_token"]
    assert (served.slot, served.connection_id) == ("user", made.id)
    assert refresher.token(made.id).slot is None
    assert made.slots["user"]["status"] == "active"
    with pytest.raises(TokenUnavailable, match="it has user") as caught:
        refresher.token(made.id, slot="usr")
    assert caught.value.code == "no_such_slot"
    refresher.delete(made.id)
    with pytest.raises(TokenUnavailable):
        refresher.token(made.id, slot="user")


@pytest.mark.parametrize("mode", ["direct", "http"])
def test_an_auth_sends_a_slot_s_token_and_replaces_it_when_it_is_refused(place: Place, mode: str):
    """The 401 is about the slot's token; the main one is as it was."""
    fields, sent = both(place), list[str]()
    first = fields["slots"]["user"]["access_token"]

    def refuses_the_first(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers["Authorization"].removeprefix("Bearer "))
        return httpx.Response(401 if sent[-1] == first else 200)

    async def use() -> str:
        async with AsyncRefresher(**getattr(place, mode)) as refresher:
            made = await refresher.register(**fields)
            auth = refresher.auth(made.id, slot="user")
            transport = httpx.MockTransport(refuses_the_first)
            async with httpx.AsyncClient(auth=auth, transport=transport) as client:
                assert (await client.get("https://api.example/")).status_code == 200
            return (await refresher.token(made.id)).access_token.reveal()

    assert asyncio.run(use()) == fields["access_token"]
    assert (sent[0], len(sent)) == (first, 2)

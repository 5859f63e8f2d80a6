"""The SDK, directly on the database and over HTTP: the same calls, the same answers."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from refresher.client import (
    AsyncRefresher,
    Conflict,
    Connection,
    Event,
    InvalidConnection,
    NoSuchConnection,
    Refresher,
    RefreshResult,
    TokenUnavailable,
)
from refresher.store.events import recent
from tests.client.conftest import Place

BARE = {"access_token": None, "refresh_token": None, "expires_in": None}


def test_a_registered_connection_serves_its_token(refresher: Refresher, place: Place):
    """What an OAuth dance brought is stored, and served again with all that is known about it."""
    fields = place.fields(scopes=("read", "write"))
    made = refresher.register(**fields)
    served = refresher.token(made.id)
    assert served.access_token.reveal() == fields["access_token"]
    assert (served.connection_id, served.scopes) == (made.id, ("read", "write"))
    assert 3500 < (served.expires_in_seconds or 0) <= 3600
    assert served.expires_at is not None
    assert served.expires_at.tzinfo is not None
    assert (served.stale, served.reason, served.token_type) == (False, None, "Bearer")
    assert fields["access_token"] not in repr(served)
    assert (made.state, made.status, made.credential_version) == ("idle", "active", 1)
    assert refresher.get(made.id) == made


def test_registering_again_is_a_reconnect(refresher: Refresher, place: Place):
    """The same call again is the same connection, with the tokens of the new dance."""
    fields = place.fields()
    first = refresher.register(**fields)
    second = refresher.register(**{**fields, "access_token": "a-newer-one"})
    assert (second.id, second.credential_version) == (first.id, 2)
    assert refresher.token(first.id).access_token.reveal() == "a-newer-one"
    assert [event.kind for event in refresher.events(first.id)] == ["reconnected", "imported"]


def test_the_answer_of_a_token_endpoint_is_taken_as_it_came(refresher: Refresher, place: Place):
    """An OAuth library's token goes in whole; a field that is named wins over it."""
    fields = place.fields()
    answer = {
        "access_token": fields.pop("access_token"),
        "refresh_token": fields.pop("refresh_token"),
        "expires_in": fields.pop("expires_in"),
        "scope": "read write",
        "token_type": "Bearer",
        "id_token": "not ours",
    }
    ends = datetime.now(UTC) + timedelta(days=2)
    made = refresher.register(answer, **fields, expires_at=ends)
    assert made.scopes == ("read", "write")
    assert made.expires_at is not None
    assert abs((made.expires_at - ends).total_seconds()) < 1


def test_an_expired_token_is_refreshed_first(refresher: Refresher, place: Place):
    """Nobody is handed a token that has expired: the next one is fetched."""
    fields = place.fields(expires_in=0)
    made = refresher.register(**fields)
    before = place.requests()
    served = refresher.token(str(made.id))
    assert served.access_token.reveal() != fields["access_token"]
    assert (served.credential_version, place.requests() - before) == (2, 1)
    assert next(refresher.events(made.id)).kind == "refreshed"


def test_a_refresh_tells_how_it_ended(refresher: Refresher, connected: Connection, place: Place):
    """`refresh` does it now, and hands back the outcome, also when the provider refuses."""
    assert isinstance(ending := refresher.refresh(connected.id), RefreshResult)
    assert (ending.outcome, ending.by_us) == ("refreshed", True)
    place.provider.admin.revoke(connected.external_id)
    ending = refresher.refresh(connected.id)
    assert (ending.outcome, ending.reason) == ("revoked", "invalid_grant: consent withdrawn")


def test_a_pause_and_its_end(refresher: Refresher, connected: Connection):
    """A paused connection serves its token and is not refreshed; resuming it makes it due."""
    assert refresher.pause(connected.id).parked_reason == "paused"
    assert refresher.token(connected.id).stale is False
    with pytest.raises(TokenUnavailable, match="it is paused") as raised:
        refresher.refresh(connected.id)
    assert (raised.value.code, raised.value.retry_after_seconds) == ("paused", None)
    assert refresher.resume(connected.id).parked_reason is None


def test_a_deleted_connection_is_gone(refresher: Refresher, connected: Connection):
    """After `delete` there is no token, and no connection."""
    refresher.delete(connected.id)
    with pytest.raises(TokenUnavailable) as raised:
        refresher.token(connected.id)
    assert raised.value.code in {"deleted", "no_such_connection"}
    for gone in (refresher.get, refresher.pause, refresher.resume, refresher.delete):
        with pytest.raises(NoSuchConnection):
            gone(connected.id)


def test_a_grant_is_given_back_with_its_connection(refresher: Refresher, place: Place):
    """With `revoke=True` the provider is asked to end the grant, which the events tell."""
    made = refresher.register(**place.fields())
    refresher.delete(made.id, revoke=True)
    with Refresher(**place.direct) as direct:
        assert direct._direct is not None
        with direct._direct.services.database.transaction() as db:
            kinds = [event.kind for event in recent(db, made.id)]
    assert sorted(kinds[:2]) == ["deleted", "revocation"]


def test_a_shared_grant_is_not_deleted_before_its_users(
    refresher: Refresher, connected: Connection
):
    """The connection that others use is kept, and the sentence names them."""
    page = refresher.register(
        organization_id="org",
        provider="acme",
        external_id=f"page-of-{connected.external_id}",
        root_external_id=connected.external_id,
    )
    with pytest.raises(Conflict, match=str(page.id)):
        refresher.delete(connected.id)
    assert refresher.token(page.id).root_id in {connected.id, page.id}


def test_events_are_read_page_by_page(
    refresher: Refresher, connected: Connection, monkeypatch: pytest.MonkeyPatch
):
    """The whole history comes, the newest first, however long it is."""
    monkeypatch.setattr("refresher.client.calls.PAGE", 2)
    for _ in range(2):
        refresher.pause(connected.id)
        refresher.resume(connected.id)
    found = list(refresher.events(connected.id))
    assert [e.kind for e in found] == ["resumed", "paused", "resumed", "paused", "imported"]
    assert all(isinstance(event, Event) and event.occurred_at.tzinfo for event in found)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"provider": "acne"}, "acme"),
        ({"external_id": ""}, "external_id"),
        ({"expires_in": -1}, "expires_in"),
        ({"acess_token": "x"}, "acess_token"),
        ({"expires_at": datetime(2030, 1, 1)}, "aware datetime"),  # noqa: DTZ001
    ],
)
def test_a_wrong_field_is_named(
    refresher: Refresher, place: Place, wrong: dict[str, Any], sentence: str
):
    """What cannot be registered is refused in one sentence that names the field."""
    fields = {**place.fields(), **wrong}
    if "expires_at" in wrong:
        del fields["expires_in"]
    with pytest.raises(InvalidConnection, match=sentence):
        refresher.register(**fields)


def test_an_id_that_is_none_is_told(refresher: Refresher):
    """An unknown id, and a text that is no id, are told apart from trouble."""
    with pytest.raises(TokenUnavailable, match=r"no.*connection") as raised:
        refresher.token(uuid4())
    assert raised.value.code == "no_such_connection"
    with pytest.raises(NoSuchConnection):
        refresher.get(uuid4())
    with pytest.raises(NoSuchConnection, match="the UUID that register"):
        refresher.token("1042")


def test_asyncio_does_the_same(way: dict[str, Any], place: Place):
    """Every call of the SDK can be awaited, and answers as the one for threads does."""

    async def story() -> list[object]:
        async with AsyncRefresher(**way) as refresher:
            made = await refresher.register(**place.fields(expires_in=0))
            tokens = await asyncio.gather(*[refresher.token(made.id) for _ in range(100)])
            ending = await refresher.refresh(made.id)
            paused = await refresher.pause(made.id)
            resumed = await refresher.resume(made.id)
            again = await refresher.get(made.id)
            kinds = [event.kind async for event in refresher.events(made.id)]
            await refresher.delete(made.id)
            with pytest.raises(NoSuchConnection):
                await refresher.get(made.id)
            told = {token.access_token.reveal() for token in tokens}
            return [len(told), ending.outcome, paused.state, resumed.state, again == resumed, kinds]

    before = place.requests()
    kinds = ["resumed", "paused", "refreshed", "refreshed", "imported"]
    assert asyncio.run(story()) == [1, "refreshed", "parked", "idle", True, kinds]
    assert place.requests() - before == 2

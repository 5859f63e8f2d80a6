"""`auth=`: the token goes in by itself, and a 401 is put right once."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import httpx
import pytest

from refresher.client import (
    AsyncRefresher,
    Connection,
    ConnectionAuth,
    Refresher,
    Secret,
    Served,
    TokenUnavailable,
    fingerprint,
)
from refresher.errors import ApiUnavailable, SettingsError
from tests.client.conftest import Place


class Resource:
    """A resource server that knows which tokens are good, and which were presented."""

    def __init__(self) -> None:
        self.refused: set[str] = set()
        self.refuses_all = False
        self.presented: list[str] = []
        self.bodies: list[bytes] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answers 401 to a token it refuses."""
        token = request.headers["Authorization"].removeprefix("Bearer ")
        self.presented.append(token)
        self.bodies.append(request.read())
        bad = self.refuses_all or token in self.refused
        return httpx.Response(401 if bad else 200, json={"me": "ann"})

    def client(self, auth: httpx.Auth) -> httpx.Client:
        """Returns a client of this server."""
        return httpx.Client(
            auth=auth, transport=httpx.MockTransport(self), base_url="https://api.example"
        )

    def async_client(self, auth: httpx.Auth) -> httpx.AsyncClient:
        """Returns a client of this server for asyncio."""
        return httpx.AsyncClient(
            auth=auth, transport=httpx.MockTransport(self), base_url="https://api.example"
        )


@pytest.fixture
def resource() -> Resource:
    """A resource server."""
    return Resource()


class Source:
    """Stands for a `Refresher`: serves numbered tokens, and counts what it was asked."""

    def __init__(self, **served: Any) -> None:
        self.asked: list[str | None] = []
        self.error: Exception | None = None
        self._served = served

    def __call__(self, *, rejected: str | None) -> Served:
        """Serves token-1 until that is rejected."""
        self.asked.append(rejected)
        if rejected is not None and self.error is not None:
            raise self.error
        number = len({r for r in self.asked if r}) + 1
        ids = {"connection_id": UUID(int=1), "root_id": UUID(int=1)}
        fields: dict[str, Any] = {
            **ids,
            "access_token": Secret(f"token-{number}"),
            "expires_at": None,
            "expires_in_seconds": 3600.0,
            "scopes": (),
            "credential_version": number,
        }
        return Served(**{**fields, **self._served})

    async def awaited(self, *, rejected: str | None) -> Served:
        """Does the same for asyncio."""
        return self(rejected=rejected)


@pytest.fixture
def now() -> list[float]:
    """A clock of the test's own."""
    return [0.0]


def auth_of(source: Source, now: list[float], **more: Any) -> ConnectionAuth:
    """Returns an auth whose clock the test moves."""
    return ConnectionAuth(source, source.awaited, clock=lambda: now[0], **more)


def test_a_call_carries_the_token(refresher: Refresher, connected: Connection, resource: Resource):
    """One line, and each request is sent with the connection's token."""
    with resource.client(refresher.auth(connected.id)) as http:
        assert http.get("/me").json() == {"me": "ann"}
    assert resource.presented == [refresher.token(connected.id).access_token.reveal()]


def test_a_rejected_token_is_replaced_and_the_call_repeated(
    refresher: Refresher, place: Place, resource: Resource
):
    """A 401 costs one refresh, and the caller sees the answer to the repeated request."""
    fields = place.fields()
    made = refresher.register(**fields)
    resource.refused.add(fields["access_token"])
    before = place.requests()
    with resource.client(refresher.auth(made.id)) as http:
        assert http.post("/things", json={"a": 1}).status_code == 200
        assert http.get("/me").status_code == 200
    assert resource.presented[0] == fields["access_token"]
    assert len(set(resource.presented)) == 2
    assert resource.bodies[:2] == [b'{"a":1}'] * 2
    assert place.requests() - before == 1


def test_a_hundred_callers_with_one_bad_token_cause_one_refresh(
    refresher: Refresher, place: Place, resource: Resource
):
    """All report the same token; the first report refreshes it, the others find it done."""
    fields = place.fields()
    made = refresher.register(**fields)
    resource.refused.add(fields["access_token"])
    before = place.requests()
    auth = refresher.auth(made.id)
    with resource.client(auth) as http, ThreadPoolExecutor(20) as threads:
        answers = [threads.submit(http.get, "/me") for _ in range(100)]
        assert {answer.result().status_code for answer in answers} == {200}
    assert place.requests() - before == 1
    # A report about the old token, later, causes none
    old = fingerprint(Secret(fields["access_token"]))
    assert refresher.token(made.id, rejected=old).credential_version == 2
    assert place.requests() - before == 1


def test_asyncio_puts_it_right_as_well(way: dict[str, Any], place: Place, resource: Resource):
    """A hundred tasks with a bad token get their answers, after one refresh."""
    fields = place.fields()
    resource.refused.add(fields["access_token"])

    async def story() -> set[int]:
        async with AsyncRefresher(**way) as refresher:
            made = await refresher.register(**fields)
            async with resource.async_client(refresher.auth(made.id)) as http:
                answers = await asyncio.gather(*[http.get("/me") for _ in range(100)])
                return {answer.status_code for answer in answers}

    before = place.requests()
    assert asyncio.run(story()) == {200}
    assert place.requests() - before == 1


def test_a_refresher_for_threads_serves_an_async_client(
    refresher: Refresher, connected: Connection, resource: Resource
):
    """The auth of a `Refresher` works with both kinds of client."""

    async def story() -> int:
        async with resource.async_client(refresher.auth(connected.id)) as http:
            return (await http.get("/me")).status_code

    assert asyncio.run(story()) == 200


def test_an_async_refresher_refuses_a_client_for_threads(place: Place, resource: Resource):
    """The auth of an `AsyncRefresher` cannot wait in a thread, and says what can."""
    auth = AsyncRefresher(**place.http).auth("7b0d2a4e-5c0f-4c53-9f0e-0f6d1b7c9a11")
    with resource.client(auth) as http, pytest.raises(SettingsError, match="take a Refresher"):
        http.get("/me")


def test_a_dead_grant_is_told_to_the_caller(refresher: Refresher, place: Place, resource: Resource):
    """When only a new consent helps, that is the error, not a bare 401."""
    fields = place.fields()
    made = refresher.register(**fields)
    place.provider.admin.revoke(fields["external_id"])
    resource.refuses_all = True
    dead = pytest.raises(TokenUnavailable, match="must be connected again")
    with resource.client(refresher.auth(made.id)) as http, dead as raised:
        http.get("/me")
    assert raised.value.code == "reconnect_required"


def test_a_server_that_refuses_every_token_gets_two_at_most(resource: Resource, now: list[float]):
    """The request is repeated once; the second 401 is the caller's answer."""
    source = Source()
    resource.refuses_all = True
    with resource.client(auth_of(source, now)) as http:
        assert http.get("/me").status_code == 401
    assert resource.presented == ["token-1", "token-2"]


@pytest.mark.parametrize(
    "error",
    [
        TokenUnavailable("refresh_failed", "later", retry_after_seconds=10),
        ApiUnavailable("away"),
    ],
)
def test_trouble_that_passes_leaves_the_callers_401(
    resource: Resource, now: list[float], error: Exception
):
    """When no next token can be had at the moment, the caller gets the server's own answer."""
    source = Source()
    source.error = error
    resource.refuses_all = True
    with resource.client(auth_of(source, now)) as http:
        assert http.get("/me").status_code == 401
    assert resource.presented == ["token-1"]


def test_the_same_token_again_is_not_sent_again(resource: Resource, now: list[float]):
    """A token that was refreshed just now and is refused all the same is not presented twice."""
    source = Source(access_token=Secret("always"), stale=True)
    resource.refuses_all = True
    with resource.client(auth_of(source, now)) as http:
        assert http.get("/me").status_code == 401
    assert resource.presented == ["always"]
    assert len(source.asked) == 2


def test_a_body_that_can_be_read_once_is_sent_once(resource: Resource, now: list[float]):
    """A stream of the caller's is not repeated; the next request has the next token."""

    def stream() -> Iterator[bytes]:
        yield b"part"

    source = Source()
    resource.refused.add("token-1")
    with resource.client(auth_of(source, now)) as http:
        assert http.post("/upload", content=stream()).status_code == 401
        assert http.get("/me").status_code == 200
    assert resource.presented == ["token-1", "token-2"]


def test_a_form_with_files_is_repeated(resource: Resource, now: list[float]):
    """A multipart body is built anew for the second request."""
    resource.refused.add("token-1")
    with resource.client(auth_of(Source(), now)) as http:
        assert http.post("/upload", files={"f": b"content"}).status_code == 200
    assert resource.bodies[0] == resource.bodies[1]
    assert b"content" in resource.bodies[1]


@pytest.mark.parametrize(
    ("served", "after_seconds", "asked"),
    [
        ({}, 4.9, 1),
        ({}, 5.1, 2),
        ({"expires_in_seconds": None}, 4.9, 1),
        # Not for more than half of what is left, and a stale one not at all.
        ({"expires_in_seconds": 4.0}, 2.1, 2),
        ({"stale": True, "reason": "refresh_failed"}, 0.0, 2),
    ],
)
def test_a_token_is_remembered_for_a_moment(
    resource: Resource, now: list[float], served: dict[str, Any], after_seconds: float, asked: int
):
    """Calls in quick succession ask once; a token near its end is asked for again sooner."""
    source = Source(**served)
    with resource.client(auth_of(source, now)) as http:
        http.get("/me")
        now[0] += after_seconds
        http.get("/me")
    assert len(source.asked) == asked


def test_nothing_is_remembered_if_so_wished(resource: Resource, now: list[float]):
    """With `remember_seconds=0` every request asks."""
    source = Source()
    with resource.client(auth_of(source, now, remember_seconds=0)) as http:
        http.get("/me")
        http.get("/me")
    assert len(source.asked) == 2

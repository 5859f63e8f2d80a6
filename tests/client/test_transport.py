"""How the SDK asks the API: how long it waits, and what it asks for a second time."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from refresher import errors
from refresher.client import ApiError, ApiUnavailable, AsyncRefresher, Refresher, TokenUnavailable
from refresher.errors import RefresherError, SettingsError
from tests.client.test_problems import TOKEN

ID = "7b0d2a4e-5c0f-4c53-9f0e-0f6d1b7c9a11"
SHOWN = {"id": ID, "organization_id": "org", "provider": "p", "external_id": "e"}
SHOWN |= {"status": "active", "state": "idle", "credential_version": 1}  # type: ignore[dict-item]
API: dict[str, Any] = {"api_url": "http://localhost", "api_key": "rfr_x"}


class Breaking:
    """An API whose first connection breaks."""

    def __init__(self, error: type[httpx.TransportError] = httpx.ReadError) -> None:
        self.seen: list[httpx.Request] = []
        self._error = error

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answers from the second request on."""
        self.seen.append(request)
        if len(self.seen) == 1:
            raise self._error("broken")
        return httpx.Response(200, json=TOKEN if request.url.path.endswith("/token") else SHOWN)

    def opened(self, **more: Any) -> Refresher:
        """Returns the SDK before it."""
        return Refresher(
            **API, http_client=httpx.Client(transport=httpx.MockTransport(self)), **more
        )


@pytest.mark.parametrize(
    ("ask", "has_key"),
    [
        (lambda r: r.get(ID), False),
        (lambda r: r.token(ID), False),
        (lambda r: r.pause(ID), True),
        (lambda r: r.patch(ID, name="x"), True),
    ],
    ids=["get", "token", "pause", "patch"],
)
def test_a_broken_connection_is_tried_once_more(ask: Callable[[Refresher], object], has_key: bool):
    """What only looks, and what the API does once for one key: then it is the same key."""
    api = Breaking()
    with api.opened() as refresher:
        assert ask(refresher)
    keys = [request.headers.get("idempotency-key") for request in api.seen]
    assert len(keys) == 2
    assert keys[0] == keys[1]
    assert (keys[0] is not None) is has_key


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        # A second one would be a second refresh, a second link.
        (lambda r: r.refresh(ID), httpx.ReadError),
        (lambda r: r.resume_link(ID), httpx.ReadError),
        # Whoever has waited so long already does not wait again.
        (lambda r: r.get(ID), httpx.ReadTimeout),
    ],
    ids=["refresh", "link", "a time-out"],
)
def test_what_may_have_been_done_is_not_tried_again(
    ask: Callable[[Refresher], object], error: type[httpx.TransportError]
):
    """The caller is told that the API could not be reached."""
    api = Breaking(error)
    with api.opened() as refresher, pytest.raises(ApiUnavailable, match="cannot be reached"):
        ask(refresher)
    assert len(api.seen) == 1


def test_asyncio_tries_again_as_well():
    """With the same key."""
    api = Breaking()

    async def story() -> None:
        transport = httpx.MockTransport(api)
        async with httpx.AsyncClient(transport=transport) as client:
            await AsyncRefresher(**API, http_client=client).pause(ID)

    asyncio.run(story())
    assert len({request.headers["idempotency-key"] for request in api.seen}) == 1
    assert len(api.seen) == 2


def test_timeouts_are_what_was_said():
    """An answer may take `timeout_seconds` beyond the wait; who waits for a connection, as long."""
    api = Breaking()
    with api.opened(timeout_seconds=3) as refresher:
        refresher.token(ID, wait_seconds=20)
    timeouts = api.seen[0].extensions["timeout"]
    assert timeouts == {"connect": 3, "write": 3, "read": 23, "pool": 23}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"timeout": 3}, "there is no timeout: timeout_seconds is how long"),
        ({"timeout_seconds": 0}, "timeout_seconds must be more than 0"),
    ],
)
def test_a_wrong_timeout_is_told(given: dict[str, Any], sentence: str):
    """In one sentence, at the start."""
    with pytest.raises(SettingsError, match=sentence):
        Refresher(**API, **given)


def test_a_first_request_under_way_is_no_contradiction():
    """A second one meets it and is told to come again."""
    problem = {"code": "request_under_way", "detail": "its first is still under way"}

    def under_way(_: httpx.Request) -> httpx.Response:
        return httpx.Response(409, json=problem)

    client = httpx.Client(transport=httpx.MockTransport(under_way))
    opened = Refresher(**API, http_client=client)
    with opened, pytest.raises(ApiUnavailable, match="under way"):
        opened.pause(ID)


@pytest.mark.parametrize(
    "error",
    [
        TokenUnavailable("paused", "it is paused", retry_after_seconds=3.0),
        ApiError("no", status=418, code="teapot"),
        errors.NoSuchWebhook("x", "org"),
        errors.InvalidApp("one", "two"),
        errors.UnknownProvider("gogle", ["google"]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_can_be_pickled(error: RefresherError):
    """Kind, sentence and what they tell besides, in another process, too."""
    error.reconnects = print  # type: ignore[attr-defined]
    again = pickle.loads(pickle.dumps(error))
    del error.reconnects  # type: ignore[attr-defined]
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))

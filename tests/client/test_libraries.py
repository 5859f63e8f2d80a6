"""One auth for httpx, httpx2, requests and aiohttp: the same care for a token in all of them."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import httpx
import pytest
import requests

from refresher.client import AsyncRefresher, ConnectionAuth, TokenUnavailable
from refresher.errors import SettingsError
from tests.client.libraries import TASKS, THREADS, Caller, Resource, serving
from tests.client.test_auth import Source

ALL = [*THREADS, *TASKS]
ID = "7b0d2a4e-5c0f-4c53-9f0e-0f6d1b7c9a11"


@pytest.fixture
def resource() -> Iterator[Resource]:
    """A provider's API that refuses the first token."""
    made = Resource()
    made.refused.add("token-1")
    with serving(made):
        yield made


@pytest.fixture
def elsewhere() -> Iterator[Resource]:
    """Somebody else's server."""
    made = Resource()
    with serving(made):
        yield made


def auth_of(source: Source) -> ConnectionAuth:
    """Returns an auth for threads and tasks."""
    return ConnectionAuth(source, source.awaited)


@pytest.mark.parametrize("by", ALL, ids=lambda by: by.__name__)
def test_a_refused_token_is_reported_and_the_request_repeated(by: Caller, resource: Resource):
    """The report names the refused token, and the caller sees the second answer."""
    source = Source()
    assert by(auth_of(source), resource.url + "/me", 1) == [200]
    assert resource.presented == ["token-1", "token-2"]
    assert len(source.asked) == 2


@pytest.mark.parametrize("by", ALL, ids=lambda by: by.__name__)
def test_a_server_that_refuses_all_is_asked_twice(by: Caller, resource: Resource):
    """The second 401 is the caller's answer."""
    resource.refused |= {f"token-{number}" for number in range(9)}
    assert by(auth_of(Source()), resource.url + "/me", 1) == [401]
    assert resource.presented == ["token-1", "token-2"]


@pytest.mark.parametrize("by", ALL, ids=lambda by: by.__name__)
def test_another_origin_gets_no_token(by: Caller, resource: Resource, elsewhere: Resource):
    """Where a redirect leads to another server, none is sent there, and its 401 is no report."""
    resource.refused.clear()
    resource.leads_to = elsewhere.url + "/me"
    source = Source()
    assert by(auth_of(source), resource.url + "/away", 1) == [401]
    assert elsewhere.presented == [None]
    assert source.asked == [None]


@pytest.mark.parametrize("by", ALL, ids=lambda by: by.__name__)
def test_what_only_a_person_can_mend_is_raised(by: Caller, resource: Resource):
    """Not the bare 401, whatever the library."""
    source = Source()
    source.error = TokenUnavailable("reconnect_required", "connect it again")
    with pytest.raises(TokenUnavailable, match="connect it again"):
        by(auth_of(source), resource.url + "/me", 1)


@pytest.mark.parametrize("by", THREADS, ids=lambda by: by.__name__)
def test_an_async_auth_in_a_thread_says_what_to_take(by: Caller, resource: Resource):
    """Nobody awaits there."""
    auth = AsyncRefresher(api_url="http://localhost:1", api_key="rfr_x").auth(ID)
    with pytest.raises(SettingsError, match="take a Refresher here"):
        by(auth, resource.url, 1)


def test_another_library_is_told_of_headers():
    """What is neither of the four gets one sentence."""
    with pytest.raises(SettingsError, match=r"refresher\.headers"):
        auth_of(Source())(object())


@pytest.mark.parametrize("form", ["bytes", "files", "json", "a file"])
def test_requests_sends_a_body_again(form: str, resource: Resource):
    """Bytes, forms and files, which go back to where they were; cookies of the 401 count."""
    file = io.BytesIO(b"--content")
    file.seek(2)
    bodies: dict[str, dict[str, Any]] = {
        "bytes": {"data": b"content"},
        "files": {"files": {"f": b"content"}},
        "json": {"json": {"content": 1}},
        "a file": {"data": file},
    }
    answer = requests.post(resource.url, auth=auth_of(Source()), timeout=60, **bodies[form])
    assert answer.status_code == 200
    assert [one.status_code for one in answer.history] == [401]
    assert resource.bodies[0] == resource.bodies[1]
    assert b"content" in resource.bodies[1]


def test_requests_does_not_send_a_stream_again(resource: Resource):
    """A generator has been read; the caller gets the 401, and the next request the next token."""
    auth = auth_of(Source())
    sent = requests.post(resource.url, data=iter([b""]), auth=auth, timeout=60)
    assert sent.status_code == 401
    assert requests.get(resource.url, auth=auth, timeout=60).status_code == 200


def test_a_prepared_request_is_put_right_each_time(resource: Resource):
    """Who keeps one and sends it later, with a token that was refused meanwhile, is not left alone."""
    with requests.Session() as session:
        prepared = session.prepare_request(
            requests.Request("GET", resource.url, auth=auth_of(Source()))
        )
        assert [session.send(prepared).status_code for _ in range(2)] == [200, 200]


def test_aiohttp_sends_bytes_again_and_no_stream(resource: Resource):
    """Aiohttp tells which bodies are spent."""

    async def stream() -> AsyncIterator[bytes]:
        yield b"content"

    async def story() -> list[int]:
        found = []
        for body in (b"content", stream()):
            async with (
                aiohttp.ClientSession(middlewares=(auth_of(Source()),)) as session,
                session.post(resource.url, data=body) as answer,
            ):
                found.append(answer.status)
        return found

    assert asyncio.run(story()) == [200, 401]
    assert resource.bodies[:2] == [b"content"] * 2


def test_after_a_redirect_the_next_request_has_a_token_again(
    resource: Resource, elsewhere: Resource
):
    """Only what a redirect leads to goes without, not what the caller asks for."""
    resource.refused.clear()
    resource.leads_to = elsewhere.url + "/me"

    async def story() -> None:
        async with aiohttp.ClientSession(middlewares=(auth_of(Source()),)) as session:
            for path in ("/away", "/me"):
                async with session.get(resource.url + path) as answer:
                    await answer.read()
            async with session.get(elsewhere.url) as answer:
                await answer.read()

    asyncio.run(story())
    assert resource.presented == ["token-1", "token-1"]
    assert elsewhere.presented == [None, "token-1"]


def test_an_auth_is_an_httpx_auth():
    """For who looks."""
    assert isinstance(auth_of(Source()), httpx.Auth)

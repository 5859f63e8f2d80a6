"""The examples of docs/sdk.md, and those of the README that use the SDK, run as they stand."""

import io
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests

from refresher.rules.connection import ParkReason
from refresher.rules.unavailable import Why
from tests.client.conftest import Place

ROOT = Path(__file__).parent.parent.parent
PAGES = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("docs/sdk.md", "README.md")}
SDK = PAGES["docs/sdk.md"]


def _true(code: str, place: Place) -> str:
    """Returns an example with the key, and the organization, that it stands for."""
    return code.replace("rfr_…", place.http["api_key"]).replace('"org-1"', '"org"')


def blocks(page: str) -> list[str]:
    """Returns the Python of a page, in order."""
    return re.findall(r"```python\n(.*?)```", page, re.DOTALL)


@pytest.fixture
def internet(place: Place, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Leads the examples' hosts to this test's servers; returns the tokens the provider's API saw."""
    seen: list[str] = []
    send, send_async = (
        httpx.HTTPTransport.handle_request,
        httpx.AsyncHTTPTransport.handle_async_request,
    )

    def led(request: httpx.Request) -> httpx.Response | None:
        if request.url.host == "www.googleapis.com":
            seen.append(request.headers["Authorization"])
            return httpx.Response(200, json={"sub": "1042"}, request=request)
        if request.url.host == "refresher.example.com":
            ours = httpx.URL(place.http["api_url"])
            request.url = request.url.copy_with(scheme="http", host=ours.host, port=ours.port)
        return None

    monkeypatch.setattr(
        httpx.HTTPTransport, "handle_request", lambda self, r: led(r) or send(self, r)
    )

    async def handle(self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        return led(request) or await send_async(self, request)

    def by_requests(
        _: object, request: requests.PreparedRequest, **__: object
    ) -> requests.Response:
        seen.append(request.headers["Authorization"])
        answer = requests.Response()
        answer.status_code, answer.raw, answer.request = (
            200,
            io.BytesIO(b'{"sub": "1042"}'),
            request,
        )
        return answer

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", handle)
    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", by_requests)
    return seen


@pytest.mark.parametrize("page", ["docs/sdk.md", "README.md"])
def test_the_examples_run(page: str, place: Place, internet: list[str]):
    """Each example of a page runs after the ones before it, and the tokens reach the provider."""
    fields = place.fields()
    names = ("access_token", "refresh_token", "expires_in")
    given: dict[str, Any] = {"answer": {name: fields[name] for name in names}}
    ours = [
        code for code in blocks(PAGES[page]) if page != "README.md" or "refresher.client" in code
    ]
    try:
        for code in ours:
            exec(compile(_true(code, place), page, "exec"), given)
    finally:
        if "refresher" in given:
            given["refresher"].close()
    assert len(internet) >= (2 if page == "docs/sdk.md" else len(ours))
    assert not internet or internet[0] == f"Bearer {fields['access_token']}"


def test_the_five_lines_are_five():
    """Registering a connection and calling an API takes no more than the page says."""
    lines = [line for line in blocks(SDK)[0].splitlines() if line and "import" not in line]
    assert len(lines) <= 5


def test_every_code_on_the_page_exists():
    """What the page calls a code of `TokenUnavailable` is one, and none of ours is left out."""
    told = set(re.findall(r"`([a-z_]+)`", SDK.rpartition("`code` is ")[2]))
    known = {*(why.value for why in Why), *(reason.value for reason in ParkReason)}
    assert told <= known
    assert {why.value for why in Why} <= told

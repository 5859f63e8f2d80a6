"""What goes wrong between the SDK and the API, told as errors of ours."""

import asyncio
import subprocess
import sys
from typing import Any
from uuid import UUID

import httpx
import pytest

from refresher.client import (
    ApiError,
    ApiUnavailable,
    AsyncRefresher,
    Conflict,
    InvalidConnection,
    NoSuchConnection,
    NotAuthorized,
    Refresher,
    TokenUnavailable,
)
from refresher.errors import SettingsError
from tests.client.conftest import Place
from tests.ports import free_port

ID = UUID(int=7)
TOKEN = {
    "access_token": "t",
    "token_type": "Bearer",
    "expires_at": "2030-01-01T00:00:00Z",
    "expires_in_seconds": 60,
    "scopes": ["read"],
    "credential_version": 3,
    "fingerprint": "f",
    "stale": True,
    "reason": "refresh_failed",
}


def answering(status: int, document: Any = None, **more: Any) -> Refresher:
    """Returns an SDK whose API always answers so."""
    answer = httpx.Response(status, json=document, **more)
    transport = httpx.MockTransport(lambda _: answer)
    http = httpx.Client(transport=transport)
    return Refresher(api_url="https://refresher.example/", api_key="rfr_k", http_client=http)


def problem(code: str, **more: Any) -> dict[str, Any]:
    """Returns a problem document."""
    return {"type": "about:blank", "title": "A title", "detail": "A sentence.", "code": code} | more


@pytest.mark.parametrize(
    ("status", "document", "kind"),
    [
        (404, problem("no_such_connection"), NoSuchConnection),
        (404, problem("not_found"), ApiError),
        (409, problem("holds_grant"), Conflict),
        (422, problem("invalid_body"), ApiError),
        (401, problem("unauthorized"), NotAuthorized),
        (403, problem("forbidden"), NotAuthorized),
        (429, problem("too_many_requests"), ApiError),
        (500, problem("internal"), ApiUnavailable),
        (503, problem("database_unavailable"), ApiUnavailable),
    ],
)
def test_a_problem_document_becomes_an_error(status: int, document: Any, kind: type[Exception]):
    """Each refusal of the API has its class, and its sentence is the API's."""
    with pytest.raises(kind, match="A sentence") as raised:
        answering(status, document).get(ID)
    assert type(raised.value) is kind


@pytest.mark.parametrize("status", [404, 409, 503])
def test_a_token_that_cannot_be_had_has_its_code(status: int):
    """Whatever the status, the code of a token's refusal tells what is the matter."""
    document = problem("token_unavailable_now", reason="provider_paused", retry_after_seconds=30)
    with pytest.raises(TokenUnavailable) as raised:
        answering(status, document).token(ID)
    assert (raised.value.code, raised.value.retry_after_seconds) == ("provider_paused", 30)


@pytest.mark.parametrize("code", ["invalid_connection", "invalid_body"])
def test_a_registration_that_is_refused_has_its_class(code: str):
    """Whether a field or the whole is wrong, it is the connection that is invalid."""
    with pytest.raises(InvalidConnection, match="A sentence"):
        answering(422, problem(code)).register(
            organization_id="org", provider="acme", external_id="1"
        )


def test_who_asks_too_often_is_told_when_to_come_again():
    """The header counts where the document has no number."""
    with pytest.raises(ApiError) as raised:
        answering(429, problem("rate_limited"), headers={"Retry-After": "3"}).token(ID)
    assert (raised.value.status, raised.value.code) == (429, "rate_limited")
    assert raised.value.retry_after_seconds == 3


def test_a_page_of_a_proxy_is_no_riddle():
    """An answer that is not of the API gives its status."""
    with pytest.raises(ApiUnavailable, match="502: Bad Gateway"):
        answering(502, "<html>").token(ID)
    with pytest.raises(ApiError, match="404: Not Found"):
        answering(404, headers={"Retry-After": "soon"}).token(ID)


@pytest.mark.parametrize("document", [None, [], {}, {**TOKEN, "access_token": ""}, "text"])
def test_an_answer_without_a_token_is_an_error(document: Any):
    """Nothing that lacks a token passes for one, and what was answered is not repeated."""
    with pytest.raises(ApiError, match="check api_url"):
        answering(200, document).token(ID)


def test_a_token_answer_is_read_whole():
    """Every field of the answer arrives as a value of its kind."""
    served = answering(200, TOKEN).token(ID)
    assert (served.stale, served.reason, served.scopes) == (True, "refresh_failed", ("read",))
    assert served.expires_at is not None
    assert (served.expires_at.year, served.credential_version) == (2030, 3)
    endless = answering(200, {**TOKEN, "expires_at": None, "expires_in_seconds": None}).token(ID)
    assert (endless.expires_at, endless.expires_in_seconds) == (None, None)


def test_an_api_that_is_away_is_told():
    """Nobody listens: one sentence with the URL, for threads and for asyncio."""
    url = f"http://127.0.0.1:{free_port()}"
    away = pytest.raises(ApiUnavailable, match=f"{url} cannot be reached")
    with Refresher(api_url=url, api_key="k") as refresher, away:
        refresher.token(ID)

    async def story() -> None:
        async with AsyncRefresher(api_url=url, api_key="k") as refresher:
            with pytest.raises(ApiUnavailable, match="cannot be reached"):
                await refresher.token(ID)

    asyncio.run(story())


def test_a_wrong_key_is_told(place: Place):
    """The API does not know the key."""
    wrong = Refresher(api_url=place.http["api_url"], api_key="rfr_wrong")
    with wrong as refresher, pytest.raises(NotAuthorized, match="no API key"):
        refresher.token(ID)


def test_one_async_refresher_serves_several_loops(place: Place):
    """Each event loop gets connections of its own."""
    refresher = AsyncRefresher(**place.http)

    async def ask() -> str:
        with pytest.raises(TokenUnavailable) as raised:
            await refresher.token(ID)
        await refresher.aclose()
        return raised.value.code

    assert {asyncio.run(ask()) for _ in range(2)} == {"no_such_connection"}


def test_an_async_client_that_is_given_is_used():
    """An application's own httpx client carries the requests."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=TOKEN))

    async def ask() -> int:
        http = httpx.AsyncClient(transport=transport)
        async with AsyncRefresher(
            api_url="https://r.example", api_key="k", http_client=http
        ) as refresher:
            return (await refresher.token(ID)).credential_version

    assert asyncio.run(ask()) == 3


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "give api_url and api_key, or database_url"),
        ({"api_url": "https://r.example"}, "api_key is missing"),
        ({"api_url": "r.example", "api_key": "k"}, "must begin with https"),
        ({"api_url": "https://", "api_key": "k"}, "must begin with https"),
        ({"api_url": "https://r.example:x", "api_key": "k"}, "api_url is no URL"),
        ({"api_url": "https://r.example", "api_key": " "}, "api_key is no key"),
        ({"api_url": "https://r.example", "api_key": "ké"}, "api_key is no key"),
        (
            {"api_url": "https://r.example", "api_key": "k", "database_url": "postgresql://"},
            "api_url and database_url are two ways",
        ),
        ({"database_url": "mysql://x"}, "DATABASE_URL must begin with postgresql"),
        ({"database_url": "postgresql://h/d"}, "REFRESHER_ENCRYPTION_KEYS is not set"),
    ],
)
def test_opening_it_wrongly_is_told(given: dict[str, Any], sentence: str):
    """What is missing or contradicts is told at once, in one sentence."""
    for kind in (Refresher, AsyncRefresher):
        with pytest.raises(SettingsError, match=sentence):
            kind(**given)


def test_the_environment_names_an_api(place: Place, monkeypatch: pytest.MonkeyPatch):
    """`Refresher()` takes what REFRESHER_API_URL and REFRESHER_API_KEY say; an argument counts more."""
    monkeypatch.setenv("REFRESHER_API_URL", place.http["api_url"])
    with pytest.raises(SettingsError, match="REFRESHER_API_KEY is not set"):
        Refresher()
    monkeypatch.setenv("REFRESHER_API_KEY", place.http["api_key"])
    with Refresher() as refresher:
        fields = place.fields()
        made = refresher.register(**fields)
        token = refresher.token(made.id)
        assert token.header() == f"Bearer {token.access_token.reveal()}"
    with Refresher(api_key="rfr_wrong") as wrong, pytest.raises(NotAuthorized):
        wrong.get(made.id)
    # The direct mode is what an argument asks for, and no setting stumbles over the two.
    with Refresher(**place.direct) as direct:
        assert direct.get(made.id).external_id == fields["external_id"]


def test_importing_the_sdk_is_light():
    """An application that asks over HTTP loads no database driver, no queue and no server."""
    heavy = {"dramatiq", "psycopg", "sqlalchemy", "redis", "apscheduler", "pydantic", "uvicorn"}
    code = (
        "import sys, refresher.client as c; c.Refresher(api_url='https://r.example', api_key='k');"
        f"print(sorted({heavy!r} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:8080", "http://LOCALHOST."]
)
def test_this_machine_needs_no_encryption(url: str) -> None:
    """Plain http to loopback is taken as it is; to another machine only where it is said so."""
    with Refresher(api_url=url, api_key="k"):
        pass
    with Refresher(api_url="http://refresher.internal:8080", api_key="k", allow_insecure=True):
        pass


@pytest.mark.parametrize(
    "host",
    [
        *("r.example", "refresher:8080", "10.0.0.1", "127.0.0.1@r.example"),
        *("localhost.r.example", "[2001:db8::1]", "0x7f.1"),
    ],
)
def test_another_machine_needs_https(host: str) -> None:
    """Key and tokens do not travel in the clear by mistake."""
    with pytest.raises(SettingsError, match="is another machine: the API key and the tokens"):
        Refresher(api_url=f"http://{host}", api_key="k")

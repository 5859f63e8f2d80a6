"""The same little application by each framework, driven by that framework's own test client."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any, ClassVar, NamedTuple, Protocol
from urllib.parse import urlsplit

from django.conf import settings
from django.test import Client as DjangoClient
from django.test import override_settings
from django.urls import clear_url_caches, include, path
from fastapi import Depends, FastAPI, Request
from fastapi.testclient import TestClient
from flask import Flask
from starlette.middleware.sessions import SessionMiddleware

from refresher.client import AsyncRefresher, Refresher, Served, WebhookEvent
from refresher.contrib import django, fastapi, flask
from refresher.contrib.core import Whoever

BASE = "https://app.example"
PROVIDERS: dict[str, Any] = {"acme": {"for_whom": "Ann"}}


class Answer(NamedTuple):
    """What the application answers."""

    status: int
    location: str
    text: str
    headers: Mapping[str, str]


class WebApp(Protocol):
    """An application with one browser; it ends with `close`."""

    def get(self, where: str) -> Answer:
        """Sends a GET."""
        ...

    def post(self, where: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Sends a POST."""
        ...

    def close(self) -> None:
        """Ends the application."""


def who_of(state: Mapping[str, Any]) -> Whoever | None:
    """Whoever the test has signed in."""
    return Whoever("org", state["user"]) if state.get("user") else None


class OnFastApi:
    """FastAPI: an `async` receiver, a dependency that has a dependency of its own."""

    def __init__(
        self, way: dict[str, Any], state: dict[str, Any], secret: str, heard: Callable[..., Any]
    ) -> None:
        async def on_event(event: WebhookEvent) -> None:
            heard(event)

        def who(request: Request) -> Whoever | None:
            return who_of(state)

        refresher = AsyncRefresher(**way)
        accounts = fastapi.Accounts(
            refresher,
            who=who,
            providers=PROVIDERS,
            on_connected=lambda _, connected: state.update(connected=connected),
            on_event=on_event,
            webhook_secret=secret,
        )

        @asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            async with refresher:
                yield

        app = FastAPI(lifespan=lifespan)
        app.add_middleware(SessionMiddleware, "key", https_only=True)
        app.include_router(accounts.router)

        fresh = accounts.fresh_token("acme")

        @app.get("/token")
        async def token(served: Annotated[Served, Depends(fresh)]) -> str:
            return served.header()

        self._client = TestClient(app, BASE, follow_redirects=False, raise_server_exceptions=False)
        self._client.__enter__()

    def close(self) -> None:
        """Ends the application."""
        self._client.__exit__()

    def get(self, where: str) -> Answer:
        """Sends a GET."""
        return _answer(self._client.get(where))

    def post(self, where: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Sends a POST."""
        return _answer(self._client.post(where, content=body, headers=dict(headers)))


def _answer(got: Any) -> Answer:
    return Answer(got.status_code, got.headers.get("location", ""), got.text, got.headers)


class OnFlask:
    """Flask, with its signed cookies."""

    def __init__(
        self, way: dict[str, Any], state: dict[str, Any], secret: str, heard: Callable[..., Any]
    ) -> None:
        self._refresher = Refresher(**way)
        accounts = flask.Accounts(
            self._refresher,
            who=lambda: who_of(state),
            providers=PROVIDERS,
            on_connected=lambda connected: state.update(connected=connected),
            on_event=heard,
            webhook_secret=secret,
        )
        app = Flask(__name__)
        app.secret_key = "key"
        app.register_blueprint(accounts.blueprint)
        self._client = app.test_client()

    def get(self, where: str) -> Answer:
        """Sends a GET."""
        return _answer(self._client.get(where, base_url=BASE))

    def post(self, where: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Sends a POST."""
        got = self._client.post(where, base_url=BASE, data=body, headers=dict(headers))
        return _answer(got)

    def close(self) -> None:
        """Ends the application."""
        self._refresher.close()


class Urls:
    """A URL configuration that is no module."""

    urlpatterns: ClassVar[list[Any]] = []


class OnDjango:
    """Django, with its CSRF check and sessions in cookies."""

    def __init__(
        self, way: dict[str, Any], state: dict[str, Any], secret: str, heard: Callable[..., Any]
    ) -> None:
        set_up_django()
        self._refresher = Refresher(**way)
        with override_settings(REFRESHER_WEBHOOK_SECRET=secret):
            accounts = django.Accounts(
                self._refresher,
                who=lambda _: who_of(state),
                providers=PROVIDERS,
                on_connected=lambda _, connected: state.update(connected=connected),
                on_event=heard,
            )
        Urls.urlpatterns = [path("", include(accounts.urls))]
        clear_url_caches()
        self._client = DjangoClient(
            enforce_csrf_checks=True, raise_request_exception=False, SERVER_NAME="app.example"
        )

    def get(self, where: str) -> Answer:
        """Sends a GET."""
        return self._told(self._client.get(where, secure=True))

    def post(self, where: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Sends a POST."""
        got = self._client.post(
            where, body, content_type="application/json", secure=True, headers=dict(headers)
        )
        return self._told(got)

    def close(self) -> None:
        """Ends the application."""
        self._refresher.close()

    @staticmethod
    def _told(got: Any) -> Answer:
        return Answer(
            got.status_code, got.headers.get("Location", ""), got.content.decode(), got.headers
        )


def set_up_django() -> None:
    """Configures Django once for this process."""
    if not settings.configured:
        settings.configure(
            ROOT_URLCONF=Urls,
            ALLOWED_HOSTS=["app.example"],
            MIDDLEWARE=[
                "django.contrib.sessions.middleware.SessionMiddleware",
                "django.middleware.csrf.CsrfViewMiddleware",
            ],
            SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
            SECRET_KEY="key",
        )


def query_of(url: str) -> str:
    """The path and query of a URL at which the browser stopped."""
    parts = urlsplit(url)
    assert f"{parts.scheme}://{parts.netloc}" == BASE
    return f"{parts.path}?{parts.query}"

"""FastAPI, Flask and Django: an account is connected to who began it, and to nobody else."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from refresher.client import Refresher, WebhookEvent
from refresher.contrib import django, fastapi, flask
from refresher.contrib.core import Whoever
from refresher.contrib.hooks import MOST_BODY_BYTES, STILL_AT_IT, TAKEN, hooks_of
from refresher.devkit.browser import Browser
from refresher.errors import SettingsError
from tests.client.conftest import Place
from tests.client.test_webhook import NEW, OTHER, signed
from tests.client.web_apps import (
    PROVIDERS,
    OnDjango,
    OnFastApi,
    OnFlask,
    WebApp,
    query_of,
    set_up_django,
)

PAGE = Path(__file__).parents[2] / "docs" / "frameworks.md"
KINDS: list[Callable[..., WebApp]] = [OnFastApi, OnFlask, OnDjango]


Make = Callable[..., WebApp]
NOBODY: dict[str, Any] = {"api_url": "http://localhost:1", "api_key": "rfr_x"}
"""An API that is not asked."""


@pytest.fixture(params=KINDS, ids=["fastapi", "flask", "django"])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    """Makes an application of this framework: its state, its refresher, and who hears of events."""
    with ExitStack() as stack:

        def made(
            state: dict[str, Any], way: dict[str, Any], heard: Callable[..., Any] = print
        ) -> WebApp:
            app: WebApp = request.param(way, state, NEW, heard)
            stack.callback(app.close)
            return app

        yield made


def test_who_began_is_connected(make: Make, place: Place) -> None:
    """In their own browser and as the same user, once; whoever else comes back changes nothing."""
    state: dict[str, Any] = {}
    app, ben = make(state, place.http), make(state, place.http)
    refused = app.get("/connect/acme")
    assert (refused.status, "sign in" in refused.text) == (401, True)
    state["user"] = str(uuid4())
    assert app.get("/connect/nobody").status == 404
    tab = app.get("/connect/acme")  # a second one stays open
    start = app.get("/connect/acme")
    assert start.status in {302, 303}, start.text
    with Browser() as person:
        stopped = person.open(start.location, until="app.example")
    assert stopped.next_url is not None, stopped.words
    back = query_of(stopped.next_url)
    assert (ben.get(back).status, "connected" in state) == (409, False)
    ann = state["user"]
    for user, status in ((None, 401), ("somebody", 409)):
        state["user"] = user
        assert (app.get(back).status, "connected" in state) == (status, False)
    state["user"] = ann
    cancelled = app.get(back.replace("connect_status=confirm", "connect_status=cancelled"))
    assert "/connect/acme" in cancelled.text
    done = app.get(back)
    assert (done.status, "acme is connected." in done.text) == (200, True), done.text
    assert done.headers["Referrer-Policy"] == "no-referrer"
    assert state["connected"].who.external_id == ann
    with Refresher(**place.http) as refresher:
        assert refresher.token(state["connected"].connection_id).access_token
    assert app.get(back).status == 409
    assert tab.location != start.location


def test_fastapi_has_the_user_s_token_as_a_dependency(
    place: Place, request: pytest.FixtureRequest
) -> None:
    """Of the account that the signed-in user connected, and a refusal where there is none."""
    state: dict[str, Any] = {}
    app = OnFastApi(place.http, state, NEW, print)
    request.addfinalizer(app.close)
    assert app.get("/token").status == 401
    fields = place.fields()
    state["user"] = fields["external_id"]
    missing = app.get("/token")
    assert (missing.status, missing.text) == (409, '{"detail":"no_such_connection"}')
    with Refresher(**place.http) as refresher:
        made = refresher.register(**fields)
        assert app.get("/token").text == f'"Bearer {fields["access_token"]}"'
        place.provider.admin.revoke(fields["external_id"])
        refresher.refresh(made.id)
        refresher.register(**fields | {"expires_in": 0})
    dead = app.get("/token")
    assert (dead.status, dead.text) == (409, '{"detail":"reconnect_required"}')


def test_each_event_is_handled_once(make: Make) -> None:
    """A second time only where the first failed; what is not ours is refused, and not handled."""
    heard: list[WebhookEvent] = []

    def on_event(event: WebhookEvent) -> None:
        heard.append(event)
        if len(heard) == 1:
            raise ValueError("the table is locked")

    app = make({}, NOBODY, on_event)
    body, headers = signed(at=int(time.time()))
    assert [app.post("/hooks", body, headers).status for _ in range(3)] == [500, 204, 204]
    assert [event.external_id for event in heard] == ["1042 ☂", "1042 ☂"]
    told = app.post("/hooks", *signed(secret=OTHER, at=int(time.time())))
    assert (told.status, "signature" in told.text) == (401, True)
    assert app.post("/hooks", body, {}).status == 400
    assert app.post("/hooks", *signed(at=int(time.time()) - 301)).status == 401
    assert app.post("/hooks", b"x" * (MOST_BODY_BYTES + 1), headers).status in {400, 401, 413}
    assert app.get("/hooks").status == 405
    assert len(heard) == 2


def test_what_is_missing_is_told_at_the_start() -> None:
    """A webhook secret, somebody to call, the providers, an API: one sentence each."""
    refresher: Any = Refresher(**NOBODY)
    with pytest.raises(SettingsError, match="external_id of a Whoever must be a text"):
        Whoever("org", 7)  # type: ignore[arg-type]
    ready: dict[str, Any] = {"who": print, "providers": PROVIDERS}
    for accounts in (flask.Accounts, fastapi.Accounts):
        for more, said in (
            ({"on_event": print}, "webhook secret is missing"),
            ({"on_event": print, "webhook_secret": ""}, "webhook secret is missing"),
            ({"webhook_secret": NEW}, "on_event is missing"),
            ({"providers": {}}, "providers names none"),
            ({"providers": ["acme"]}, "providers names none"),
        ):
            with pytest.raises(SettingsError, match=said):
                accounts(refresher, **ready | more)
    set_up_django()
    with pytest.raises(ImproperlyConfigured, match="webhook secret is missing"):
        django.Accounts(refresher, **ready, on_event=print)
    with pytest.raises(ImproperlyConfigured, match="give api_url and api_key"):
        django.Accounts(**ready)
    far = override_settings(REFRESHER_API_URL="http://far.example", REFRESHER_API_KEY="rfr_x")
    with far, pytest.raises(ImproperlyConfigured, match="in the clear"):
        django.Accounts(**ready)


def test_the_page_s_blocks_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each block of docs/frameworks.md, in order; the settings that it shows are Django's."""
    for name, given in (("API_KEY", "rfr_x"), ("WEBHOOK_SECRET", NEW), ("SECRET_KEY", "key")):
        monkeypatch.setenv(name, given)
    set_up_django()
    names: dict[str, Any] = {}
    for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        shown = {name: names[name] for name in names if name.startswith("REFRESHER_")}
        with override_settings(**shown):
            exec(compile(code, PAGE.name, "exec"), names)
    (routes,) = names["urlpatterns"]
    assert [route.name for route in routes.url_patterns] == ["connect", "connected", "hooks"]
    assert {rule.endpoint for rule in names["app"].url_map.iter_rules()} >= {"refresher.hooks"}


def test_an_event_that_is_being_handled_is_not_begun_twice() -> None:
    """It comes again while the first is at work: it is told to come later; then it is taken."""
    hooks = hooks_of(print, NEW)
    assert hooks is not None
    body, headers = signed(at=int(time.time()))
    found = hooks.opened(body, headers.items())
    assert isinstance(found, WebhookEvent)
    with hooks.handling(found):
        assert hooks.opened(body, headers.items()) == STILL_AT_IT
    assert hooks.opened(body, headers.items()) == TAKEN

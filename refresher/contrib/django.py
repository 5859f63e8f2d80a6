"""Django: `path("", include(accounts.urls))` adds connect, come back, and webhooks.

    accounts = Accounts(who=who, providers={"google": {}})
    urlpatterns = [path("", include(accounts.urls))]

| route | name | does |
|---|---|---|
| `GET connect/<provider>` | `refresher:connect` | sends the signed-in user to consent |
| `GET connected` | `refresher:connected` | takes them back; in `REFRESHER_CONNECT_RETURN_URLS` |
| `POST hooks` | `refresher:hooks` | takes webhooks, where `on_event` is given; exempt from CSRF |

Settings: `REFRESHER_API_URL` and `REFRESHER_API_KEY` (else those of the environment), and
`REFRESHER_WEBHOOK_SECRET`, a text or a list. `who(request)` returns the `Whoever` of a request, None
where nobody is signed in. `on_connected(request, connected)` and `on_refused(request, refused)` return
a response, or None for a plain page. `on_event(event)` is called once for each event and process; what
it raises makes the event come again. docs/frameworks.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import path, reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from refresher.client import Refresher
from refresher.client.connecting import Wishes
from refresher.contrib import core
from refresher.contrib.core import Connected, Refused, Whoever
from refresher.contrib.driving import run
from refresher.contrib.hooks import OnEvent, hooks_of
from refresher.errors import SettingsError

__all__ = ["Accounts", "Connected", "Refused", "Whoever"]
NAMESPACE = "refresher"


class Accounts:
    """The accounts that an application's users connect. Raises `ImproperlyConfigured`."""

    def __init__(
        self,
        refresher: Refresher | None = None,
        *,
        who: Callable[[HttpRequest], Whoever | None],
        providers: Mapping[str, Wishes],
        on_connected: Callable[[HttpRequest, Connected], HttpResponseBase | None] = lambda *_: None,
        on_refused: Callable[[HttpRequest, Refused], HttpResponseBase | None] = lambda *_: None,
        on_event: OnEvent | None = None,
    ) -> None:
        self._who, self._on_connected, self._on_refused = who, on_connected, on_refused
        try:
            self._providers = core.check_providers(providers)
            self._refresher = refresher or Refresher(
                api_url=getattr(settings, "REFRESHER_API_URL", None),
                api_key=getattr(settings, "REFRESHER_API_KEY", None),
            )
            secret = getattr(settings, "REFRESHER_WEBHOOK_SECRET", None)
            self._hooks = hooks_of(on_event, secret) if on_event else None
        except SettingsError as error:
            raise ImproperlyConfigured(str(error)) from error

    @property
    def urls(self) -> tuple[list[Any], str]:
        """What `include()` takes."""
        routes = [
            path("connect/<str:provider>", require_GET(self.connect), name="connect"),
            path("connected", require_GET(self.connected), name="connected"),
        ]
        if self._hooks:
            routes.append(path("hooks", csrf_exempt(require_POST(self.hooks)), name="hooks"))
        return routes, NAMESPACE

    def connect(self, request: HttpRequest, provider: str) -> HttpResponseBase:
        """Sends the user away to consent; for an account that is connected, a reconnect."""
        back = request.build_absolute_uri(reverse(f"{NAMESPACE}:connected"))
        steps = core.begin(self._providers, provider, self._who(request), request.session, back)
        found = run(self._refresher, steps)
        if isinstance(found, Refused):
            return self._refuse(request, found)
        return redirect(found)

    def connected(self, request: HttpRequest) -> HttpResponseBase:
        """Confirms that this user is who began, and tells the application."""
        steps = core.come_back(request.GET, self._who(request), request.session)
        found = run(self._refresher, steps)
        if isinstance(found, Refused):
            return self._refuse(request, found)
        return self._on_connected(request, found) or _page(f"{found.provider} is connected.")

    def hooks(self, request: HttpRequest) -> HttpResponse:
        """Takes a webhook in, and has the application handle it before it is answered."""
        assert self._hooks
        answer = self._hooks.take(request.body, request.headers.items())
        return HttpResponse(answer.sentence, status=answer.status, content_type="text/plain")

    def _refuse(self, request: HttpRequest, refused: Refused) -> HttpResponseBase:
        again = (
            reverse(f"{NAMESPACE}:connect", args=[refused.provider]) if refused.provider else None
        )
        page = self._on_refused(request, refused)
        return page or _page(refused.sentence, again, refused.status)


def _page(sentence: str, again: str | None = None, status: int = 200) -> HttpResponse:
    return HttpResponse(core.page(sentence, again), status=status, headers=core.HEADERS)

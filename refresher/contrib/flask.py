"""Flask: `app.register_blueprint(Accounts(…).blueprint)` adds connect, come back, and webhooks.

    accounts = Accounts(Refresher(), who=who, providers={"google": {}})
    app.register_blueprint(accounts.blueprint)

| route | endpoint | does |
|---|---|---|
| `GET /connect/<provider>` | `refresher.connect` | sends the signed-in user to consent |
| `GET /connected` | `refresher.connected` | takes them back; in `REFRESHER_CONNECT_RETURN_URLS` |
| `POST /hooks` | `refresher.hooks` | takes webhooks, where `on_event` is given |

`who()` returns the `Whoever` of the request, None where nobody is signed in. `on_connected(connected)`
and `on_refused(refused)` return a response, or None for a plain page. `on_event(event)` is called once
for each event and process; what it raises makes the event come again. docs/frameworks.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from flask import Blueprint, Response, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response as AnyResponse

from refresher.client import Refresher
from refresher.client.connecting import Wishes
from refresher.contrib import core
from refresher.contrib.core import Connected, Refused, Whoever
from refresher.contrib.driving import run
from refresher.contrib.hooks import MOST_BODY_BYTES, OnEvent, hooks_of

__all__ = ["Accounts", "Connected", "Refused", "Whoever"]


class Accounts:
    """The accounts that an application's users connect. Raises `SettingsError` for what is missing."""

    def __init__(
        self,
        refresher: Refresher,
        *,
        who: Callable[[], Whoever | None],
        providers: Mapping[str, Wishes],
        on_connected: Callable[[Connected], ResponseReturnValue | None] = lambda _: None,
        on_refused: Callable[[Refused], ResponseReturnValue | None] = lambda _: None,
        on_event: OnEvent | None = None,
        webhook_secret: str | Iterable[str] | None = None,
    ) -> None:
        self._refresher, self._who = refresher, who
        self._providers = core.check_providers(providers)
        self._on_connected, self._on_refused = on_connected, on_refused
        self._hooks = hooks_of(on_event, webhook_secret)
        self.blueprint = Blueprint("refresher", __name__)
        self.blueprint.get("/connect/<provider>")(self.connect)
        self.blueprint.get("/connected")(self.connected)
        if self._hooks:
            self.blueprint.post("/hooks")(self.hooks)

    def connect(self, provider: str) -> ResponseReturnValue:
        """Sends the user away to consent; for an account that is connected, a reconnect."""
        back = url_for(".connected", _external=True)
        steps = core.begin(self._providers, provider, self._who(), session, back)
        found = run(self._refresher, steps)
        return self._refuse(found) if isinstance(found, Refused) else redirect(found, 303)

    def connected(self) -> ResponseReturnValue:
        """Confirms that this user is who began, and tells the application."""
        found = run(self._refresher, core.come_back(request.args, self._who(), session))
        if isinstance(found, Refused):
            return self._refuse(found)
        return self._on_connected(found) or _page(f"{found.provider} is connected.")

    def hooks(self) -> ResponseReturnValue:
        """Takes a webhook in, and has the application handle it before it is answered."""
        assert self._hooks
        request.max_content_length = MOST_BODY_BYTES
        answer = self._hooks.take(request.get_data(), request.headers.items())
        return Response(answer.sentence, answer.status, mimetype="text/plain")

    def _refuse(self, refused: Refused) -> ResponseReturnValue:
        again = url_for(".connect", provider=refused.provider) if refused.provider else None
        return self._on_refused(refused) or _page(refused.sentence, again, refused.status)


def _page(sentence: str, again: str | None = None, status: int = 200) -> AnyResponse:
    return Response(core.page(sentence, again), status, core.HEADERS, "text/html")

"""Django: hears by webhook when an account must be connected again, and leads its user there.

    WEBHOOK_SECRET=whsec_… python examples/django_app.py runserver

The secret is what `refresher webhooks add https://…/hooks --event 'connection.*'` prints. Messages come
at least once and, for each connection, in order: so the last one is what is so.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from urllib.parse import quote

from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from standardwebhooks import Webhook, WebhookVerificationError

from refresher.client import Refresher

BROKEN, MENDED = "connection.reconnect_required", "connection.recovered"
must_reconnect: dict[str, str] = {}  # account -> connection: a table of yours, in production

settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    SECRET_KEY=os.environ.get("SECRET_KEY", "only for this example"),
)
application = get_wsgi_application()


@cache
def refresher() -> Refresher:
    """Opened by the first request; REFRESHER_API_URL and _KEY say where."""
    return Refresher()


@csrf_exempt
@require_POST
def hooks(request: HttpRequest) -> HttpResponse:
    """Takes a message in whose signature is right, and answers before any work is done."""
    try:
        event = Webhook(os.environ["WEBHOOK_SECRET"]).verify(request.body, dict(request.headers))
    except WebhookVerificationError:
        return HttpResponse(status=401)
    account = event["data"].get("external_id")
    if event["type"] == BROKEN:
        must_reconnect[account] = event["data"]["connection_id"]
    elif event["type"] == MENDED:
        must_reconnect.pop(account, None)
    return HttpResponse(status=204)


def banner(_: HttpRequest, account: str) -> HttpResponse:
    """Asks for what only the user can do, and for nothing when there is nothing."""
    page = f'<a href="/reconnect/{quote(account)}">Please connect again.</a>'
    return HttpResponse(page if account in must_reconnect else "")


def reconnect(request: HttpRequest, account: str) -> HttpResponse:
    """Sends the user to consent once more, as the same account; what is kept is in *their* session."""
    back = request.build_absolute_uri("/connected")  # in REFRESHER_CONNECT_RETURN_URLS
    start = refresher().reconnect_url(must_reconnect[account], return_url=back)
    request.session["connecting"] = [str(start.session_id), start.verifier]
    return redirect(start.url)


def connected(request: HttpRequest) -> HttpResponse:
    """Confirms that this user is who consented."""
    session_id, verifier = request.session.pop("connecting")
    if request.GET.get("connect_status") != "confirm":
        return HttpResponse("Nothing was changed.")
    refresher().connect_complete(session_id, code=request.GET["connect_code"], verifier=verifier)
    return HttpResponse("Thank you.")


urlpatterns = [
    *(path("hooks", hooks), path("banner/<str:account>", banner)),
    *(path("reconnect/<str:account>", reconnect), path("connected", connected)),
]
if __name__ == "__main__":
    execute_from_command_line(sys.argv)

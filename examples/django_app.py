"""Django: hears by webhook when an account must be connected again, and leads its user there.

    WEBHOOK_SECRET=whsec_… python examples/django_app.py runserver

The secret is what `refresher webhooks add https://…/hooks --event 'connection.*'` prints. Messages come
at least once and, for each connection, in order: so the last one is what is so.
"""

from __future__ import annotations

import os
import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import include, path, reverse

from refresher.client import WebhookEvent
from refresher.contrib.django import Accounts, Whoever

BROKEN, MENDED = "connection.reconnect_required", "connection.recovered"
must_reconnect: set[str | None] = set()  # a column of yours, in production

settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    SECRET_KEY=os.environ.get("SECRET_KEY", "only for this example"),
    REFRESHER_WEBHOOK_SECRET=os.environ.get("WEBHOOK_SECRET"),
)
application = get_wsgi_application()


def who(request: HttpRequest) -> Whoever | None:
    """Whoever is signed in: most take `request.user`."""
    user = request.session.get("user")
    return Whoever("org-1", user) if user else None


def heard(event: WebhookEvent) -> None:
    """Notes who has to connect again, and who no longer has."""
    if event.type == BROKEN:
        must_reconnect.add(event.external_id)
    elif event.type == MENDED:
        must_reconnect.discard(event.external_id)


def banner(_: HttpRequest, account: str) -> HttpResponse:
    """Asks for what only the user can do, and for nothing when there is nothing."""
    page = f'<a href="{reverse("refresher:connect", args=["acme"])}">Please connect again.</a>'
    return HttpResponse(page if account in must_reconnect else "")


def sign_in(request: HttpRequest, user: str) -> HttpResponse:
    """Stands for your own way to sign in."""
    request.session["user"] = user
    return HttpResponse(user)


accounts = Accounts(
    who=who,
    providers={"acme": {}},
    on_connected=lambda *_: HttpResponse("Thank you."),
    on_event=heard,
)
urlpatterns = [
    path("", include(accounts.urls)),
    *(path("banner/<str:account>", banner), path("sign-in/<str:user>", sign_in)),
]
if __name__ == "__main__":
    execute_from_command_line(sys.argv)

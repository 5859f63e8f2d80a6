"""Django: hears by webhook when an account must be connected again, and shows a banner until it was.

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
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from standardwebhooks import Webhook, WebhookVerificationError

BROKEN, MENDED = "connection.reconnect_required", "connection.recovered"
must_reconnect: set[str] = set()  # a table of yours, in production

settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    SECRET_KEY=os.environ.get("SECRET_KEY", "only for this example"),
)
application = get_wsgi_application()


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
        must_reconnect.add(account)
    elif event["type"] == MENDED:
        must_reconnect.discard(account)
    return HttpResponse(status=204)


def banner(_: HttpRequest, account: str) -> HttpResponse:
    """Asks for what only the user can do, and for nothing when there is nothing."""
    return HttpResponse("Please connect again." if account in must_reconnect else "")


urlpatterns = [path("hooks", hooks), path("banner/<str:account>", banner)]
if __name__ == "__main__":
    execute_from_command_line(sys.argv)

"""Django middleware that records each token request; it changes neither request nor answer.

What a record holds is told in request_log.py.
"""
# mypy: disable-error-code="import-untyped"
# Django ships no type information.

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from .request_log import RequestLog, TokenRequest, fingerprint
from .urls import TOKEN_PATH

Handler = Callable[[HttpRequest], HttpResponse]


def recorder(get_response: Handler) -> Handler:
    """Wraps the views; Django calls this once, when the server starts."""
    log = RequestLog(settings.AUTHSERVER_REQUESTS_FILE)

    def record(request: HttpRequest) -> HttpResponse:
        if request.path != TOKEN_PATH or request.method != "POST":
            return get_response(request)
        at = time.time()
        response = get_response(request)
        log.append(_token_request(at, request.POST.get("refresh_token"), response))
        return response

    return record


def _token_request(at: float, presented: str | None, response: HttpResponse) -> TokenRequest:
    answer = _answer(response)
    return TokenRequest(
        at=at,
        refresh_token=fingerprint(presented),
        status=response.status_code,
        error=answer.get("error"),
        issued_refresh_token=fingerprint(answer.get("refresh_token")),
        issued_access_token=fingerprint(answer.get("access_token")),
    )


def _answer(response: HttpResponse) -> dict[str, Any]:
    # A failure inside the server is answered with a page, and must be recorded all the same.
    try:
        answer = json.loads(response.content)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}

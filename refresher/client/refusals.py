"""What the API answered: the value that an operation reads, or the error that a problem tells of.

A problem document (RFC 9457) becomes one of our errors, the same that the direct mode raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from refresher.client.calls import Call
from refresher.errors import (
    ApiError,
    ApiUnavailable,
    Conflict,
    ConnectRefused,
    InvalidApp,
    InvalidConnection,
    InvalidWebhook,
    NoSuchApp,
    NoSuchConnection,
    NoSuchLink,
    NoSuchSession,
    NoSuchWebhook,
    NotAuthorized,
    RefresherError,
    TokenUnavailable,
    with_sentence,
)
from refresher.rules.connection import ParkReason
from refresher.rules.unavailable import Why

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
ABOUT_TOKENS = {*(why.value for why in Why), *(reason.value for reason in ParkReason)}
ABOUT_FIELDS = {"invalid_connection", "invalid_body"}
NAMED: Mapping[str, type[RefresherError]] = {
    "invalid_app": InvalidApp,
    "invalid_webhook": InvalidWebhook,
    "no_such_app": NoSuchApp,
    "no_such_connection": NoSuchConnection,
    "no_such_link": NoSuchLink,
    "no_such_webhook": NoSuchWebhook,
}
"""Codes that are one error wherever they come up."""


def answer(operation: Call[T], response: httpx.Response) -> T:
    """Returns the value in an answer, or raises the error that it tells of."""
    if not response.is_success:
        raise error_in(response, operation.about)
    try:
        return operation.read(response.json() if response.content else None)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ApiError(
            f"{response.url.host} answered {operation.method} {operation.path} with what is not of "
            "this API: check api_url",
            status=response.status_code,
        ) from None


def error_in(response: httpx.Response, about: str = "other") -> RefresherError:
    """Returns the error that a refusal tells of; what is no problem document gives its status."""
    problem = _problem(response)
    status, code = response.status_code, problem.get("code")
    retry = _seconds(problem.get("retry_after_seconds", response.headers.get("Retry-After")))
    title = problem.get("title") or response.reason_phrase or "no reason given"
    sentence = str(problem.get("detail") or f"the API answered {status}: {title}")
    why = next((w for w in (problem.get("reason"), code) if w in ABOUT_TOKENS), None)
    if about == "token" and why is not None:
        return TokenUnavailable(why, sentence, retry_after_seconds=retry)
    if about == "connect" and status in {404, 409, 422}:
        return _of_session(str(code), sentence)
    about_fields = about == "registration" and code in ABOUT_FIELDS
    named = InvalidConnection if about_fields else NAMED.get(str(code))
    if named is not None:
        return with_sentence(named, sentence)
    match status:
        case 409 if code == "request_under_way":
            kind: type[ApiError] = ApiUnavailable
        case 409:
            return Conflict(sentence)
        case 401 | 403:
            kind = NotAuthorized
        case _:
            kind = ApiUnavailable if status >= 500 else ApiError
    told = str(code) if code is not None else None
    return kind(sentence, status=status, code=told, retry_after_seconds=retry)


def _of_session(code: str, sentence: str) -> RefresherError:
    if code == "no_such_session":
        return NoSuchSession(sentence)
    if code == Why.NO_SUCH_CONNECTION:
        return NoSuchConnection(sentence)
    return ConnectRefused(code, sentence)


def _problem(response: httpx.Response) -> Mapping[str, Any]:
    try:
        problem = response.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _seconds(value: object) -> float | None:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None

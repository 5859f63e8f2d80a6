"""Problem details (RFC 9457): every refusal has a code, a status, and one sentence."""

from __future__ import annotations

import math
import traceback
from collections.abc import Mapping, Sequence

import orjson
import structlog
from starlette.responses import Response

from refresher.connections.bulk import NoSuchJob
from refresher.connections.lifecycle import Changed, HoldsGrant
from refresher.errors import (
    CannotDecrypt,
    ConnectRefused,
    DatabaseNotMigrated,
    DatabaseUnavailable,
    EgressRefused,
    InvalidApp,
    InvalidConnection,
    InvalidWebhook,
    NoSuchApp,
    NoSuchConnection,
    NoSuchSession,
    NoSuchWebhook,
    QuotaReached,
    TokenUnavailable,
    UnknownProvider,
)
from refresher.notify.recipients import InvalidOrganization, InvalidRecipient, NoSuchRecipient
from refresher.refresh.rereading import NoSuchAnswer
from refresher.rules.unavailable import PASSING, Why
from refresher.store.looking import TooSlow

log = structlog.get_logger()
CODES: Mapping[str, tuple[int, str]] = {
    "invalid_json": (400, "The body is not JSON"),
    "invalid_query": (400, "A query parameter is wrong"),
    "invalid_header": (400, "A header is wrong"),
    "invalid_cursor": (400, "The cursor is not one of ours"),
    "invalid_signal": (400, "The notice makes no sense"),
    "unauthorized": (401, "A valid API key is needed"),
    "scope_missing": (403, "The API key lacks a scope"),
    "signal_unverified": (403, "The notice is not genuine"),
    "organization_mismatch": (403, "The API key belongs to another organization"),
    "not_found": (404, "There is no such page"),
    "no_such_connection": (404, "There is no such connection"),
    "no_such_slot": (404, "The connection has no such slot"),
    "no_such_provider": (404, "There is no such provider"),
    "no_such_webhook": (404, "There is no such webhook endpoint"),
    "no_such_app": (404, "There is no such OAuth client"),
    "no_such_answer": (404, "There is no such answer"),
    "no_such_event": (404, "There is no such event"),
    "no_such_recipient": (404, "There is no such recipient"),
    "no_such_organization": (404, "There is no such organization"),
    "invalid_link": (404, "There is no such link"),
    "no_such_session": (404, "There is no such connect session"),
    "no_such_job": (404, "There is no such bulk job"),
    "no_such_link": (404, "The connection has no such link"),
    "method_not_allowed": (405, "The method is not offered here"),
    "token_unavailable": (409, "No valid token can be had until a person acts"),
    "not_refreshable": (409, "The connection is not refreshed until a person acts"),
    "holds_grant": (409, "Other connections use this one's grant"),
    "quota_reached": (409, "The organization has as many of these as it may have"),
    "webhook_disabled": (409, "The webhook endpoint is disabled"),
    "not_waiting": (409, "The connection does not wait to be resumed"),
    "disabled": (409, "The connection is disabled"),
    "connection_exists": (409, "The connection exists already"),
    "connect_disabled": (409, "Nobody connects accounts here"),
    "public_url_missing": (409, "It is not known where people come back to"),
    "cannot_connect": (409, "The provider's entry does not say how to connect"),
    "app_missing": (409, "No OAuth client of ours is stored for the provider"),
    "redirect_uri_refused": (409, "The provider takes no such redirect URI"),
    "not_confirmed": (409, "The connect session is not confirmed"),
    "bulk_refused": (409, "The bulk job is not begun"),
    "request_under_way": (409, "A request with this Idempotency-Key is under way"),
    "link_expired": (410, "The link has expired"),
    "link_used": (410, "The link was used already"),
    "link_withdrawn": (410, "The link was withdrawn"),
    "changed": (412, "The connection has changed since it was read"),
    "too_large": (413, "The body is too large"),
    "unsupported_media_type": (415, "The body must be JSON"),
    "invalid_body": (422, "The body does not fit"),
    "invalid_connection": (422, "The connection cannot be stored"),
    "invalid_webhook": (422, "The webhook endpoint cannot be stored"),
    "invalid_recipient": (422, "The recipient cannot be stored"),
    "discovery_refused": (422, "The server cannot be connected to"),
    "invalid_app": (422, "The OAuth client cannot be stored"),
    "return_url_refused": (422, "The return URL is not an allowed one"),
    "invalid_organization": (422, "The organization cannot be stored"),
    "tokens_needed": (422, "The connection can only go on with new tokens"),
    "idempotency_key_reused": (422, "The Idempotency-Key belongs to another request"),
    "rate_limited": (429, "Too many requests"),
    "too_many_waiting": (429, "Too many requests wait for other servers"),
    "internal": (500, "Something went wrong in refresher"),
    "token_unavailable_now": (503, "No valid token can be had at the moment"),
    "keys_unavailable": (503, "The notice cannot be verified at the moment"),
    "database_unavailable": (503, "The database is away"),
}
NONE_SUCH = {
    "{id}": "no_such_connection",
    "{webhook_id}": "no_such_webhook",
    "{link_id}": "no_such_link",
    "{recipient_id}": "no_such_recipient",
    "{answer_id}": "no_such_answer",
    "{organization_id}": "no_such_organization",
    "{session_id}": "no_such_session",
    "{job_id}": "no_such_job",
}
"""What a path answers where there is no such thing, or it is another organization's."""
PROBLEM_JSON = "application/problem+json"
RETRY_SECONDS = 1.0
_TOLD: Mapping[type[Exception], str] = {
    InvalidConnection: "invalid_connection",
    UnknownProvider: "invalid_connection",
    InvalidApp: "invalid_app",
    NoSuchApp: "no_such_app",
    InvalidWebhook: "invalid_webhook",
    EgressRefused: "invalid_webhook",
    Changed: "changed",
    HoldsGrant: "holds_grant",
    QuotaReached: "quota_reached",
    InvalidRecipient: "invalid_recipient",
    InvalidOrganization: "invalid_organization",
    NoSuchRecipient: "no_such_recipient",
    NoSuchAnswer: "no_such_answer",
    CannotDecrypt: "token_unavailable",
}
"""Errors whose sentence is for the caller."""
_NONE: Mapping[type[Exception], tuple[str, str]] = {
    NoSuchConnection: ("no_such_connection", "no connection has this id"),
    NoSuchWebhook: ("no_such_webhook", "no webhook endpoint has this id"),
    NoSuchSession: ("no_such_session", "no connect session has this id"),
    NoSuchJob: ("no_such_job", "no bulk job has this number"),
}
"""Errors whose sentence would repeat what was asked for."""


class Problem(Exception):
    """A refusal, as it is sent: `code` is one of `CODES`; `reason` says more where there is more."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        reason: str | None = None,
        retry_after_seconds: float | None = None,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.status, self.title = CODES[code]
        self.detail = detail
        self.reason = reason
        self.retry_after_seconds = retry_after_seconds
        self.errors = list(errors)
        self.headers = tuple(headers)

    def as_json(self, instance: str) -> dict[str, object]:
        """Returns the members of the document; those that say nothing are left out."""
        more = {
            "reason": self.reason,
            "retry_after_seconds": self.retry_after_seconds,
            "errors": self.errors or None,
        }
        return {
            "type": f"/docs#problem-{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            "code": self.code,
            **{name: value for name, value in more.items() if value is not None},
        }

    def response(self, instance: str) -> Response:
        """Returns the answer that it is, with the headers that belong to it."""
        body = orjson.dumps(self.as_json(instance))
        made = Response(body, self.status, {"cache-control": "no-store"}, PROBLEM_JSON)
        made.raw_headers.extend(self.headers)
        if self.retry_after_seconds is not None:
            made.headers["retry-after"] = str(max(1, math.ceil(self.retry_after_seconds)))
        return made


def told(error: Exception, method: str, route: str) -> Problem:
    """Returns the problem that an error is. A bug is told in the log, and not to the caller.

    `route` is the pattern of the path: what a client put into the path itself is not for the log.
    """
    problem = of(error)
    if problem is None:
        log.error(
            "a request failed",
            method=method,
            route=route,
            error=type(error).__name__,
            frames="".join(traceback.format_tb(error.__traceback__)),
        )
        return Problem("internal", "an error in refresher, which its log tells about")
    if problem.code == "database_unavailable":
        log.warning("a request failed: postgres is away", why=str(error))
    return problem


def of(error: Exception) -> Problem | None:
    """Returns the problem that one of our errors is; None for a bug."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, TokenUnavailable):
        return _of_token(error)
    if isinstance(error, DatabaseUnavailable | DatabaseNotMigrated | TooSlow):
        # Where the database is, and what it said, is in our log and not for the caller.
        sentence = "the database cannot be reached at the moment: try again"
        return Problem("database_unavailable", sentence, retry_after_seconds=RETRY_SECONDS)
    for kind, (none, sentence) in _NONE.items():
        if isinstance(error, kind):
            return Problem(none, sentence)
    code = next((code for kind, code in _TOLD.items() if isinstance(error, kind)), None)
    code = error.code if isinstance(error, ConnectRefused) else code
    reason = "undecryptable" if isinstance(error, CannotDecrypt) else None
    return Problem(code, str(error), reason=reason) if code else None


def _of_token(error: TokenUnavailable) -> Problem:
    if error.code in {Why.NO_SUCH_CONNECTION, "deleted"}:
        return Problem("no_such_connection", "no connection has this id")
    if error.code == Why.NO_SUCH_SLOT:
        return Problem("no_such_slot", str(error))
    if error.code in PASSING:
        wait = error.retry_after_seconds or RETRY_SECONDS
        return Problem(
            "token_unavailable_now", str(error), reason=error.code, retry_after_seconds=wait
        )
    return Problem("token_unavailable", str(error), reason=error.code)

"""Shapes every answer of the token endpoints: bodies, statuses, headers, odd ones on purpose.

Pure: values in, an `Answer` out. Which answer is due is decided by `grants.py` and `faults.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from math import ceil
from typing import Any
from urllib.parse import urlencode

import orjson

from refresher.devkit.oauth_server.faults import FaultRule
from refresher.devkit.oauth_server.options import ExpiresInStyle, Options
from refresher.devkit.oauth_server.tokens import Denied, Issued

_BYTES_PER_MEGABYTE = 1024 * 1024
_ABSURD_SECONDS = 1_000_000_000_000
_META_CODE = 190

ODD_FIELDS: Mapping[str, object] = {
    "scope": None,
    "token_type": ["bearer", None],
    "profile": {"names": [["a", ["b", {"c": None}]], 1.5e308], "": {}},
    "expires_at": "the day after tomorrow",
    "note": "\u0000\u202e\U0001f511" * 20_000,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, before it meets the socket."""

    status: int
    body: bytes = field(repr=False)
    media_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


def issued_answer(
    issued: Issued,
    options: Options,
    fault: FaultRule | None = None,
    beside: Mapping[str, object] | None = None,
) -> Answer:
    """Returns the token answer, in the configured shape.

    Grown by `huge` or `extra_fields`; `other_names` calls its fields `accessToken` and so on.
    """
    body = {**token_fields(issued, options), **(beside or {})}
    if fault is not None and fault.kind == "extra_fields":
        body |= ODD_FIELDS
    if fault is not None and fault.kind == "huge":
        body["padding"] = "x" * int(fault.megabytes * _BYTES_PER_MEGABYTE)
    if fault is not None and fault.kind == "other_names":
        body = {_in_camel_case(name): value for name, value in body.items()}
    if options.nested_under and options.response_format == "json":
        body = {options.nested_under: body}
    return _encoded(200, body, options)


def _in_camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def token_fields(issued: Issued, options: Options) -> dict[str, Any]:
    """Returns RFC 6749 section 5.1's fields; the token's real life does not change with style."""
    body: dict[str, Any] = {}
    if not issued.is_prolonged:
        body = {"access_token": issued.access_token, "token_type": "Bearer"}
    if options.expires_in_style != "missing":
        body["expires_in"] = expires_in(issued.expires_in_seconds, options.expires_in_style)
    if issued.refresh_token is not None and not issued.is_prolonged:
        body["refresh_token"] = issued.refresh_token
        if issued.refresh_token_expires_in_seconds is not None:
            body["refresh_token_expires_in"] = int(issued.refresh_token_expires_in_seconds)
    return body


def expires_in(seconds: float, style: ExpiresInStyle) -> int | float | str | None:
    """Returns a lifetime as providers write it, well or badly: 20, "20", 0, 1e12, -20, 20.0."""
    told: dict[ExpiresInStyle, int | float | str | None] = {
        "number": int(seconds),
        "string": str(int(seconds)),
        "float": float(seconds),
        "zero": 0,
        "negative": -int(seconds),
        "absurd": _ABSURD_SECONDS,
        "missing": None,
    }
    return told[style]


def refused_answer(refused: Denied, options: Options, *, is_long_lived: bool = False) -> Answer:
    """Returns the error answer: 401 for a wrong client, 429 where to wait, else the configured status.

    The paths of the long-lived exchanges have an error body of their own.
    """
    is_wrong_client = refused.error == "invalid_client"
    status = 401 if is_wrong_client and options.error_status == 400 else options.error_status
    told = refused.reason.replace("_", " ")
    body: dict[str, Any] = {"error": refused.error, "error_description": told}
    if is_long_lived and options.long_lived_errors == "meta":
        body = {"error": {"message": told, "type": "OAuthException", "code": _META_CODE}}
    if refused.retry_after_seconds is not None:
        headers = {"Retry-After": str(ceil(refused.retry_after_seconds))}
        return replace(_encoded(429, body, options), headers=headers)
    return _encoded(status, body, options)


def fault_answer(fault: FaultRule, options: Options, now: float) -> Answer:
    """Returns what a fault answers in place of the provider; no grant was changed."""
    match fault.kind:
        case "status_500":
            return Answer(500, b"<h1>Internal Server Error</h1>", "text/html")
        case "status_503":
            page = b"<h1>Service Unavailable</h1>"
            return Answer(503, page, "text/html", retry_after(fault, now))
        case "status_429":
            too_many = orjson.dumps({"error": "too_many_requests"})
            return Answer(429, too_many, headers=retry_after(fault, now))
        case "garbage":
            return Answer(200, b"<html><body>Sign in to the Wi-Fi</body></html>", "text/html")
        case "redirect":
            return Answer(302, b"", "text/plain", {"Location": "/elsewhere"})
        case "error":
            body = {"error": fault.error, "error_description": fault.error_description}
            return _encoded(fault.status, body, options)
        case _:
            message = f"{fault.kind} has no answer of its own"
            raise AssertionError(message)


def retry_after(fault: FaultRule, now: float) -> dict[str, str]:
    """Returns the Retry-After header in either of RFC 9110's styles; empty where none is asked."""
    seconds = fault.retry_after_seconds
    if seconds is None:
        return {}
    if fault.retry_after_style == "http_date":
        return {"Retry-After": formatdate(now + seconds, usegmt=True)}
    return {"Retry-After": str(int(seconds))}


def _encoded(status: int, body: Mapping[str, Any], options: Options) -> Answer:
    if options.response_format == "form":
        return Answer(status, urlencode(body).encode(), "application/x-www-form-urlencoded")
    return Answer(status, orjson.dumps(body))

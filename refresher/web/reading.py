"""Reads the parts of a request: path, query, headers and body, each refused in a sentence."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import orjson
from pydantic import BaseModel, ValidationError

from refresher.web.call import NO_ID
from refresher.web.problems import Problem

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Headers = Mapping[bytes, bytes]
ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
TAG = re.compile(r'\s*(?:W/)?"([\x21\x23-\x7e]*)"\s*(?:,|$)')
IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")
MOST_SHOWN = 64


def connection_id(path: Mapping[str, str]) -> UUID:
    """Returns the id in the path; what is no id is no connection."""
    return path_id(path, "id", "no_such_connection") if "id" in path else NO_ID


def path_id(path: Mapping[str, str], name: str, code: str) -> UUID:
    """Returns a UUID of the path; raises the problem `code` for what is none."""
    given = path[name]
    if ID.fullmatch(given) is None:
        noun = code.removeprefix("no_such_")
        raise Problem(code, f"no {noun} has this id: ids are UUIDs")
    return UUID(given)


def query(model: type[BaseModel] | None, text: bytes) -> BaseModel | None:
    """Returns the parameters; raises a problem for an unknown, a repeated or a wrong one."""
    pairs = parse_qsl(text.decode("latin-1"), keep_blank_values=True, max_num_fields=100)
    given = dict(pairs)
    if len(given) != len(pairs):
        raise Problem("invalid_query", "a query parameter is given twice")
    if model is None:
        if given:
            raise Problem("invalid_query", "this takes no query parameters")
        return None
    try:
        return model.model_validate(given)
    except ValidationError as error:
        errors = _errors(error)
        raise Problem("invalid_query", _sentence(errors), errors=errors) from None


def if_match(headers: Headers) -> frozenset[str] | None:
    """Returns the entity tags of `If-Match`, None when it is absent or `*`."""
    given = headers.get(b"if-match")
    if given is None or given.strip() == b"*":
        return None
    text = given.decode("latin-1")
    tags = TAG.findall(text)
    if not tags or TAG.sub("", text).strip():
        raise Problem("invalid_header", 'If-Match must be the ETag that was read, such as "3-712"')
    return frozenset(tags)


def idempotency_key(headers: Headers) -> str | None:
    """Returns the `Idempotency-Key`, None when it is absent."""
    given = headers.get(b"idempotency-key")
    if given is None:
        return None
    text = given.decode("latin-1").strip()
    if IDEMPOTENCY_KEY.fullmatch(text) is None:
        raise Problem(
            "invalid_header", "Idempotency-Key must be 1 to 255 visible characters, such as a UUID"
        )
    return text


async def body(receive: Receive, headers: Headers, *, at_most: int) -> bytes:
    """Returns the whole body; stops reading as soon as it is too large."""
    announced = headers.get(b"content-length", b"0")
    if announced.isdigit() and int(announced) > at_most:
        raise _too_large(at_most)
    whole = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Problem("invalid_json", "the body ended before it was whole")
        whole += bytes(message.get("body", b""))
        if len(whole) > at_most:
            raise _too_large(at_most)
        if not message.get("more_body", False):
            return whole


def parsed(
    model: type[BaseModel], raw: bytes, headers: Headers, *, required: bool
) -> tuple[BaseModel, object]:
    """Returns the body as its model and as plain values; raises 400, 415 or 422."""
    if not raw and not required:
        return model(), {}
    kind = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    if kind not in {b"application/json", b"application/merge-patch+json"}:
        raise Problem("unsupported_media_type", "send the body as `Content-Type: application/json`")
    try:
        plain = orjson.loads(raw)
    except ValueError:
        raise Problem("invalid_json", "the body is not JSON (RFC 8259)") from None
    try:
        return model.model_validate_json(raw), plain
    except ValidationError as error:
        errors = _errors(error)
        raise Problem("invalid_body", _sentence(errors), errors=errors) from None


def _errors(error: ValidationError) -> list[dict[str, str]]:
    """Returns what is wrong, field by field; never what was given."""
    told = error.errors(include_input=False, include_url=False, include_context=False)
    return [{"field": _field(e["loc"]), "message": _message(e["type"], e["msg"])} for e in told]


def _field(location: tuple[int | str, ...]) -> str:
    text = ".".join(str(part) for part in location)
    return "".join(c for c in text if c.isprintable())[:MOST_SHOWN] or "body"


def _message(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "there is no such field"
    if kind == "missing":
        return "it is missing"
    return message[:1].lower() + message[1:]


def _sentence(errors: list[dict[str, str]]) -> str:
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{first['field']}: {first['message']}{more}"


def _too_large(at_most: int) -> Problem:
    return Problem(
        "too_large", f"the body is larger than {at_most:,} bytes (REFRESHER_API_MAX_BODY_BYTES)"
    )

"""Reads the parts of a request: path, query, headers and body, each refused in a sentence."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import orjson
from pydantic import BaseModel

from refresher.errors import did_you_mean
from refresher.rules.intake_fields import AN_INSTANT
from refresher.rules.registration import OF_ANSWERS
from refresher.rules.words import said
from refresher.web.problems import NONE_SUCH, Problem
from refresher.web.shapes import PageQuery

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Headers = Mapping[bytes, bytes]
ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
TAG = re.compile(r'[ \t]*+(?:(?:W/)?"([\x21\x23-\x7e]*+)"[ \t]*+)?+(?:,|$)')
"""One entity tag of a list, or none between two commas. It never goes back, so it reads in one pass."""
MOST_TAG_BYTES = 1_024
IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")
MOST_SHOWN = 64
MOST_FAULTS = 20
"""So many are told one by one: an answer must not be many times as large as what was sent."""
MOST_PARAMETERS = 100
MOST_DIGITS = 18
WORDS = {
    "missing": "it is missing",
    "string_type": 'it must be a text in quotes, such as "1042"',
}
SINGLE = frozenset(
    {b"authorization", b"content-length", b"content-type", b"host", b"idempotency-key"}
)
"""Headers that stand once: of two, another server on the way may have believed the other one."""


def headers(pairs: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Returns the headers by name; raises a problem for one that is repeated and may not be.

    The lines of a list are joined (RFC 9110, section 5.3).
    """
    given = dict(pairs)
    if len(given) == len(pairs):
        return given
    joined: dict[bytes, list[bytes]] = {}
    for name, value in pairs:
        joined.setdefault(name, []).append(value)
    for name, values in joined.items():
        if len(values) > 1 and name in SINGLE:
            raise Problem("invalid_header", f"{name.decode()} is given twice: send it once")
    between = {b"cookie": b"; "}  # RFC 9113, section 8.2.3
    return {name: between.get(name, b", ").join(values) for name, values in joined.items()}


def path_id(text: str, code: str = "no_such_connection") -> UUID:
    """Returns a UUID of the path; raises the problem `code` for what is none."""
    if ID.fullmatch(text) is None:
        raise _none_such(code)
    return UUID(text)


def hyphenated(text: object) -> object:
    """For pydantic, which takes a UUID in other forms as well: one of ours has hyphens."""
    if not (isinstance(text, str) and ID.fullmatch(text)):
        raise ValueError("it is no UUID")
    return text


def parameters(text: bytes) -> dict[str, str]:
    """Returns the query's parameters; raises a problem for a repeated one, or for too many."""
    try:
        pairs = parse_qsl(
            text.decode("latin-1"), keep_blank_values=True, max_num_fields=MOST_PARAMETERS
        )
    except ValueError:
        sentence = f"there are more than {MOST_PARAMETERS} query parameters"
        raise Problem("invalid_query", sentence) from None
    given = dict(pairs)
    if len(given) != len(pairs):
        raise Problem("invalid_query", "a query parameter is given twice")
    return given


def no_query(given: Mapping[str, str]) -> None:
    """Raises a problem where there are parameters, and none is taken."""
    if given:
        raise Problem("invalid_query", "this takes no query parameters")


def if_match(headers: Headers) -> frozenset[str] | None:
    """Returns the entity tags of `If-Match`, None when it is absent or `*`."""
    given = headers.get(b"if-match")
    if given is None or given.strip() == b"*":
        return None
    if len(given) > MOST_TAG_BYTES:
        raise Problem("invalid_header", f"If-Match is longer than {MOST_TAG_BYTES:,} bytes")
    tags = _tags(given.decode("latin-1"))
    if not tags:
        raise Problem("invalid_header", 'If-Match must be the ETag that was read, such as "3-712"')
    return tags


def _tags(text: str) -> frozenset[str]:
    """Returns the tags of a list, none where anything else stands in it."""
    tags: set[str] = set()
    at = 0
    while at < len(text):
        found = TAG.match(text, at)
        if found is None:
            return frozenset()
        tags |= {found[1]} - {None}
        at = found.end()
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
    if announced.isdigit() and (len(announced) > MOST_DIGITS or int(announced) > at_most):
        raise _too_large(at_most)
    whole = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Problem("invalid_json", "the body ended before it was whole")
        whole += message.get("body", b"")
        if len(whole) > at_most:
            raise _too_large(at_most)
        if not message.get("more_body", False):
            return bytes(whole)


def json_body(raw: bytes, headers: Headers) -> object:
    """Returns a body's JSON as plain values; raises 400 or 415."""
    kind = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    if kind not in {b"application/json", b"application/merge-patch+json"}:
        raise Problem("unsupported_media_type", "send the body as `Content-Type: application/json`")
    return json_in(raw)


def json_in(raw: bytes) -> object:
    """Returns the JSON of a body; raises a problem that says where it is none, without repeating it."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        where = f"{error.msg} (line {error.lineno}, column {error.colno})"
        raise Problem("invalid_json", f"the body is not JSON (RFC 8259): {where}") from None


def refusal(wrong: Sequence[Any], models: Mapping[str, type[BaseModel] | None]) -> Problem:
    """Returns the problem that FastAPI's list of wrong parts is: of the query, the body or the path."""
    by_part: dict[str, list[Any]] = {}
    for one in wrong:
        by_part.setdefault(str(one["loc"][0]), []).append({**one, "loc": one["loc"][1:]})
    for part in ("query", "body"):
        if part in by_part:
            return faulty(f"invalid_{part}", by_part[part], models.get(part))
    name = str(by_part["path"][0]["loc"][0])
    return _none_such(NONE_SUCH[f"{{{name}}}"])


def faulty(code: str, wrong: Sequence[Any], model: type[BaseModel] | None) -> Problem:
    """Returns the problem that tells what is wrong, field by field; never what was given.

    `model` has the fields there are; its own are told before those of every page.
    """
    fields = model.model_fields if model is not None else ()
    known = tuple(sorted(fields, key=lambda name: name in PageQuery.model_fields))
    errors = [
        {"field": _field(e["loc"]), "message": _message(e, known)} for e in wrong[:MOST_FAULTS]
    ]
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    first = f"{errors[0]['field']}: {errors[0]['message']}"
    return Problem(code, first + more, errors=errors)


def _field(location: tuple[int | str, ...]) -> str:
    text = ".".join(str(part) for part in location)
    return "".join(c for c in text if c.isprintable())[:MOST_SHOWN] or "body"


def _message(fault: Mapping[str, Any], known: tuple[str, ...]) -> str:
    if fault["type"] == "extra_forbidden":
        location = fault["loc"]
        hint = _hint(str(location[-1]), known) if len(location) == 1 else ""
        return f"there is no such field{hint}"
    of_time = fault["type"].startswith(("datetime_", "timezone_"))
    return f"it {AN_INSTANT} (no epoch number)" if of_time else said(fault, WORDS)


def _hint(name: str, known: tuple[str, ...]) -> str:
    """Returns what was meant, perhaps; else what there is, where that is little."""
    if name in OF_ANSWERS and "answer" in known:
        return f"{did_you_mean(name, known)}: a provider's whole answer goes into `answer`"
    return did_you_mean(name, known) or f": there are {', '.join(known)}"


def _none_such(code: str) -> Problem:
    return Problem(code, f"no {code.removeprefix('no_such_')} has this id: ids are UUIDs")


def _too_large(at_most: int) -> Problem:
    return Problem(
        "too_large", f"the body is larger than {at_most:,} bytes (REFRESHER_API_MAX_BODY_BYTES)"
    )

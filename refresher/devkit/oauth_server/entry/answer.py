"""Says what was decided in an entry's words: names, places, formats, spellings, statuses.

Pure: values in, an `Answer` out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

import orjson

from refresher.devkit.oauth_server.answers import Answer, expires_in
from refresher.devkit.oauth_server.entry.places import put
from refresher.devkit.oauth_server.options import Options
from refresher.devkit.oauth_server.tokens import Denied, Family, Issued
from refresher.rules.paths import ways
from refresher.rules.providers import Path, Provider

SCOPES = ("read", "write")
"""What every account has consented to."""
NOT_AS_WRITTEN = "not_as_the_entry_says"
"""The code for a request that is made otherwise: no entry lists it."""
_INSTANTS = ("_at", "_on", "At", "On")


@dataclass(frozen=True, slots=True)
class Words:
    """What an error says: its code, and how its description begins."""

    code: str
    description: str = ""

    @classmethod
    def of(cls, spelling: str) -> "Words":
        """Reads what an entry lists: a code, or code, colon and the beginning of the description."""
        code, _, description = spelling.partition(": ")
        return cls(code, description)


@dataclass(frozen=True, slots=True)
class LifeFields:
    """In which field each life is told; the first of the entry's own where that is None."""

    access_token: str | None = None
    refresh_token: str | None = None


def issued_body(
    entry: Provider, issued: Issued, options: Options, lives: LifeFields, now: float
) -> dict[str, Any]:
    """Returns a good answer: tokens and lives under the entry's names, kept fields beside them."""
    inner: dict[str, Any] = {}
    for name in entry.keep_fields:
        put(tuple(name.split(".")), kept_value(name, issued.family), inner)
    for name, value in _token_fields(entry, issued, options, lives, now).items():
        put(_named(entry, name), value, inner)
    body: dict[str, Any] = inner
    if entry.response_path:
        body = {}
        put(entry.response_path, inner, body)
    if entry.success_without_error_codes:
        put(ways(entry.error_path)[0], _as_told(min(entry.success_without_error_codes)), body)
    return body


def kept_value(name: str, family: Family) -> str:
    """Returns what this server says in a field that the entry keeps."""
    return f"{name} of {family.external_id}"


def _token_fields(
    entry: Provider, issued: Issued, options: Options, lives: LifeFields, now: float
) -> dict[str, object]:
    told: dict[str, object] = {
        "token_type": "Bearer",
        "scope": " ".join(SCOPES),
        "access_token": issued.access_token,
    }
    if issued.refresh_token is not None:
        told["refresh_token"] = issued.refresh_token
    if options.expires_in_style == "missing":
        return told
    name = lives.access_token or next(iter(entry.access_token_lifetime_fields), None)
    if name is not None:
        style = options.expires_in_style
        seconds = issued.expires_in_seconds
        told[name] = _life(name, seconds, now) if style == "number" else expires_in(seconds, style)
    name = lives.refresh_token or next(iter(entry.refresh_token_lifetime_fields), None)
    left = issued.refresh_token_expires_in_seconds
    if name is not None and issued.refresh_token is not None and left is not None:
        told[name] = _life(name, left, now)
    return told


def _life(name: str, seconds: float, now: float) -> object:
    """Returns a life as a field of that name tells it: an instant, or what is left in seconds."""
    return round(now + seconds) if name.endswith(_INSTANTS) else int(seconds)


def _named(entry: Provider, name: str) -> Path:
    return entry.answer_names.get(name, (name,))


def error_body(entry: Provider, words: Words) -> dict[str, Any]:
    """Returns an error where the entry has its code and its words.

    Where the words stand within what should be the code, that is an object with the code in it.
    """
    body: dict[str, Any] = {}
    code, detail = ways(entry.error_path)[0], ways(entry.error_detail_path)[0]
    if len(detail) > len(code) and detail[: len(code)] == code:
        code = (*code, "code")
    put(code, _as_told(words.code), body)
    if words.description and detail != code:
        put(detail, words.description, body)
    elif words.description:
        put(code, f"{words.code}: {words.description}", body)
    return body


def _as_told(code: str) -> str | int:
    return int(code) if code.isdecimal() and str(int(code)) == code else code


def refused(entry: Provider, denied: Denied, options: Options) -> Answer:
    """Returns the refusal of a request: the entry's own word for it, with the usual status."""
    told = denied.reason.replace("_", " ")
    match denied.error:
        case "invalid_grant":
            words, status = _own(entry.dead_grant_errors, "invalid_grant", told), 400
        case "invalid_client":
            words, status = _own(entry.misconfigured_errors, "invalid_client", told), 401
        case "too_many_requests":
            wait = {"Retry-After": str(ceil(float(denied.reason)))}
            return encoded(429, error_body(entry, Words(denied.error)), wait)
        case _:
            words, status = Words(denied.error, told), 400
    if options.error_status != 400:
        status = options.error_status
    return encoded(status, error_body(entry, words))


def _own(spellings: frozenset[str], usual: str, told: str) -> Words:
    """Returns the first of an entry's own spellings, with a description where it names none."""
    words = Words.of(min(spellings, default=usual))
    return words if words.description else Words(words.code, told)


def encoded(status: int, body: Mapping[str, Any], headers: dict[str, str] | None = None) -> Answer:
    """Returns an answer in JSON."""
    return Answer(status, orjson.dumps(body), headers=headers or {})

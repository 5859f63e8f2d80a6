"""Says what was decided in an entry's words: names, places, formats, spellings, statuses.

Pure: values in, an `Answer` out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import Any

import orjson

from refresher.devkit.oauth_server.answers import Answer, expires_in
from refresher.devkit.oauth_server.entry import identity
from refresher.devkit.oauth_server.entry.places import put
from refresher.devkit.oauth_server.options import Options
from refresher.devkit.oauth_server.tokens import Denied, Family, Issued
from refresher.rules.paths import ways
from refresher.rules.providers import LifeFormat, Path, Provider
from refresher.rules.slots import names

SCOPES = ("read", "write")
"""What every account has consented to."""
NOT_AS_WRITTEN = "not_as_the_entry_says"
"""The code for a request that is made otherwise: no entry lists it."""
_INSTANTS = ("_at", "_on", "At", "On")
_NUMBERS = {
    "seconds": (False, 1),
    "milliseconds": (False, 1_000),
    "minutes": (False, 1 / 60),
    "epoch": (True, 1),
    "epoch_milliseconds": (True, 1_000),
}
"""Whether a number counts until an instant since 1970, and how many of it make a second."""


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
class Chosen:
    """What is told where, of several places that an entry has for it.

    Lives in a field by name (the first of the entry's own where that is None), errors by the number of
    the way to them.
    """

    access_token_field: str | None = None
    refresh_token_field: str | None = None
    error_way: int = 0


def issued_body(
    entry: Provider,
    issued: Issued,
    options: Options,
    chosen: Chosen,
    now: float,
    beside: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Returns a good answer: tokens and lives under the entry's names, kept fields beside them.

    `beside` is what an answer to a code tells: it wins, and a scope of None is not told.
    A slot that is refreshed apart is a family of its own: its token is at the top of its own answers,
    but for the answer to a code that asked for more.
    """
    inner: dict[str, Any] = {}
    for name in entry.keep_fields:
        put(tuple(name.split(".")), kept_value(name, issued.family), inner)
    told = {**_token_fields(entry, issued, options, chosen, now), **(beside or {})}
    for name, text in told.items():
        if text is not None:
            put(_named(entry, name), text, inner)
    for name in names(entry, "together"):
        token = {"access_token": kept_value(name, issued.family)}
        _put_slot(entry, name, token, inner)
    for name, other in issued.slots.items():
        _put_slot(entry, name, _token_fields(entry, other, options, chosen, now), inner)
    if issued.consented is not None:
        identity.tell(entry, issued.consented, inner)
    body: dict[str, Any] = inner
    if (path := _tokens_path(entry, issued)) != ():
        body = {}
        put(path, inner, body)
    if entry.success_without_error_codes:
        put(ways(entry.error_path)[0], _as_told(min(entry.success_without_error_codes)), body)
    return body


def _put_slot(
    entry: Provider, name: str, told: Mapping[str, object], inner: dict[str, Any]
) -> None:
    slot = entry.slots[name]
    there: dict[str, Any] = dict(slot.where)
    for field, value in told.items():
        put(_named(entry, field), value, there)
    put((*slot.path, 0) if slot.where else slot.path, there, inner)


def _tokens_path(entry: Provider, issued: Issued) -> Path:
    """Returns the way to the object that holds the tokens: the answer to a code may have its own."""
    consent = None if issued.consented is None else entry.connect
    return (
        ways(consent.code_answer_path)[0]
        if consent and consent.code_answer_path
        else (entry.response_path)
    )


def kept_value(name: str, family: Family) -> str:
    """Returns what this server says in a field that the entry keeps."""
    return f"{name} of {family.external_id}"


def _token_fields(
    entry: Provider, issued: Issued, options: Options, chosen: Chosen, now: float
) -> dict[str, object]:
    told: dict[str, object] = {}
    if not issued.is_prolonged:
        told = {"token_type": "Bearer", "scope": " ".join(SCOPES)}
        told |= {"access_token": issued.access_token, "refresh_token": issued.refresh_token}
    told = {name: value for name, value in told.items() if value is not None}
    if options.expires_in_style == "missing":
        return told
    form = entry.access_token_lifetime_format
    name = chosen.access_token_field or next(iter(entry.access_token_lifetime_fields), None)
    if name is not None and form != "jwt":
        style, seconds = options.expires_in_style, issued.expires_in_seconds
        usual = style == "number"
        told[name] = _life(name, form, seconds, now) if usual else expires_in(seconds, style)
    form = entry.refresh_token_lifetime_format
    name = chosen.refresh_token_field or next(iter(entry.refresh_token_lifetime_fields), None)
    left = issued.refresh_token_expires_in_seconds
    is_told = issued.refresh_token is not None and form != "jwt"
    if is_told and name is not None and left is not None:
        told[name] = _life(name, form, left, now)
    if issued.grant_ends_in_seconds is not None:
        for name in entry.refresh_token_absolute_fields:
            told[name] = _life(name, form, issued.grant_ends_in_seconds, now)
    return told


def _life(name: str, form: LifeFormat, seconds: float, now: float) -> object:
    """Returns a life as the entry says that it is told; without a word of it, as the name sounds."""
    if form == "auto":
        form = "epoch" if name.endswith(_INSTANTS) else "seconds"
    if form == "iso8601":
        return datetime.fromtimestamp(now + seconds, UTC).isoformat(timespec="seconds")
    until, parts = _NUMBERS[form]
    return int(((now if until else 0) + seconds) * parts)


def _named(entry: Provider, name: str) -> Path:
    return entry.answer_names.get(name, (name,))


def error_body(entry: Provider, words: Words, way: int = 0) -> dict[str, Any]:
    """Returns an error where the entry has its code and its words.

    Where the words stand within what should be the code, that is an object with the code in it. Without
    a code, only the words are said.
    """
    body: dict[str, Any] = {}
    code, details = ways(entry.error_path)[way], ways(entry.error_detail_path)
    detail = details[min(way, len(details) - 1)]
    if len(detail) > len(code) and detail[: len(code)] == code:
        code = (*code, "code")
    if words.code:
        put(code, _as_told(words.code), body)
    if words.description and detail not in {code, ()}:
        put(detail, words.description, body)
    elif words.description and words.code:
        put(code, f"{words.code}: {words.description}", body)
    return body


def _as_told(code: str) -> str | int:
    return int(code) if code.isdecimal() and str(int(code)) == code else code


def refused(entry: Provider, denied: Denied, options: Options, way: int = 0) -> Answer:
    """Returns the refusal of a request: the entry's own word for it, with the usual status."""
    told = denied.reason.replace("_", " ")
    if denied.retry_after_seconds is not None:
        wait = {"Retry-After": str(ceil(denied.retry_after_seconds))}
        return encoded(429, error_body(entry, Words(denied.error, told), way), wait)
    match denied.error:
        case "invalid_grant":
            words, status = _own(entry, entry.dead_grant_errors, Words(denied.error, told), 400)
        case "invalid_client":
            words, status = _own(entry, entry.misconfigured_errors, Words(denied.error, told), 401)
        case _:
            words, status = Words(denied.error, told), 400
    if options.error_status != 400:
        status = options.error_status
    return encoded(status, error_body(entry, words, way))


def _own(
    entry: Provider, spellings: frozenset[str], usual: Words, status: int
) -> tuple[Words, int]:
    """Returns the first of an entry's own ways to say a thing, and the status that goes with it."""
    known = {usual.code} | spellings
    silent = [status for status, code in entry.status_errors.items() if code in known]
    if silent:
        return Words("", usual.description), int(min(silent))
    words = Words.of(min(spellings, default=usual.code))
    said = words if words.description else Words(words.code, usual.description)
    return said, min(entry.refusal_statuses, default=status)


def encoded(status: int, body: Mapping[str, Any], headers: dict[str, str] | None = None) -> Answer:
    """Returns an answer in JSON."""
    return Answer(status, orjson.dumps(body), headers=headers or {})

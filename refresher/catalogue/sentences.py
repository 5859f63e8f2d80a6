"""Turns what pydantic found into sentences: one a fault, with the field and what to do.

Values are shown only where they are one of a few words (a strategy, a method): never a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from pydantic import ValidationError

from refresher.errors import did_you_mean

APP_ONLY = ("client_id", "client_secret", "client_secret_env", "client_secret_file")
_NOBODY_IS_SENT = "refresher sends nobody there; leave it away (your application does that step)"
ELSEWHERE = {
    **dict.fromkeys(
        ("authorization_url", "authorization_endpoint", "authorize_url", "auth_url"),
        _NOBODY_IS_SENT,
    ),
    "issuer": "metadata is not looked up; give token_url, which the issuer's metadata names",
    "token_endpoint": "it is called token_url here",
    "revocation_endpoint": "it is called revocation_url here",
    "token_endpoint_auth_method": "it is called client_auth here",
    "scopes": "they belong to each connection",
    "scope": "they belong to each connection",
}
"""Names that other tools and RFC 8414 use, and what to do about each."""
_WORDS = {
    "string_type": "must be a text in quotes",
    "string_too_short": "must not be empty",
    "float_type": "must be a number of seconds",
    "finite_number": "must be a number of seconds",
    "bool_type": "must be true or false",
    "dict_type": "must be a table of texts",
    "tuple_type": "must be a list of texts",
    "frozen_set_type": "must be a list of texts",
    "path": 'must be a list of names, and numbers for places in lists: ["errors", 0, "code"]',
    "date_type": "must be a date such as 2026-11-22, without quotes",
    "too_short": "must not be empty",
    "too_long": "has more than {max_length} items",
    "greater_than": "must be more than {gt:g} seconds",
    "greater_than_equal": "must not be negative",
    "string_too_long": "is longer than {max_length} characters",
}


def sentences(error: ValidationError, fields: Iterable[str]) -> list[str]:
    """Returns one sentence a fault, without where it stands; `fields` are those that exist."""
    known = tuple(fields)
    details = error.errors(include_url=False)
    return [
        _sentence(d["type"], d["loc"], d.get("ctx", {}), d["input"], d["msg"], known)
        for d in details
    ]


def _sentence(
    kind: str,
    location: tuple[int | str, ...],
    context: Mapping[str, object],
    given: object,
    message: str,
    known: tuple[str, ...],
) -> str:
    parts = [str(part) for part in location if not isinstance(part, int) and part != "[key]"]
    field = ".".join(parts)
    if location and isinstance(location[-1], int):
        field += f", item {location[-1] + 1},"
    if kind == "extra_forbidden":
        return _no_field(field, known)
    if kind == "missing":
        return f"{field} is missing"
    if kind in {"enum", "literal_error"}:
        return _choice(field, given, re.findall(r"'([^']*)'", str(context.get("expected", ""))))
    if kind in _WORDS:
        return f"{field} {_WORDS[kind].format(**context)}"
    return f"{field}: {message[:1].lower()}{message[1:]}"


def _no_field(field: str, known: tuple[str, ...]) -> str:
    if field in APP_ONLY and field not in known:
        return f"{field} belongs to the app: put it under [apps.…]"
    if field in ELSEWHERE:
        return f'there is no field "{field}": {ELSEWHERE[field]}'
    return f'there is no field "{field}"{did_you_mean(field, known)}'


def _choice(field: str, given: object, choices: list[str]) -> str:
    listed = ", ".join(f'"{choice}"' for choice in choices)
    if not isinstance(given, str):
        return f"{field} must be one of {listed}"
    return f'{field} is "{given}", but must be one of {listed}{did_you_mean(given, choices)}'

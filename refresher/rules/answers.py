"""Reads the body and headers of a token endpoint's answer, forgiving all that is not a token.

Nothing here can raise on any input: a rotated refresh token may be in the very answer that is odd.
Called by `outcomes.py`. Sources: RFC 6749 sections 5.1 and 5.2, RFC 9110 section 10.2.3.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qsl

import orjson

from refresher.rules.connection import Grant, Secret
from refresher.rules.providers import Provider

MAX_LIFETIME_SECONDS = 10 * 366 * 86_400.0
"""Ten years. A longer life is taken for a mistake, and the fallbacks of `policy.lifetime` used."""
MAX_RETRY_AFTER_SECONDS = 86_400.0
MAX_CODE_LENGTH = 64
_NUMERIC = (int, float, str)  # written out at the place, the union is made anew for each answer
_FORM = re.compile(r"""[^\s<>{}"']+""")
_TOKEN_FIELD = re.compile(r'"(access_token|refresh_token)"\s*:\s*("[^"\\]*(?:\\.[^"\\]*)*")')
_LIKE_A_TOKEN = re.compile(r"(?=(?:[\w.~+/=-]*?\d){2})[\w.~+/=-]{20,}")


def read_body(body: bytes, path: tuple[str, ...]) -> Mapping[str, object]:
    """Returns the answer as a mapping: JSON, else form-encoded; empty when it is neither.

    `path` leads to the object that holds the tokens (`("data",)` for TikTok Business); its fields
    win over those around it, which stay readable, because errors often stand outside.
    """
    try:
        parsed: object = orjson.loads(body)
    except ValueError:  # what the quick way refuses has a second chance
        parsed = _parse(body.decode("utf-8-sig", errors="replace").strip())
    if not isinstance(parsed, dict):
        return {}
    inner: object = parsed
    for key in path:
        inner = inner.get(key) if isinstance(inner, dict) else None
    return {**parsed, **inner} if isinstance(inner, dict) else parsed


def read_grant(provider: Provider, answer: Mapping[str, object]) -> Grant | None:
    """Returns what was granted, or None when there is no usable access token.

    Only the access token is demanded. Every other field that cannot be read is as if absent.
    """
    access_token = _token(answer.get("access_token"))
    if access_token is None or _says_failure(answer):
        return None
    return Grant(
        access_token=access_token,
        refresh_token=_token(answer.get("refresh_token")),
        expires_in_seconds=lifetime_seconds(answer.get("expires_in")),
        refresh_token_expires_in_seconds=_first_lifetime(
            answer, provider.refresh_token_lifetime_fields
        ),
        scopes=_scopes(answer.get("scope")),
    )


def lifetime_seconds(value: object) -> float | None:
    """Returns a lifetime in seconds, or None for what is missing, zero, negative or absurd.

    `"3600"` and `3600.0` are read as 3600; 1e12 (which somebody meant as milliseconds or an
    instant) is not.
    """
    if isinstance(value, bool) or not isinstance(value, _NUMERIC):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) and 0 < seconds <= MAX_LIFETIME_SECONDS else None


def error_code(provider: Provider, answer: Mapping[str, object]) -> str | None:
    """Returns the provider's error code, short and printable, or None when it gave none.

    Where the catalogue lists the code together with the beginning of its description, that whole
    spelling is returned: Exact Online's `unauthorized_client` is a dead grant when it goes on with
    "Old refresh token used", and a refused app when it does not.
    """
    value = _at(answer, provider.error_path)
    if isinstance(value, dict):  # Meta: {"error": {"type": "OAuthException", "code": 190}}
        value = value.get("code") or value.get("type") or value.get("status")
    if value is None or value == "" or isinstance(value, bool | list | dict):
        return None
    code = str(value)
    if code in provider.success_without_error_codes:
        return None
    return _listed_spelling(provider, answer, code) or _printable(code)


def retry_after_seconds(headers: Mapping[str, str], now_epoch_seconds: float) -> float | None:
    """Returns the wait a `Retry-After` header asks for: seconds or an HTTP date; a day at most."""
    if not headers:
        return None
    value = next((v for k, v in headers.items() if k.lower() == "retry-after"), "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = parsedate_to_datetime(value)
            date = date if date.tzinfo else date.replace(tzinfo=UTC)  # "-0000", or no zone
            seconds = date.timestamp() - now_epoch_seconds
        except (ValueError, TypeError, OverflowError, IndexError):
            return None
    if not math.isfinite(seconds):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def _parse(text: str) -> object:
    if text[:1] in "{[":
        try:
            return json.loads(text, strict=False, parse_int=_integer)
        except RecursionError:
            return _salvage(text)
        except ValueError:
            # Cut off, perhaps: without its refresh token the pair must not replace the stored one.
            found = _salvage(text)
            return found if "refresh_token" in found else {}
    # A page is no form, even one whose links hold `&access_token=`.
    return dict(parse_qsl(text)) if _FORM.fullmatch(text) else {}


def _salvage(text: str) -> dict[str, object]:
    """Returns the tokens that stand, complete, in JSON which cannot be read as a whole."""
    found: dict[str, object] = {}
    for name, literal in _TOKEN_FIELD.findall(text):
        try:
            found.setdefault(name, json.loads(literal, strict=False))
        except ValueError:
            continue
    return found


def _integer(digits: str) -> int | float:
    # Python refuses to read more than 4,300 digits, and the tokens beside them would be lost.
    return int(digits) if len(digits) <= 300 else float(digits)


def _at(answer: Mapping[str, object], path: tuple[str, ...]) -> object:
    value: object = answer
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _listed_spelling(provider: Provider, answer: Mapping[str, object], code: str) -> str | None:
    detail = _at(answer, provider.error_detail_path)
    if not isinstance(detail, str):
        return None
    said = f"{code}: {detail}".casefold()
    listed = provider.dead_grant_errors | provider.misconfigured_errors | provider.retry_errors
    known = (spelling for spelling in listed if ": " in spelling)
    return max((k for k in known if said.startswith(k.casefold())), key=len, default=None)


def _printable(code: str) -> str | None:
    """Returns `code` fit for events and logs: an error text that repeats our token is masked."""
    shown = "".join(c for c in code[:4096] if c.isprintable()).strip()
    return _LIKE_A_TOKEN.sub("***", shown)[:MAX_CODE_LENGTH] or None


def _token(value: object) -> Secret | None:
    return Secret(value) if isinstance(value, str) and value.strip() else None


def _says_failure(answer: Mapping[str, object]) -> bool:
    return answer.get("ok") is False  # Slack answers 200 with {"ok": false}


def _first_lifetime(answer: Mapping[str, object], names: Iterable[str]) -> float | None:
    for name in names:
        if (seconds := lifetime_seconds(answer.get(name))) is not None:
            return seconds
    return None


def _scopes(value: object) -> tuple[str, ...] | None:
    """Returns the scopes of a text, or of a list (Twitch); what no database would take is left."""
    if isinstance(value, list):
        value = " ".join(scope for scope in value if isinstance(scope, str))
    if not isinstance(value, str):
        return None
    return tuple(s for s in value.replace(",", " ").split() if s.isprintable()) or None

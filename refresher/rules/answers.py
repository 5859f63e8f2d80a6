"""Reads the fields and headers of a token endpoint's answer, forgiving all that is not a token.

Nothing here can raise on any input: a rotated refresh token may be in the very answer that is odd.
Called by `outcomes.py`; `bodies.py` makes fields of the bytes, `lives.py` reads the lives. Sources:
RFC 6749 sections 5.1 and 5.2, RFC 9110 section 10.2.3.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

import orjson

from refresher.rules import bodies, lives
from refresher.rules.connection import Grant, Secret, is_no_token
from refresher.rules.kept_fields import kept
from refresher.rules.masking import hide_tokens
from refresher.rules.providers import Path, Provider

MAX_RETRY_AFTER_SECONDS = 86_400.0
A_YEAR_SECONDS = 366 * 86_400.0
"""A number that comes as close to our time is an instant: no wait is as long."""
MAX_CODE_LENGTH = 64
MAX_DETAIL_LENGTH = 200
_MOST_CHARACTERS = 1_024
"""Of what is shown, so much is looked at: the look costs more than a straight line."""
_DEAD = re.compile(r"invalid_grant(?=[\s:,;.(-]|$)", re.IGNORECASE)
_DEAD_AT_THE_END = re.compile(r"\S+\s.*:\s*invalid_grant\.?", re.IGNORECASE | re.DOTALL)
_MOST_OBJECTS = 200


def read_body(
    body: bytes,
    path: Path,
    headers: Mapping[str, str] = bodies.NO_HEADERS,
    *,
    broken: bool = False,
) -> Mapping[str, object]:
    """Returns the answer as a mapping, however it came; empty when it cannot be read.

    `path` leads to the object that holds the tokens (`("data",)` for TikTok Business); its fields
    win over those around it, which stay readable, because errors often stand outside. `broken` tells
    that the transfer ended early: then only what is whole beyond doubt is read.
    """
    try:
        parsed: object = orjson.loads(body)
    except ValueError:  # what the quick way refuses has a second chance
        parsed = None
    if not isinstance(parsed, dict):
        parsed = bodies.read(body, headers, broken=broken)
    return _with_inner(parsed, path) if path else parsed


def read_answer(
    provider: Provider,
    body: bytes,
    headers: Mapping[str, str] = bodies.NO_HEADERS,
    *,
    broken: bool = False,
) -> Mapping[str, object]:
    """Returns `read_body` for this provider, its token fields under their standard names."""
    answer = read_body(body, provider.response_path, headers, broken=broken)
    return _named(provider, answer) if provider.answer_names else answer


def read_parsed(provider: Provider, given: object) -> Mapping[str, object]:
    """Returns what `read_answer` does for an answer that somebody has parsed already.

    `read_grant` makes a grant of it: so an answer that is handed in means what it means on the wire.
    """
    answer: Mapping[str, object] = bodies.as_object(given) or {}
    answer = _with_inner(answer, provider.response_path)
    return _named(provider, answer) if provider.answer_names else answer


def read_grant(
    provider: Provider, answer: Mapping[str, object], now_epoch_seconds: float
) -> Grant | None:
    """Returns what was granted, or None when there is no usable access token.

    Only the access token is demanded. Every other field that cannot be read is as if absent. Where the
    answer has no token at its place and no error, the one object within it that has one is read.
    """
    if _says_failure(answer):
        return None
    access_token = as_token(answer.get("access_token"))
    if access_token is None:
        inner = _within(provider, answer)
        access_token = as_token(inner.get("access_token")) if inner else None
        if inner is None or access_token is None:
            return None
        answer = inner
    end, endless = lives.end_of_refresh_token(
        answer,
        provider.refresh_token_lifetime_fields,
        now_epoch_seconds,
        provider.refresh_token_lifetime_seconds,
    )
    return Grant(
        access_token=access_token,
        refresh_token=as_token(answer.get("refresh_token")),
        expires_in_seconds=lives.shortest(
            answer,
            provider.access_token_lifetime_fields,
            now_epoch_seconds,
            provider.access_token_lifetime_seconds,
        ),
        refresh_token_expires_in_seconds=end,
        refresh_token_is_endless=endless,
        in_token_seconds=lives.in_jwt(access_token, now_epoch_seconds),
        scopes=_scopes(answer.get("scope")),
        kept=kept(provider.keep_fields, answer) if provider.keep_fields else None,
    )


def as_token(value: object) -> Secret | None:
    """Returns a token, None for what is none: blank, another type, "null" or "undefined" as a text."""
    return Secret(value) if isinstance(value, str) and not is_no_token(value) else None


def error_code(provider: Provider, answer: Mapping[str, object]) -> str | None:
    """Returns the provider's error code, short and printable, or None when it gave none.

    Where the catalogue lists the code together with the beginning of its description, that whole
    spelling is returned: Exact Online's `unauthorized_client` is a dead grant when it goes on with
    "Old refresh token used", and a refused app when it does not.
    """
    value = bodies.at(answer, provider.error_path)
    if isinstance(value, dict):  # Meta: {"error": {"type": "OAuthException", "code": 190}}
        value = value.get("code") or value.get("type") or value.get("status")
    if value is None or value == "" or isinstance(value, bool | list | dict):
        return None
    code = str(value)
    if code in provider.success_without_error_codes:
        return None
    return (
        _listed_spelling(provider, answer, code) or _dead_grant(provider, code) or _printable(code)
    )


def error_detail(provider: Provider, answer: Mapping[str, object]) -> str | None:
    """Returns the provider's own words about an error, one line, masked; None when it gave none."""
    said = bodies.at(answer, provider.error_detail_path)
    error = bodies.at(answer, provider.error_path)
    code = error_code(provider, answer) or ""
    told = [said, answer.get("error_subtype")]
    if isinstance(error, dict):
        told.append(error.get("message"))
    elif isinstance(error, str) and error.strip() != code:
        told.append(error)
    words = [
        w for t in told if isinstance(t, str | int) and (w := _masked(" ".join(str(t).split())))
    ]
    return "; ".join(dict.fromkeys(words))[:MAX_DETAIL_LENGTH] or None


def retry_after_seconds(headers: Mapping[str, str], now_epoch_seconds: float) -> float | None:
    """Returns the wait a `Retry-After` header asks for: seconds or an HTTP date; a day at most.

    A number close to our time (seconds or milliseconds since 1970) is understood as that instant.
    """
    if not headers:
        return None
    value = next((v for k, v in headers.items() if k.lower() == "retry-after"), "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
        for instant in (seconds, seconds / 1000):
            if abs(instant - now_epoch_seconds) < A_YEAR_SECONDS < instant:
                seconds = instant - now_epoch_seconds
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


def _with_inner(answer: Mapping[str, object], path: Path) -> Mapping[str, object]:
    inner = bodies.as_object(bodies.at(answer, path)) if path else None
    return {**answer, **inner} if inner else answer


def _named(provider: Provider, answer: Mapping[str, object]) -> Mapping[str, object]:
    """Returns the answer with the provider's own names for token fields made the standard ones."""
    found = {name: bodies.at(answer, path) for name, path in provider.answer_names.items()}
    return {**answer, **{name: value for name, value in found.items() if value is not None}}


def _within(provider: Provider, answer: Mapping[str, object]) -> Mapping[str, object] | None:
    """Returns the fields of the one object in the answer that has an access token, over its own."""
    if error_code(provider, answer) is not None:
        return None
    found = [o for o in _objects(answer) if as_token(o.get("access_token"))]
    return {**answer, **found[0]} if len(found) == 1 else None


def _objects(answer: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    layer: list[object] = list(answer.values())
    for _ in range(_MOST_OBJECTS):
        if not layer:
            return
        value = layer.pop()
        if isinstance(value, dict):
            yield value
            layer.extend(value.values())
        elif isinstance(value, list):
            layer.extend(value)
        elif isinstance(value, str) and value[:1] == "{" and (inner := bodies.as_object(value)):
            layer.append(inner)


def _dead_grant(provider: Provider, code: str) -> str | None:
    """Returns the standard code of a dead grant that is told with words before or after it.

    Before it only in a sentence that ends with a colon and the code: what merely mentions it is no
    verdict on the grant.
    """
    if code.strip() in _listed(provider):
        return None
    said = code.strip()[:_MOST_CHARACTERS]
    return "invalid_grant" if _DEAD.match(said) or _DEAD_AT_THE_END.fullmatch(said) else None


def _listed(provider: Provider) -> frozenset[str]:
    return provider.dead_grant_errors | provider.misconfigured_errors | provider.retry_errors


def _listed_spelling(provider: Provider, answer: Mapping[str, object], code: str) -> str | None:
    detail = bodies.at(answer, provider.error_detail_path)
    said = [code.strip(), *([f"{code}: {detail}"] if isinstance(detail, str) else [])]
    if len(said) > 1 and _dead_grant(provider, code):
        said.append(f"invalid_grant: {detail}")
    said = [text.casefold() for text in said]
    known = (spelling for spelling in _listed(provider) if ": " in spelling)
    found = (k for k in known if any(text.startswith(k.casefold()) for text in said))
    return max(found, key=len, default=None)


def _printable(code: str) -> str | None:
    """Returns `code` fit for events and logs: an error text that repeats our token is masked."""
    return _masked(code)[:MAX_CODE_LENGTH] or None


def _masked(text: str) -> str:
    shown = "".join(c for c in text[:_MOST_CHARACTERS] if c.isprintable()).strip()
    return hide_tokens(shown)


def _says_failure(answer: Mapping[str, object]) -> bool:
    # Slack answers 200 with {"ok": false}.
    return answer.get("ok") is False


def _scopes(value: object) -> tuple[str, ...] | None:
    """Returns the scopes of a text, or of a list (Twitch); what no database would take is left."""
    if isinstance(value, list):
        value = " ".join(scope for scope in value if isinstance(scope, str))
    if not isinstance(value, str):
        return None
    return tuple(s for s in value.replace(",", " ").split() if s.isprintable()) or None

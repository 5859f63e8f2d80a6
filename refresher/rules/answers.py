"""Reads the fields and headers of a token endpoint's answer, forgiving all that is not a token.

Nothing here can raise on any input: a rotated refresh token may be in the very answer that is odd.
Called by `outcomes.py`; `bodies.py` makes fields of the bytes, `lives.py` reads the lives. Sources:
RFC 6749 sections 5.1 and 5.2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC
from email.utils import parsedate_to_datetime

import orjson

from refresher.rules import bodies, lives, slots
from refresher.rules.bodies import at
from refresher.rules.connection import Grant, Secret, as_token
from refresher.rules.error_codes import error_code
from refresher.rules.kept_fields import KeptFields, kept
from refresher.rules.providers import Path, Provider

MAX_RETRY_AFTER_SECONDS = 86_400.0
A_YEAR_SECONDS = 366 * 86_400.0
"""A number that comes as close to our time is an instant: no wait is as long."""
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
        return read_grant(provider, inner, now_epoch_seconds) if inner else None
    refresh_token = as_token(answer.get("refresh_token"))
    end, endless = _end(provider, answer, refresh_token, now_epoch_seconds)
    in_token = lives.in_jwt(access_token, now_epoch_seconds)
    told = None
    if in_token is None or provider.access_token_lifetime_format != "jwt":
        told = lives.shortest(
            answer,
            provider.access_token_lifetime_fields,
            now_epoch_seconds,
            provider.access_token_lifetime_seconds,
            provider.access_token_lifetime_format,
        )
    return Grant(
        access_token=access_token,
        refresh_token=refresh_token,
        expires_in_seconds=told,
        refresh_token_expires_in_seconds=end,
        refresh_token_is_endless=endless,
        in_token_seconds=in_token,
        grant_expires_in_seconds=_grant_end(provider, answer, now_epoch_seconds)
        if provider.refresh_token_absolute_fields
        else None,
        scopes=_scopes(answer.get("scope")),
        kept=_kept(provider, answer, now_epoch_seconds),
    )


def read_prolonged(
    provider: Provider, answer: Mapping[str, object], now_epoch_seconds: float
) -> Grant:
    """Returns the lives that an answer gives to the stored tokens: a grant whose token is empty."""
    end, endless = _end(provider, answer, None, now_epoch_seconds)
    return Grant(
        access_token=Secret(""),
        refresh_token=None,
        expires_in_seconds=lives.shortest(
            answer,
            provider.access_token_lifetime_fields,
            now_epoch_seconds,
            provider.access_token_lifetime_seconds,
            provider.access_token_lifetime_format,
        ),
        refresh_token_expires_in_seconds=end,
        refresh_token_is_endless=endless,
        grant_expires_in_seconds=_grant_end(provider, answer, now_epoch_seconds),
        kept=kept(provider.keep_fields, answer) if provider.keep_fields else None,
    )


def _end(
    provider: Provider,
    answer: Mapping[str, object],
    refresh_token: Secret | None,
    now_epoch_seconds: float,
) -> tuple[float | None, bool]:
    """Returns when the refresh token ends, if that is told, and whether it is told to have no end."""
    if provider.refresh_token_lifetime_format == "jwt" and refresh_token:
        own = lives.in_jwt(refresh_token, now_epoch_seconds)
        if own is not None:
            return own, False
    return lives.end_of_refresh_token(
        answer,
        provider.refresh_token_lifetime_fields,
        now_epoch_seconds,
        provider.refresh_token_lifetime_seconds,
        provider.refresh_token_lifetime_format,
    )


def read_slots(
    provider: Provider,
    answer: Mapping[str, object],
    now_epoch_seconds: float,
    refreshed: slots.Refreshed,
) -> dict[str, Grant]:
    """Returns what was granted to the slots that are refreshed so, each read like the main token."""
    inner = replace(provider, slots={}, response_path=())
    found: dict[str, Grant] = {}
    for name, fields in slots.objects(provider, answer, refreshed):
        told = _named(inner, fields)
        has_token = as_token(told.get("access_token")) is not None
        grant = read_grant(inner, told, now_epoch_seconds) if has_token else None
        if grant is not None:
            found[name] = grant
    return found


def _kept(
    provider: Provider, answer: Mapping[str, object], now_epoch_seconds: float
) -> KeptFields | None:
    """Returns the fields that are kept, and the tokens that come together with the main one."""
    if not (provider.keep_fields or provider.slots):
        return None
    fields = kept(provider.keep_fields, answer)
    for name, grant in read_slots(provider, answer, now_epoch_seconds, "together").items():
        ends = [s for s in (grant.expires_in_seconds, grant.in_token_seconds) if s is not None]
        ending = now_epoch_seconds + min(ends) if ends else None
        fields = {**fields, **slots.as_kept(name, grant.access_token, ending, grant.scopes)}
    return fields


def _grant_end(
    provider: Provider, answer: Mapping[str, object], now_epoch_seconds: float
) -> float | None:
    """Returns when the grant ends for good, None where the answer does not tell."""
    end, _endless = lives.end_of_refresh_token(
        answer,
        provider.refresh_token_absolute_fields,
        now_epoch_seconds,
        provider.refresh_token_absolute_seconds,
        provider.refresh_token_lifetime_format,
    )
    return end


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
    inner = bodies.as_object(at(answer, path)) if path else None
    return {**answer, **inner} if inner else answer


def _named(provider: Provider, answer: Mapping[str, object]) -> Mapping[str, object]:
    """Returns the answer with the provider's own names for token fields made the standard ones."""
    found = {name: at(answer, path) for name, path in provider.answer_names.items()}
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

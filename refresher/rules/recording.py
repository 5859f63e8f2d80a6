"""Records what a decision was made from, so that it can be made again later; and reads it back.

Pure. What is recorded is a handful of numbers and words, never a token: whether tokens came, how
long they were said to live, the provider's error code in a safe alphabet. `as_reply` makes a reply
of it that today's rules read like the one that came; `rules/replay.py` has them decide.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import replace

from refresher.rules import policy as when
from refresher.rules.answers import read_answer, retry_after_seconds
from refresher.rules.connection import Connection, Grant, Status, as_token
from refresher.rules.decision import Before
from refresher.rules.error_codes import error_code
from refresher.rules.guards import Outline
from refresher.rules.history import PastEvent
from refresher.rules.outcomes import Outcome, Prolonged, Refreshed, Reply, Unreadable
from refresher.rules.paths import placed, ways
from refresher.rules.providers import Provider

Facts = Mapping[str, object]
MAX_CODE_LENGTH = 64
_UNSAFE = re.compile(r"[^A-Za-z0-9 _.,:;()/*+-]")
_STOPS = ("deleted", "disabled", "paused", "in_between_steps")
_TOLD = ("expires_in", "refresh_token_expires_in", "ok", "prolonged")
_GRANTED = (Refreshed, Prolonged)  # written out at the place, the union is made for each reply
_THERE = "recorded"
"""Stands for a token that came: its text is nobody's business."""


def of_exchange(provider: Provider, reply: Reply, outcome: Outcome, before: Before) -> Facts:
    """Returns what came back and what was known before; what is usual is left away."""
    facts: dict[str, object] = {"left": round(before.left_seconds, 3)}
    known = (
        ("attempt", before.attempt),
        ("unknown_outcomes", before.unknown_outcomes),
        ("last_lifetime", before.last_lifetime_seconds),
        ("doubted", before.doubted),
        ("failure", reply.failure),
        ("not_sent", not reply.sent),
    )
    facts.update([one for one in known if one[1]])
    if isinstance(outcome, _GRANTED):
        _add_granted(facts, outcome.grant)
        return facts
    if isinstance(outcome, Unreadable):
        facts["unread"] = True
    return facts | _answer(provider, reply, before.now_epoch_seconds)


def _add_granted(facts: dict[str, object], grant: Grant) -> None:
    """Adds what came: nothing has to be read a second time."""
    facts["access_token" if grant.access_token else "prolonged"] = True
    if grant.expires_in_seconds is not None:
        facts["expires_in"] = grant.expires_in_seconds
    if grant.in_token_seconds is not None:
        facts["in_token"] = grant.in_token_seconds
    if grant.refresh_token:
        facts["refresh_token"] = True
    if grant.refresh_token_is_endless:
        facts["refresh_token_expires_in"] = 0
    elif grant.refresh_token_expires_in_seconds is not None:
        facts["refresh_token_expires_in"] = grant.refresh_token_expires_in_seconds


def of_guard(connection: Connection, *, expired: bool) -> Facts:
    """Returns what the guard judged when it said no."""
    facts: dict[str, object] = {name: True for name in _STOPS if getattr(connection, name)}
    there = {
        "access_token": connection.access_token,
        "refresh_token": connection.refresh_token,
        "app": connection.app,
        "expiry": connection.expires_at,
    }
    facts |= {name: True for name, value in there.items() if value is not None}
    if expired:
        facts["expired"] = True
    if connection.status is not Status.ACTIVE:
        facts["status"] = str(connection.status)
    return {"guard": facts}


def as_reply(provider: Provider, event: PastEvent, facts: Facts) -> Reply:
    """Returns a reply that today's rules read as they read the one that came."""
    failure, wait = facts.get("failure"), facts.get("retry_after")
    return Reply(
        status=event.http_status,
        headers={} if wait is None else {"Retry-After": str(wait)},
        body=json.dumps(_body(provider, facts)).encode(),
        failure=None if failure is None else str(failure),
        sent="not_sent" not in facts,
        elapsed_seconds=event.exchange_seconds or 0.0,
    )


def as_recorded(provider: Provider) -> Provider:
    """Returns the provider with the lives of its answers where, and as, they are recorded."""
    return replace(
        provider,
        access_token_lifetime_fields=("expires_in",),
        access_token_lifetime_format="seconds",
        refresh_token_lifetime_fields=("refresh_token_expires_in",),
        refresh_token_lifetime_format="seconds",
    )


def as_before(event: PastEvent, facts: Facts) -> Before:
    """Returns what was known when the request left. A JWT's life is recorded as from instant 0."""
    return Before(
        attempt=int(_number(facts, "attempt")),
        unknown_outcomes=int(_number(facts, "unknown_outcomes")),
        left_seconds=_number(facts, "left"),
        last_lifetime_seconds=_number(facts, "last_lifetime") or None,
        doubted=bool(facts.get("doubted")),
        now_epoch_seconds=0.0,
        spread=when.stable_spread(event.connection_id, (event.credential_version or 0) + 1),
        dice=when.stable_spread(event.connection_id, event.lease_token or 0),
    )


def as_outline(facts: Facts) -> Outline:
    """Returns the connection as far as the guard looked at it."""
    return Outline(
        status=Status(str(facts.get("status", Status.ACTIVE))),
        access_token=facts.get("access_token") or None,
        refresh_token=facts.get("refresh_token") or None,
        expires_at=facts.get("expiry") or None,
        app=facts.get("app") or None,
        **{stop: stop in facts for stop in _STOPS},
    )


def _answer(provider: Provider, reply: Reply, now_epoch_seconds: float) -> dict[str, object]:
    """Returns what stood in an answer, read as the rules read it."""
    broken = reply.failure is not None
    answer = read_answer(provider, reply.body, reply.headers, broken=broken)
    found = {
        "access_token": as_token(answer.get("access_token")) and True,
        "refresh_token": as_token(answer.get("refresh_token")) and True,
        "error": _safe(error_code(provider, answer)),
        "retry_after": retry_after_seconds(reply.headers, now_epoch_seconds),
        "ok": False if answer.get("ok") is False else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _body(provider: Provider, facts: Facts) -> object:
    """Returns an answer with the recorded fields where this provider puts them."""
    inner: dict[str, object] = {name: facts[name] for name in _TOLD if name in facts}
    if "access_token" in facts:
        inner["access_token"] = _jwt(facts["in_token"]) if "in_token" in facts else _THERE
    if "refresh_token" in facts:
        inner["refresh_token"] = _THERE
    if "unread" in facts:
        inner["unread_token"] = _THERE
    body = placed(provider.response_path, inner)
    if "error" in facts:
        code, _, detail = str(facts["error"]).partition(": ")
        body = placed(ways(provider.error_path)[0], code, body)
        body = placed(ways(provider.error_detail_path)[0], detail, body) if detail else body
    return body


def _jwt(life: object) -> str:
    payload = urlsafe_b64encode(json.dumps({"exp": life}).encode()).decode().rstrip("=")
    return f"e30.{payload}.e30"


def _safe(code: str | None) -> str | None:
    return code and _UNSAFE.sub("?", code)[:MAX_CODE_LENGTH]


def _number(facts: Facts, name: str) -> float:
    value = facts.get(name)
    return float(value) if isinstance(value, int | float) else 0.0

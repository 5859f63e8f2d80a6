"""What lies in the spool: one sealed token pair an entry, or one answer that could not be read.

Beside it is what the fences need to store it later.

An entry is a text of JSON. Two that are made of the same settlement for the same reason are equal, so
that putting one twice does no harm.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from refresher.rules.connection import Claim, Sealed, SealedLife
from refresher.store.answers import KeptAnswer
from refresher.store.reload import Reloaded, remembered
from refresher.store.settlement import Settlement

Entry = dict[str, Any]
Readers = Mapping[str, Callable[[Any], Any]]


class Foreign(Exception):
    """An entry of another installation, which used the same Redis or folder."""


class NotWhole(ValueError):
    """An entry is not whole, or another version's."""


def to_text(s: Settlement, why: str) -> str:
    """Returns the entry of an irreplaceable settlement; `why` Postgres did not take it."""
    pair = {name: getattr(s.new, name) for name in (*_PAIR, *_LATER)} if s.new else {}
    kept = {"kept": {name: getattr(s.kept, name) for name in _ANSWER}} if s.kept else {}
    entry = {
        "connection_id": s.id,
        "lease_token": s.row.claim.lease_token,
        "credential_version": s.row.connection.credential_version,
        "grant_number": s.row.connection.grant_number,
        "kind": s.kind,
        "due_in_seconds": s.due_in_seconds,
        "park_reason": s.park_reason,
        "attempt": s.attempt,
        "unknown_outcomes": s.unknown_outcomes,
        **pair,
        **kept,
        "told_at": _told_at(s),
        "why": why,
    }
    return json.dumps(entry, default=_text)


def name_of(text: str) -> str:
    """Returns what people call an entry."""
    return sha256(text.encode()).hexdigest()[:12]


def read(text: str) -> Entry:
    """Returns the values of an entry; raises `ValueError` or `TypeError`."""
    entry = json.loads(text)
    if not isinstance(entry, dict):
        raise TypeError("an entry is a JSON object")
    return entry


def connection_of(text: str) -> UUID | None:
    """Returns whose reply an entry has; None for one that cannot be read."""
    try:
        return UUID(str(read(text)["connection_id"]))
    except (ValueError, KeyError, TypeError):
        return None


def is_answer(text: str) -> bool:
    """Whether an entry has an answer that could not be read, and no pair of tokens."""
    try:
        entry = read(text)
    except (ValueError, TypeError):
        return False
    return "kept" in entry and "access_token" not in entry


def settlement(text: str, now: datetime) -> Settlement:
    """Returns what is to be stored `now`; raises `NotWhole`."""
    try:
        return _settlement(read(text), now)
    except (ValueError, KeyError, TypeError) as error:
        raise NotWhole(type(error).__name__) from error


def _settlement(e: Entry, now: datetime) -> Settlement:
    row, answer = _row(e, now), e.get("kept")
    kept = _read_answer(row, answer) if isinstance(answer, dict) else None
    park_reason = e.get("park_reason")  # an older version wrote pairs alone, which park nobody
    made = Settlement(
        row=row,
        kind=str(e["kind"]),
        due_in_seconds=_number(e["due_in_seconds"]),
        attempt=int(str(e.get("attempt", 0))),
        unknown_outcomes=int(str(e.get("unknown_outcomes", 0))),
        park_reason=str(park_reason) if park_reason else None,
        new=None if kept and "access_token" not in e else _read_pair(e),
        reason=kept.reason if kept else "spooled",
        http_status=kept.http_status if kept else None,
        kept=kept,
    )
    return aged(made, (now - datetime.fromisoformat(str(e["told_at"]))).total_seconds())


def _read_pair(e: Entry) -> SealedLife:
    always = {name: understand(e[name]) for name, understand in _PAIR.items()}
    later = {name: understand(e.get(name)) for name, understand in _LATER.items()}
    return SealedLife(**always, **later)


def _read_answer(row: Reloaded, answer: Entry) -> KeptAnswer:
    return KeptAnswer(
        connection_id=row.connection.id,
        lease_token=row.claim.lease_token,
        credential_version=row.connection.credential_version,
        grant_number=row.connection.grant_number,
        **{name: understand(answer[name]) for name, understand in _ANSWER.items()},
    )


def aged(settlement: Settlement, seconds: float) -> Settlement:
    """Returns a settlement that was held for `seconds`: what it tells in seconds from now is less.

    Otherwise a token that was held through an outage would be believed to live longer than it does.
    """
    if seconds < 1:
        return settlement

    def left(value: float | None) -> float | None:
        return None if value is None else max(0.0, value - seconds)

    new = settlement.new and replace(
        settlement.new,
        left_seconds=left(settlement.new.left_seconds),
        refresh_token_left_seconds=left(settlement.new.refresh_token_left_seconds),
        grant_left_seconds=left(settlement.new.grant_left_seconds),
    )
    return replace(settlement, new=new, due_in_seconds=left(settlement.due_in_seconds))


def without_details(s: Settlement) -> Settlement:
    """Returns what of a settlement must be stored: not the words that came from a provider.

    They may hold what a column cannot: a NUL, a character that the database's encoding lacks. Nor an
    answer that holds no grant.
    """
    new = s.new and replace(s.new, scopes=None, kept_fields=None)
    kept = replace(s.kept, reason=_plain(s.kept.reason)) if s.kept and s.is_irreplaceable else None
    reason = s.reason and _plain(s.reason)
    return replace(s, new=new, reason=reason, recorded=None, kept=kept)


def _plain(words: str) -> str:
    return words.encode("ascii", "replace").decode().replace("\0", "?")


def _told_at(s: Settlement) -> datetime:
    """Returns when the reply came, in the database's clock: the lives in it count from then."""
    return s.row.now + timedelta(seconds=s.elapsed_seconds or 0.0)


def _row(e: Entry, now: datetime) -> Reloaded:
    """Returns as much of the row as the fences need: id, version, lease token, grant number."""
    return remembered(
        Claim(UUID(str(e["connection_id"])), int(str(e["lease_token"]))),
        credential_version=int(str(e["credential_version"])),
        grant_number=int(str(e["grant_number"])),
        now=now,
    )


def _text(value: object) -> str:
    """Returns what JSON has no form for as `_PAIR` and `_ANSWER` read it."""
    if isinstance(value, datetime):
        return value.isoformat()
    return b64encode(value).decode() if isinstance(value, bytes) else str(value)


def _number(value: object) -> float | None:
    return None if value is None else float(str(value))


def _words(value: object) -> str | None:
    return str(value) if value else None


def _scopes(value: object) -> tuple[str, ...] | None:
    return tuple(map(str, value)) if isinstance(value, list) and value else None


def _sealed(text: object) -> Sealed | None:
    return Sealed(b64decode(str(text))) if text else None


_PAIR: Readers = {
    "access_token": _sealed,
    "refresh_token": _sealed,
    "lifetime_seconds": _number,
    "left_seconds": _number,
    "refresh_token_left_seconds": _number,
    "scopes": _scopes,
}
"""What an entry has of a pair, under the names of `SealedLife`, and how each is read."""
_LATER: Readers = {
    "forgets_end": bool,
    "kept_fields": _words,
    "kept_secrets": _sealed,
    "grant_left_seconds": _number,
}
"""The same, which an older version did not write."""
_ANSWER: Readers = {
    "id": lambda value: UUID(str(value)),
    "received_at": lambda value: datetime.fromisoformat(str(value)),
    "http_status": int,
    "failure": _words,
    "content_type": str,
    "content_encoding": str,
    "reason": str,
    "looks_like_grant": bool,
    "bytes": int,
    "body": _sealed,
}
"""What an entry has of an answer, under the names of `KeptAnswer`; whose it is stands beside it."""

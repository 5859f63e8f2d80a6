"""What lies in the spool: one token pair an entry, sealed, with what the fences need to store it later.

An entry is a text of JSON. Two that are made of the same settlement for the same reason are equal, so
that putting one twice does no harm.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from refresher.rules.connection import Claim, Connection, Sealed, Status
from refresher.store.answers import KeptAnswer
from refresher.store.reload import Reloaded
from refresher.store.sealed_life import SealedLife
from refresher.store.settlement import Settlement

Entry = dict[str, object]


class Foreign(Exception):
    """An entry of another installation, which used the same Redis or folder."""


class Unreadable(ValueError):
    """An entry is not whole, or another version's."""


def bears_something(s: Settlement) -> bool:
    """Whether it holds what exists nowhere else: tokens, or an answer that is kept unread."""
    return s.new is not None or s.kept is not None


def to_text(s: Settlement, why: str) -> str:
    """Returns the entry of a settlement that bears something; `why` Postgres did not take it."""
    entry = {
        "connection_id": str(s.id),
        "lease_token": s.row.claim.lease_token,
        "credential_version": s.row.connection.credential_version,
        "grant_number": s.row.connection.grant_number,
        "kind": s.kind,
        "due_in_seconds": s.due_in_seconds,
        "park_reason": s.park_reason,
        "told_at": _told_at(s).isoformat(),
        "why": why,
        **(_life(s.new) if s.new else {}),
        **({"kept": _answer(s.kept)} if s.kept else {}),
    }
    return json.dumps(entry)


def _life(new: SealedLife) -> Entry:
    return {
        "access_token": _encoded(new.access_token),
        "refresh_token": _encoded(new.refresh_token),
        "lifetime_seconds": new.lifetime_seconds,
        "left_seconds": new.left_seconds,
        "refresh_token_left_seconds": new.refresh_token_left_seconds,
        "scopes": new.scopes,
        "forgets_end": new.forgets_end,
        "kept_fields": new.kept_fields,
        "kept_secrets": _encoded(new.kept_secrets),
    }


def _answer(kept: KeptAnswer) -> Entry:
    plain = {"id": str(kept.id), "connection_id": str(kept.connection_id)}
    received_at, body = kept.received_at.isoformat(), _encoded(kept.body)
    return {**asdict(kept), **plain, "received_at": received_at, "body": body}


def _kept(e: object) -> KeptAnswer | None:
    if not isinstance(e, dict):
        return None
    ids = {name: UUID(str(e[name])) for name in ("id", "connection_id")}
    received_at = datetime.fromisoformat(str(e["received_at"]))
    return KeptAnswer(**{**e, **ids, "received_at": received_at, "body": _decoded(e["body"])})


def answer_to_text(row: Reloaded, sealed: Sealed, why: str) -> str:
    """Returns the entry of an answer that could not be understood: its sealed text, and why."""
    return json.dumps(
        {
            "connection_id": str(row.connection.id),
            "lease_token": row.claim.lease_token,
            "credential_version": row.connection.credential_version,
            "grant_number": row.connection.grant_number,
            "answer": _encoded(sealed),
            "told_at": row.now.isoformat(),
            "why": why,
        }
    )


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
    """Returns whose pair an entry has; None for one that cannot be read."""
    try:
        return UUID(str(read(text)["connection_id"]))
    except (ValueError, KeyError, TypeError):
        return None


def because(text: str, why: str) -> str:
    """Returns the same entry with another reason."""
    return json.dumps({**read(text), "why": why})


def settlement(text: str, now: datetime) -> Settlement:
    """Returns what is to be stored `now`; raises `Unreadable`."""
    try:
        return _settlement(read(text), now)
    except (ValueError, KeyError, TypeError) as error:
        raise Unreadable(type(error).__name__) from error


def _settlement(e: Entry, now: datetime) -> Settlement:
    kept = _kept(e.get("kept"))
    park_reason = e.get("park_reason")
    made = Settlement(
        row=_row(e, now),
        kind=str(e["kind"]),
        due_in_seconds=_number(e["due_in_seconds"]),
        attempt=0,
        unknown_outcomes=0,
        park_reason=str(park_reason) if park_reason else None,
        new=None if kept and "access_token" not in e else _new(e),
        kept=kept,
        reason="spooled",
    )
    return aged(made, (now - datetime.fromisoformat(str(e["told_at"]))).total_seconds())


def _new(e: Entry) -> SealedLife:
    scopes, fields = e["scopes"], e.get("kept_fields")  # an older version kept none
    return SealedLife(
        access_token=_decoded(e["access_token"]),
        refresh_token=_decoded(e["refresh_token"]),
        lifetime_seconds=_number(e["lifetime_seconds"]),
        left_seconds=_number(e["left_seconds"]),
        refresh_token_left_seconds=_number(e["refresh_token_left_seconds"]),
        scopes=tuple(map(str, scopes)) if isinstance(scopes, list) and scopes else None,
        forgets_end=bool(e.get("forgets_end")),
        kept_fields=str(fields) if fields else None,
        kept_secrets=_decoded(e.get("kept_secrets")),
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
    )
    return replace(settlement, new=new, due_in_seconds=left(settlement.due_in_seconds))


def without_details(s: Settlement) -> Settlement:
    """Returns what of a settlement must be stored: not the words that came from a provider.

    They may hold what a column cannot: a NUL, a character that the database's encoding lacks.
    """
    new = s.new and replace(s.new, scopes=None, kept_fields=None)
    reason = s.reason and s.reason.encode("ascii", "replace").decode().replace("\0", "?")
    return replace(s, new=new, reason=reason, recorded=None)


def _told_at(s: Settlement) -> datetime:
    """Returns when the reply came, in the database's clock: the lives in it count from then."""
    return s.row.now + timedelta(seconds=s.elapsed_seconds or 0.0)


def _row(e: Entry, now: datetime) -> Reloaded:
    """Returns as much of the row as the fences need: id, version, lease token, grant number."""
    id_ = UUID(str(e["connection_id"]))
    connection = Connection(
        id=id_,
        organization_id="",
        provider="",
        external_id="",
        credential_version=int(str(e["credential_version"])),
        grant_number=int(str(e["grant_number"])),
        status=Status.ACTIVE,
        access_token=None,
        refresh_token=None,
        expires_at=None,
        issued_at=None,
        lifetime_seconds=None,
        refresh_token_expires_at=None,
    )
    return Reloaded(
        claim=Claim(id_, int(str(e["lease_token"]))),
        connection=connection,
        now=now,
        attempt=0,
        unknown_outcomes=0,
        begun=True,
        lateness_seconds=0.0,
        lease_left_seconds=0.0,
        left_seconds=None,
        refresh_token_left_seconds=None,
        pauses=(),
    )


def _number(value: object) -> float | None:
    return None if value is None else float(str(value))


def _encoded(sealed: Sealed | None) -> str | None:
    return b64encode(sealed).decode() if sealed else None


def _decoded(text: object) -> Sealed | None:
    return Sealed(b64decode(str(text))) if text else None

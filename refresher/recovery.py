"""Outlasts a Postgres that is away; saves replies that it cannot take at this moment.

A rotated refresh token exists nowhere but in the reply. So what cannot be stored at once is spooled,
sealed, while its process goes on trying, for the case that it ends first; and every scheduler
empties the spool before it sweeps, or the sweep would present a refresh token that is spent.
"""

from __future__ import annotations

import json
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

import structlog

from refresher.errors import DatabaseUnavailable
from refresher.rules.connection import Claim, Connection, Sealed, Status
from refresher.store import imports
from refresher.store.reload import Reloaded
from refresher.store.session import DatabaseError
from refresher.store.settlement import SealedLife, Settlement, settle
from refresher.wiring import Services

log = structlog.get_logger()
T = TypeVar("T")


def outlast(services: Services, work: Callable[[int], T]) -> T:
    """Returns `work(tried)`, tried again while Postgres is away and the leases in hand may last.

    Without that, these rows would wait for the end of their lease. An earlier try of the
    `tried` may have been committed.
    """
    give_up_at = time.monotonic() + services.settings.lease_seconds
    tried, wait = 0, 0.05
    while True:
        try:
            return work(tried)
        except DatabaseUnavailable as error:
            if services.stopping.is_set() or time.monotonic() + wait > give_up_at:
                raise
            log.warning("waiting: postgres is away", why=str(error))
        time.sleep(wait)
        tried, wait = tried + 1, min(wait * 2, 1.0)


def save(services: Services, settlements: Sequence[Settlement]) -> list[str]:
    """Spools the settlements that carry tokens; returns the entries. The others are swept later."""
    entries = [_to_text(s) for s in settlements if s.new is not None]
    if entries:
        where = services.spool.put(entries)
        log.warning("spooled token pairs: postgres is away", pairs=len(entries), where=where)
    return entries


def forget(services: Services, entries: Sequence[str]) -> None:
    """Takes entries out of the spool: they are in Postgres after all."""
    for entry in entries:
        services.spool.remove(entry)


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


def drain(services: Services) -> int:
    """Writes what is spooled to Postgres, under the usual fences; returns how many."""
    stored = 0
    for entry in services.spool.entries():
        try:
            _store(services, entry)
            stored += 1
        except (ValueError, KeyError, TypeError, DatabaseError) as error:
            # One bad entry must not keep the sweep from its work.
            services.spool.set_aside(entry)
            log.error("cannot store a spooled token pair", why=type(error).__name__)  # noqa: TRY400
        services.spool.remove(entry)
    return stored


def _store(services: Services, entry: str) -> None:
    with services.database.transaction() as db:
        settlement = _from_text(entry, imports.database_now(db))
        settled = settle(db, [settlement], lead_share=services.policy.lead_share)
    log.warning(
        "stored a spooled token pair", connection=str(settlement.id), fenced=bool(settled.fenced)
    )


def _to_text(s: Settlement) -> str:
    assert s.new is not None
    return json.dumps(
        {
            "connection_id": str(s.id),
            "lease_token": s.row.claim.lease_token,
            "credential_version": s.row.connection.credential_version,
            "grant_number": s.row.connection.grant_number,
            "kind": s.kind,
            "due_in_seconds": s.due_in_seconds,
            "access_token": _encoded(s.new.access_token),
            "refresh_token": _encoded(s.new.refresh_token),
            "lifetime_seconds": s.new.lifetime_seconds,
            "left_seconds": s.new.left_seconds,
            "refresh_token_left_seconds": s.new.refresh_token_left_seconds,
            "scopes": s.new.scopes,
            "told_at": _told_at(s).isoformat(),
        }
    )


def _told_at(s: Settlement) -> datetime:
    """Returns when the reply came, in the database's clock: the lives in it count from then."""
    return s.row.now + timedelta(seconds=s.elapsed_seconds or 0.0)


def _from_text(entry: str, now: datetime) -> Settlement:
    e = json.loads(entry)
    settlement = Settlement(
        row=_row(e, now),
        kind=e["kind"],
        due_in_seconds=e["due_in_seconds"],
        attempt=0,
        unknown_outcomes=0,
        new=SealedLife(
            access_token=_decoded(e["access_token"]),
            refresh_token=_decoded(e["refresh_token"]),
            lifetime_seconds=e["lifetime_seconds"],
            left_seconds=e["left_seconds"],
            refresh_token_left_seconds=e["refresh_token_left_seconds"],
            scopes=tuple(e["scopes"]) if e["scopes"] else None,
        ),
        reason="spooled",
    )
    return aged(settlement, (now - datetime.fromisoformat(e["told_at"])).total_seconds())


def _row(e: dict[str, object], now: datetime) -> Reloaded:
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


def _encoded(sealed: Sealed | None) -> str | None:
    return b64encode(sealed).decode() if sealed else None


def _decoded(text: str | None) -> Sealed | None:
    return Sealed(b64decode(text)) if text else None

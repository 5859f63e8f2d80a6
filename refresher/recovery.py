"""Outlasts a Postgres that is away; saves replies that it could not take before a stop.

A rotated refresh token exists nowhere but in the reply. So a process that must end while Postgres is
away spools what it holds, sealed; and every scheduler empties the spool before it sweeps, or the
sweep would present a refresh token that is spent.
"""

from __future__ import annotations

import json
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

import structlog

from refresher.errors import DatabaseUnavailable
from refresher.rules.connection import Claim, Connection, Sealed, Status
from refresher.store import imports
from refresher.store.reload import Reloaded
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


def save(services: Services, settlements: Sequence[Settlement]) -> int:
    """Spools the settlements that carry tokens; returns how many. The others are swept later."""
    entries = [_to_text(s) for s in settlements if s.new is not None]
    if entries:
        where = services.spool.put(entries)
        log.error("spooled token pairs: postgres is away", pairs=len(entries), where=where)
    return len(entries)


def drain(services: Services) -> int:
    """Writes what is spooled to Postgres, under the usual fences; returns how many."""
    entries = services.spool.entries()
    for entry in entries:
        with services.database.transaction() as db:
            settlement = _from_text(entry, imports.database_now(db))
            settled = settle(db, [settlement], lead_share=services.policy.lead_share)
        services.spool.remove(entry)
        log.warning(
            "stored a spooled token pair",
            connection=str(settlement.id),
            fenced=bool(settled.fenced),
        )
    return len(entries)


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
            "spooled_at": datetime.now(UTC).isoformat(),
        }
    )


def _from_text(entry: str, now: datetime) -> Settlement:
    e = json.loads(entry)
    age = max(0.0, (now - datetime.fromisoformat(e["spooled_at"])).total_seconds())

    def later(name: str) -> float | None:
        return None if e[name] is None else max(0.0, e[name] - age)

    return Settlement(
        row=_row(e, now),
        kind=e["kind"],
        due_in_seconds=later("due_in_seconds"),
        attempt=0,
        unknown_outcomes=0,
        new=SealedLife(
            access_token=_decoded(e["access_token"]),
            refresh_token=_decoded(e["refresh_token"]),
            lifetime_seconds=e["lifetime_seconds"],
            left_seconds=later("left_seconds"),
            refresh_token_left_seconds=later("refresh_token_left_seconds"),
            scopes=tuple(e["scopes"]) if e["scopes"] else None,
        ),
        reason="spooled",
    )


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

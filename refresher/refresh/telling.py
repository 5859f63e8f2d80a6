"""Tells what became of rows: into the log, the counters, and the batch's tally.

Level info has a line for each batch (`actors.py`) and one for each row that was not simply refreshed;
level debug has one for every row. At thousands of refreshes a second a line each is too much.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import structlog

from refresher.runtime.services import Services
from refresher.store.settlement import Settled, Settlement

log = structlog.get_logger()
QUIET = frozenset({"refreshed", "postponed"})


def tell(
    services: Services,
    settlements: Sequence[Settlement],
    settled: Settled,
    tally: Counter[str],
) -> None:
    """Tells what one commit wrote."""
    usual = not (settled.adopted or settled.fenced)
    kinds = [s.kind if usual else _kind(s, settled) for s in settlements]
    tally.update(kinds)
    services.meter.committed(settlements, kinds, settled)
    is_chatty = services.settings.log_level == "debug"
    for s, kind in zip(settlements, kinds, strict=True):
        if kind not in QUIET:
            log.warning(kind, **_bound(s))
        elif is_chatty:
            log.debug(kind, **_bound(s))


def _kind(s: Settlement, settled: Settled) -> str:
    if s.id in settled.adopted:
        return "adopted"
    return "fenced" if s.id in settled.fenced else s.kind


def _bound(s: Settlement) -> dict[str, object]:
    """Returns what names a row and its attempt; nothing here is, or was made from, a secret."""
    values = {
        "connection": str(s.id),
        "provider": s.row.connection.provider,
        "lease_token": s.row.claim.lease_token,
        "credential_version": s.row.connection.credential_version,
        "attempt": s.attempt,
        "reason": s.reason or s.park_reason,
        "status": s.http_status,
        "elapsed_seconds": s.elapsed_seconds and round(s.elapsed_seconds, 3),
        "due_in_seconds": s.due_in_seconds and round(s.due_in_seconds, 1),
    }
    return {name: value for name, value in values.items() if value is not None}

"""Checks a database, after whatever happened to it, for promises that must hold at every moment.

Needs nothing but the tables: what the provider saw is its own referee's business (`fake_provider`).
"""

from __future__ import annotations

from refresher.store import history
from refresher.store.history import Oddity
from refresher.store.session import Database

SHOWN = 5


def check_history(database: Database, *, crash_limit: int = 3) -> list[str]:
    """Returns one sentence for each promise that does not hold; an empty list is the good answer.

    No row is lost: each is idle with a due time, leased with an end, or parked with a reason. Pairs
    only go forwards, and so do leases. No row is begun `crash_limit` times without an outcome and
    not parked.
    """
    with database.transaction() as db:
        found = {
            "connections without a schedule row": history.unscheduled(db),
            "rows without what their state needs": history.incomplete(db),
            "living grants that wait for a reconnect": history.parked_without_need(db),
            "pairs that replaced a newer one": history.versions_backwards(db),
            "refreshes under a lease that had ended in another": history.leases_backwards(db),
            "rows begun too often without an outcome": history.endless_starts(db, crash_limit),
        }
    return [_sentence(what, odd) for what, odd in found.items() if odd]


def _sentence(what: str, odd: list[Oddity]) -> str:
    shown = ", ".join(f"{o.connection_id} ({o.seen})" for o in odd[:SHOWN])
    more = f" and {len(odd) - SHOWN} more" if len(odd) > SHOWN else ""
    return f"{len(odd)} {what}: {shown}{more}"

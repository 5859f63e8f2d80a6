"""The tables, as SQLAlchemy metadata; `migrations/` creates them, and a test compares the two.

Tokens live in `connection`, timing in the narrow `refresh_schedule`; the two are written in one
transaction. Why each index exists stands beside it.
"""

from refresher.store.tables import access, answers, core, events, mail, outbox, signals, webhooks
from refresher.store.tables.base import IDLE, LEASED, PARKED, metadata

__all__ = [
    "IDLE",
    "LEASED",
    "PARKED",
    "access",
    "answers",
    "core",
    "events",
    "mail",
    "metadata",
    "outbox",
    "signals",
    "webhooks",
]

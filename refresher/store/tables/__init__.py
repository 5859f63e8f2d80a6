"""The tables, as SQLAlchemy metadata; `migrations/` creates them, and a test compares the two.

Tokens live in `connection`, timing in the narrow `refresh_schedule`; the two are written in one
transaction. Why each index exists stands beside it.
"""

from refresher.store.tables import access, bulk, consent, core, delivery, events, looks
from refresher.store.tables.base import metadata

__all__ = ["access", "bulk", "consent", "core", "delivery", "events", "looks", "metadata"]

"""The table of what the whole came to, slot by slot: `store/samples.py` writes it."""

from __future__ import annotations

from sqlalchemy import REAL, Column, Integer, PrimaryKeyConstraint, Table, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from refresher.store.tables.base import instant, metadata

look_sample = Table(
    # What the whole came to in the 15 seconds from `at` on: for charts. Thinned out when it is older.
    "look_sample",
    metadata,
    instant("at", required=True),
    Column("refreshed_per_second", REAL, nullable=False),
    Column("failed_per_second", REAL, nullable=False),
    Column("lateness_p50_seconds", REAL),
    Column("lateness_p99_seconds", REAL),
    Column("late", Integer, nullable=False),
    Column("leased", Integer, nullable=False),
    # How many refreshes fall due in each of the next 60 minutes; in one slot of each minute.
    Column("due", ARRAY(Integer)),
    # {provider: [refreshed, failed, seconds to answer at p50, at p99]}
    Column("providers", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    PrimaryKeyConstraint("at"),
)

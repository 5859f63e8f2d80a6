"""The table of what happened to connections.

Written by `store/events.py`, a partition for each day (UTC); `store/partitions.py` makes and drops the
days, docs/events.md explains each column.
"""

from __future__ import annotations

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from refresher.store.tables.base import instant, metadata

refresh_event = Table(
    "refresh_event",
    metadata,
    # A sequence: before PostgreSQL 17 a partitioned table could not be given an identity.
    Column("id", BigInteger, autoincrement=True),
    # Null for what concerns the whole service: a rotated key.
    Column("connection_id", Uuid),
    instant("occurred_at", default_now=True),
    Column("kind", Text, nullable=False),
    # The attempt: the lease it had, the pair it was sent with, and the instants of its steps.
    Column("lease_token", BigInteger),
    Column("credential_version", BigInteger),
    Column("attempt", Integer),
    Column("http_status", SmallInteger),
    Column("elapsed_seconds", Double),
    Column("lateness_seconds", Double),
    Column("expired_seconds", Double),
    Column("reason", Text),
    instant("next_due_at"),
    instant("claimed_at"),
    instant("begun_at"),
    instant("lease_until"),
    Column("exchange_seconds", REAL),
    # What was true in the end, in the words of the two tables: for looking back.
    Column("state", SmallInteger),
    Column("parked_reason", Text),
    Column("postponed_by", Text),
    Column("failures", Integer),
    Column("unknown_outcomes", SmallInteger),
    Column("starts", SmallInteger),
    Column("stored_version", BigInteger),
    Column("grant_number", Integer),
    Column("status", Text),
    Column("status_cause", Text),
    instant("expires_at"),
    Column("lifetime_seconds", Double),
    instant("refresh_token_expires_at"),
    instant("paused_at"),
    instant("disabled_at"),
    instant("deleted_at"),
    Column("in_between_steps", Boolean),
    # What the decision was made from, without a secret: see rules/recording.py.
    Column("recorded", JSONB),
    PrimaryKeyConstraint("id", "occurred_at"),
    # One connection's history, the newest first: the question that people ask.
    Index("refresh_event_connection_id_id_idx", "connection_id", "id"),
    # "Since when": a day is pruned by its partition; within a day this costs a page for a million rows.
    Index("refresh_event_occurred_at_idx", "occurred_at", postgresql_using="brin"),
    postgresql_partition_by="RANGE (occurred_at)",
)

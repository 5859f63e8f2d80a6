"""The tables of notifications: what is to be told, what was told, and who still has to read it."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from refresher.store.tables.base import instant, metadata

outbox = Table(
    # What happened, for people: written in the transaction in which it came to be so.
    "outbox",
    metadata,
    Column("id", Uuid, primary_key=True),  # uuid7: in the order of writing
    Column("organization_id", Text),  # null: for operators
    Column("connection_id", Uuid),
    Column("app_key", Text),
    # Counts what was told of one connection or app: 1, 2, 3, without a gap.
    Column("sequence", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("payload", JSONB, nullable=False),
    instant("occurred_at", default_now=True),
    # Neither where it is about a webhook endpoint.
    CheckConstraint("connection_id is null or app_key is null", name="one_subject"),
    Index("outbox_connection_id_sequence_idx", "connection_id", "sequence"),
    Index("outbox_occurred_at_idx", "occurred_at"),
)

outbox_pending = Table(
    # One row for each consumer that has not read an entry yet; it deletes the row when it has.
    "outbox_pending",
    metadata,
    Column("consumer", Text, primary_key=True),
    Column("outbox_id", Uuid, ForeignKey("outbox.id", ondelete="CASCADE"), primary_key=True),
)

notice = Table(
    # How a connection or an app stands: what is so, what people were told of it, and when.
    "notice",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("state", Text, nullable=False, server_default="well"),
    Column("told", Text, nullable=False, server_default="well"),
    Column("sequence", BigInteger, nullable=False, server_default="0"),
    instant("trouble_told_at"),
    instant("recovery_told_at"),
    # Set while a notice waits: it may be over by then.
    instant("look_at"),
    Column("detail", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    CheckConstraint("scope in ('connection', 'app', 'webhook')", name="scope"),
    Index("notice_look_at_idx", "look_at", postgresql_where=text("look_at is not null")),
)

grant_end = Table(
    # Connections whose refresh token ends for good one day: when to look at that end again. A table of
    # its own, so that a refresh writes no indexed column of `connection`.
    "grant_end",
    metadata,
    Column(
        "connection_id", Uuid, ForeignKey("connection.id", ondelete="CASCADE"), primary_key=True
    ),
    instant("look_at", required=True),
    # The end that notices were given for, and the last of them: 30, 7 or 1 days.
    instant("told_for"),
    Column("told_days", SmallInteger),
    Index("grant_end_look_at_idx", "look_at"),
)

"""The table of answers that could not be read: their bodies, sealed, until somebody can read them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
)

from refresher.store.tables.base import instant, metadata

kept_answer = Table(
    # Looked for by connection, by id, and by age when it is pruned.
    "kept_answer",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("connection_id", Uuid, ForeignKey("connection.id"), nullable=False, index=True),
    # The attempt, and the pair and the grant that it was made with.
    Column("lease_token", BigInteger, nullable=False),
    Column("credential_version", BigInteger, nullable=False),
    Column("grant_number", Integer, nullable=False),
    instant("received_at", required=True),
    Column("http_status", Integer, nullable=False),
    # What broke the transfer off, null when it ended well.
    Column("failure", Text),
    Column("content_type", Text, nullable=False),
    Column("content_encoding", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("looks_like_grant", Boolean, nullable=False),
    Column("bytes", Integer, nullable=False),
    # Null once it is read: what was in it is stored where it belongs.
    Column("body", LargeBinary),
    instant("read_at"),
    Index("kept_answer_received_at_idx", "received_at"),
)

"""The tables of what comes from outside: resume links, and providers' own notices."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from refresher.store.tables.base import instant, metadata

resume_link = Table(
    # One row a link: without it a link is none, and `used_at` is set once.
    "resume_link",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("connection_id", Uuid, ForeignKey("connection.id"), nullable=False, index=True),
    # "API key …" or "command line": never a secret.
    Column("made_by", Text, nullable=False),
    instant("made_at", default_now=True),
    instant("expires_at", required=True),
    instant("used_at"),
    # What came with the call, without tokens.
    Column("payload", JSONB),
)

signal = Table(
    # One row a notice, so that one that is sent again does nothing.
    "signal",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    instant("received_at", default_now=True),
    Column("kind", Text, nullable=False),
    Column("connections", Integer, nullable=False, server_default="0"),
    # Old notices are forgotten: their senders may not send them again by then.
    Index("signal_received_at_idx", "received_at"),
)

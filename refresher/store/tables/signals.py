"""The tables of what comes from outside: resume links, and providers' own notices."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from refresher.store.tables.base import instant, metadata

resume_link = Table(
    # One row a link: without it a link is none, and `used_at` is set once.
    "resume_link",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("connection_id", Uuid, ForeignKey("connection.id"), nullable=False, index=True),
    # "by API key …" or "by cli:ann": never a secret.
    Column("made_by", Text, nullable=False),
    instant("made_at", default_now=True),
    instant("expires_at", required=True),
    instant("used_at"),
    # What came with the call, without tokens.
    Column("payload", JSONB),
    # Revoking this key ends the link as well; null: made by somebody on the command line.
    Column("key_id", Text),
    instant("withdrawn_at"),
    # Whether it takes tokens also while the connection works.
    Column("replaces_tokens", Boolean, nullable=False, server_default="false"),
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

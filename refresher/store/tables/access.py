"""The tables of the HTTP API: keys, answers kept for repeated requests, and who did what."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from refresher.store.tables.base import instant, metadata

api_key = Table(
    "api_key",
    metadata,
    # Public, and part of the key: `rfr_<id>_<secret>`.
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    # Null: every organization.
    Column("organization_id", Text),
    Column("scopes", ARRAY(Text), nullable=False),
    # SHA-256 of the secret; why that is enough: rules/access.py.
    Column("secret_hash", LargeBinary, nullable=False),
    instant("created_at", default_now=True),
    instant("expires_at"),
    instant("revoked_at"),
    instant("last_used_at"),
    CheckConstraint("length(secret_hash) = 32", name="secret_hash_is_sha256"),
)

idempotency = Table(
    # One row a request with an Idempotency-Key; without a status it is still under way.
    "idempotency",
    metadata,
    Column("key_id", Text, ForeignKey("api_key.id"), primary_key=True),
    Column("idempotency_key", Text, primary_key=True),
    # HMAC of the request under the API key's secret, which is stored nowhere.
    Column("fingerprint", LargeBinary, nullable=False),
    Column("status", SmallInteger),
    Column("body", LargeBinary),
    Column("etag", Text),
    instant("created_at", default_now=True),
    # The end of the answer's life, or of the time that the request under way is given.
    instant("expires_at", required=True),
    Index("idempotency_expires_at_idx", "expires_at"),
)

audit = Table(
    # Who did what to which connection. The key's id, never the key.
    "audit",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    instant("occurred_at", default_now=True),
    Column("key_id", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("organization_id", Text),
    Column("connection_id", Uuid),
    # What it was done to, where that is no connection: "app:google/default".
    Column("subject", Text),
    # Reads of one token by one key are counted and written together.
    Column("count", Integer, nullable=False, server_default="1"),
    Index(
        "audit_connection_id_id_idx",
        "connection_id",
        "id",
        postgresql_where=text("connection_id is not null"),
    ),
    Index("audit_key_id_id_idx", "key_id", "id"),
)

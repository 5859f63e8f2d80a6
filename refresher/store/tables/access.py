"""The tables of who and what is outside: API keys, requests, links, signals, answers, apps, issuers.

An answer of a provider that could not be read is kept, sealed, until somebody can read it.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
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
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

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
    Index("api_key_created_at_id_idx", "created_at", "id"),
)

web_session = Table(
    # What a browser holds in place of a key; `is_link`: it can only be exchanged for one, once.
    "web_session",
    metadata,
    Column("id", Uuid, primary_key=True),
    # SHA-256 of 256 random bits, which the browser alone has.
    Column("secret_hash", LargeBinary, nullable=False, unique=True),
    Column("key_id", Text, ForeignKey("api_key.id"), nullable=False, index=True),
    Column("is_link", Boolean, nullable=False, server_default="false"),
    Column("read_only", Boolean, nullable=False),
    instant("created_at", default_now=True),
    instant("seen_at", default_now=True),
    instant("ends_at", required=True),
    Index("web_session_ends_at_idx", "ends_at"),
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
    Index("audit_organization_id_id_idx", "organization_id", "id"),
)


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

app = Table(
    "app",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("name", Text, nullable=False, server_default="default"),
    Column("client_id", Text, nullable=False),
    Column("client_secret", LargeBinary),
    # All else that is the app's own (keys, certificate, former secret, values), sealed as one text.
    Column("material", LargeBinary),
    Column("material_names", ARRAY(Text), nullable=False, server_default="{}"),
    # `dynamic` or `document` where we registered ourselves; null: by hand.
    Column("registered", Text),
    instant("secret_ends_at"),
    instant("created_at", default_now=True),
    instant("updated_at", default_now=True),
    UniqueConstraint("provider", "name"),
)

issuer = Table(
    # The metadata of authorization servers that entries, or connect sessions, name.
    "issuer",
    metadata,
    Column("issuer", Text, primary_key=True),
    # What counts, as of `read_at`; null until it was read.
    Column("document", JSONB),
    instant("read_at"),
    instant("asked_at", required=True),
    # Why the last look failed.
    Column("trouble", Text),
    # What it says now and nobody confirmed yet: tokens would go to other hosts.
    Column("proposed", JSONB),
    # What its provider is called where no entry names it.
    Column("slug", Text, unique=True),
    # How our client proves itself there, as it was registered.
    Column("client_auth", Text),
)

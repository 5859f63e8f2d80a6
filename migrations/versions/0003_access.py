"""API keys, the answers kept for repeated requests, and the audit of who did what."""

from alembic import op

revision = "0003"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE api_key (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    organization_id TEXT,
    scopes TEXT[] NOT NULL,
    secret_hash BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT refresher_now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    revoked_at TIMESTAMP WITH TIME ZONE,
    last_used_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT api_key_pkey PRIMARY KEY (id),
    CONSTRAINT api_key_secret_hash_is_sha256_check CHECK (length(secret_hash) = 32)
);
CREATE TABLE idempotency (
    key_id TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    fingerprint BYTEA NOT NULL,
    status SMALLINT,
    body BYTEA,
    etag TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT refresher_now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT idempotency_pkey PRIMARY KEY (key_id, idempotency_key),
    CONSTRAINT idempotency_key_id_fkey FOREIGN KEY(key_id) REFERENCES api_key (id)
);
CREATE INDEX idempotency_expires_at_idx ON idempotency (expires_at);
CREATE TABLE audit (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    occurred_at TIMESTAMP WITH TIME ZONE DEFAULT refresher_now() NOT NULL,
    key_id TEXT NOT NULL,
    action TEXT NOT NULL,
    organization_id TEXT,
    connection_id UUID,
    subject TEXT,
    count INTEGER DEFAULT '1' NOT NULL,
    CONSTRAINT audit_pkey PRIMARY KEY (id)
);
CREATE INDEX audit_connection_id_id_idx ON audit (connection_id, id) WHERE connection_id is not null;
CREATE INDEX audit_key_id_id_idx ON audit (key_id, id);
"""


def upgrade() -> None:
    """Creates the tables."""
    op.execute(TABLES)


def downgrade() -> None:
    """Drops every API key: clients are locked out."""
    op.execute("drop table audit, idempotency, api_key")

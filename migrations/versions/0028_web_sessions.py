"""Sessions of the dashboard: what a browser holds in place of an API key."""

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE web_session (
    id UUID NOT NULL CONSTRAINT web_session_pkey PRIMARY KEY,
    secret_hash BYTEA NOT NULL CONSTRAINT web_session_secret_hash_key UNIQUE,
    key_id TEXT NOT NULL CONSTRAINT web_session_key_id_fkey REFERENCES api_key (id),
    is_link BOOLEAN DEFAULT false NOT NULL,
    read_only BOOLEAN NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT refresher_now() NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE DEFAULT refresher_now() NOT NULL,
    ends_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT web_session_secret_hash_is_sha256_check CHECK (length(secret_hash) = 32)
);
CREATE INDEX web_session_key_id_idx ON web_session (key_id);
CREATE INDEX web_session_ends_at_idx ON web_session (ends_at);
"""


def upgrade() -> None:
    """Makes the table."""
    op.execute(UP)


def downgrade() -> None:
    """Drops it: everybody is signed out."""
    op.execute("drop table web_session")

"""Resume links, and notices of providers."""

from alembic import op

revision = "0005"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE resume_link (
    id UUID NOT NULL,
    connection_id UUID NOT NULL,
    made_by TEXT NOT NULL,
    made_at TIMESTAMP WITH TIME ZONE DEFAULT refresher_now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE,
    payload JSONB,
    CONSTRAINT resume_link_pkey PRIMARY KEY (id),
    CONSTRAINT resume_link_connection_id_fkey FOREIGN KEY(connection_id) REFERENCES connection (id)
);
CREATE INDEX resume_link_connection_id_idx ON resume_link (connection_id);
CREATE TABLE signal (
    provider TEXT NOT NULL,
    event_id TEXT NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE DEFAULT refresher_now() NOT NULL,
    kind TEXT NOT NULL,
    connections INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT signal_pkey PRIMARY KEY (provider, event_id)
);
CREATE INDEX signal_received_at_idx ON signal (received_at);
CREATE INDEX connection_provider_external_id_idx ON connection (provider, external_id);
"""


def upgrade() -> None:
    """Creates the tables, and the index that finds an account at its provider."""
    op.execute(TABLES)


def downgrade() -> None:
    """Drops them: every link that is under way is worth nothing any more."""
    op.execute("drop index connection_provider_external_id_idx; drop table signal, resume_link")

"""Keeps answers of token endpoints that could not be read, sealed, beside their attempt."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

UPGRADE = """
CREATE TABLE kept_answer (
    id UUID NOT NULL,
    connection_id UUID NOT NULL,
    lease_token BIGINT NOT NULL,
    credential_version BIGINT NOT NULL,
    grant_number INTEGER NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE NOT NULL,
    http_status INTEGER NOT NULL,
    failure TEXT,
    content_type TEXT NOT NULL,
    content_encoding TEXT NOT NULL,
    reason TEXT NOT NULL,
    looks_like_grant BOOLEAN NOT NULL,
    bytes INTEGER NOT NULL,
    body BYTEA,
    read_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT kept_answer_pkey PRIMARY KEY (id),
    CONSTRAINT kept_answer_connection_id_fkey FOREIGN KEY(connection_id) REFERENCES connection (id)
);
CREATE INDEX kept_answer_connection_id_idx ON kept_answer (connection_id);
CREATE INDEX kept_answer_received_at_idx ON kept_answer (received_at);
"""


def upgrade() -> None:
    """Creates the table."""
    for statement in UPGRADE.split(";"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    """Drops it, and lets the rows that waited for it go on."""
    op.execute(
        "update refresh_schedule set state = 0, due_at = refresher_now(), parked_reason = null "
        "where state = 2 and parked_reason = 'unread_answer'"
    )
    op.execute("drop table kept_answer")

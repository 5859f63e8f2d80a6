"""An installation has a name, so that two of them can share a Redis and know each other.

Made here and never changed: queues, spool and marks carry it.
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE installation (
    is_this BOOLEAN DEFAULT true NOT NULL,
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    CONSTRAINT installation_pkey PRIMARY KEY (is_this),
    CONSTRAINT installation_one_row_check CHECK (is_this)
);
INSERT INTO installation DEFAULT VALUES;
"""


def upgrade() -> None:
    """Creates the table and draws the name."""
    op.execute(TABLES)


def downgrade() -> None:
    """Forgets the name."""
    op.execute("drop table installation")

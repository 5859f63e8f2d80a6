"""The provider beside the due time, so that a claim need not look at each connection for it.

Rows that there are stay as they are: each learns its provider at its next claim, which writes it anyway.
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column; the rows are not touched."""
    op.execute("alter table refresh_schedule add column provider text")


def downgrade() -> None:
    """Drops it: every provider stands in its connection."""
    op.execute("alter table refresh_schedule drop column provider")

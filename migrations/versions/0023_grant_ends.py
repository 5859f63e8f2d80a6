"""When a grant ends for good, beside the end of a refresh token that slides with its use."""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column; nobody knows the end of what is stored already."""
    op.execute("alter table connection add column grant_ends_at timestamp with time zone")


def downgrade() -> None:
    """Drops it: only the nearer end is known then."""
    op.execute("alter table connection drop column grant_ends_at")

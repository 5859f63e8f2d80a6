"""The mails' slot begins at an instant that every version of PostgreSQL can subtract.

Before 17 an infinite one has no difference to any other, so no mail ever left.
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Moves a slot that was never used to the beginning of time as computers count it."""
    op.execute("update mail_slot set next_at = 'epoch' where next_at = '-infinity'")


def downgrade() -> None:
    """Changes nothing: the older program takes either."""

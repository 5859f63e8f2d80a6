"""A process tells which keys it has, by their ids, and digests of its settings: no secret is in either.

Rows of processes that run at this moment stay without, which means "not known".
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column."""
    op.execute("alter table worker add column runs_with jsonb")


def downgrade() -> None:
    """Drops it."""
    op.execute("alter table worker drop column runs_with")

"""What fails again and again in a process, beside its sign of life: doctor reads it from elsewhere."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column; a process that is well has an empty object."""
    op.execute("alter table worker add column failing jsonb not null default '{}'::jsonb")


def downgrade() -> None:
    """Drops it: the processes know it themselves."""
    op.execute("alter table worker drop column failing")

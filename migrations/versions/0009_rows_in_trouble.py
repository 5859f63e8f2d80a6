"""An index of the idle rows that wait after a failure or for a pause's end.

Their due time tells nothing about how long their token lives, so the gauges of expired tokens and of the
shortest life look at them by themselves. A row that is refreshed as planned never stands in it.
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the index."""
    op.execute(
        "CREATE INDEX refresh_schedule_troubled_idx ON refresh_schedule (due_at) "
        "WHERE state = 0 and (attempt > 0 or postponed_by is not null)"
    )


def downgrade() -> None:
    """Drops it."""
    op.execute("drop index refresh_schedule_troubled_idx")

"""Indexes for lists of connections by how they stand, and for finding one by what people type.

None holds a column that a refresh writes, so that refreshes stay heap-only; the small ones hold only
what is set aside, parked or in trouble.
"""

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

UP = """
CREATE INDEX connection_external_id_idx ON connection (external_id text_pattern_ops);
CREATE INDEX connection_name_idx ON connection (lower(name) text_pattern_ops) WHERE name IS NOT NULL;
CREATE INDEX connection_deleted_idx ON connection (id) WHERE deleted_at IS NOT NULL;
CREATE INDEX connection_disabled_idx ON connection (id)
    WHERE disabled_at IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX connection_paused_idx ON connection (id)
    WHERE paused_at IS NOT NULL AND disabled_at IS NULL AND deleted_at IS NULL;
CREATE INDEX connection_connecting_idx ON connection (id)
    WHERE in_between_steps AND paused_at IS NULL AND disabled_at IS NULL AND deleted_at IS NULL;
DROP INDEX refresh_schedule_parked_reason_idx;
CREATE INDEX refresh_schedule_parked_idx ON refresh_schedule (parked_reason, connection_id)
    WHERE state = 2;
CREATE INDEX refresh_schedule_blocked_idx ON refresh_schedule (connection_id)
    WHERE state = 2 AND parked_reason NOT IN
        ('deleted', 'disabled', 'mid_oauth', 'missing', 'paused', 'reconnect_required');
DROP INDEX refresh_schedule_troubled_idx;
CREATE INDEX refresh_schedule_troubled_idx ON refresh_schedule (due_at, connection_id)
    WHERE state = 0 AND (attempt > 0 OR postponed_by IS NOT NULL);
"""
DOWN = """
DROP INDEX connection_external_id_idx, connection_name_idx, connection_deleted_idx,
    connection_disabled_idx, connection_paused_idx, connection_connecting_idx;
DROP INDEX refresh_schedule_blocked_idx, refresh_schedule_parked_idx;
CREATE INDEX refresh_schedule_parked_reason_idx ON refresh_schedule (parked_reason) WHERE state = 2;
DROP INDEX refresh_schedule_troubled_idx;
CREATE INDEX refresh_schedule_troubled_idx ON refresh_schedule (due_at)
    WHERE state = 0 AND (attempt > 0 OR postponed_by IS NOT NULL);
"""


def upgrade() -> None:
    """Creates them; two take the place of narrower ones."""
    op.execute(UP)


def downgrade() -> None:
    """Drops them, and has the former two again."""
    op.execute(DOWN)

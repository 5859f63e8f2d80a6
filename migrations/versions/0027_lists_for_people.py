"""Indexes that serve people's lists: unsent messages, refused addresses, an organization's audit."""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds them; none of them is touched by a refresh."""
    op.execute(
        "create index webhook_delivery_unsent_idx on webhook_delivery (endpoint_id, state, id) "
        "where state = any (array[2, 4])"
    )
    op.execute("create index audit_organization_id_id_idx on audit (organization_id, id)")
    op.execute("create index api_key_created_at_id_idx on api_key (created_at, id)")
    op.execute(
        "create index recipient_blocked_idx on recipient (organization_id, address) "
        "where blocked_at is not null"
    )


def downgrade() -> None:
    """Drops them: the lists read more than they show."""
    op.execute(
        "drop index webhook_delivery_unsent_idx, audit_organization_id_id_idx, "
        "api_key_created_at_id_idx, recipient_blocked_idx"
    )

"""What an app has beside its secret (keys, certificate, former secret, values), sealed as one text."""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column, and the names of what it holds, which are no secret."""
    op.execute(
        "alter table app add column material bytea, "
        "add column material_names text[] not null default '{}'"
    )


def downgrade() -> None:
    """Drops both: apps that sign or have a former secret are to be stored again."""
    op.execute("alter table app drop column material, drop column material_names")

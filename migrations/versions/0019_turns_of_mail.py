"""Whose turn it is to be sent a mail: each organization's first before anybody's second."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the table; whoever is not in it has had no mail yet."""
    op.execute(
        """
        create table mail_turn (
            organization_id text not null,
            number bigint not null,
            constraint mail_turn_pkey primary key (organization_id)
        )
        """
    )


def downgrade() -> None:
    """Drops it: the mail that is due longest goes first."""
    op.execute("drop table mail_turn")

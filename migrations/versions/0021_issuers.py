"""What authorization servers say of themselves, kept and dated (RFC 8414)."""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the table; each issuer is asked when a scheduler runs."""
    op.execute(
        """
        create table issuer (
            issuer text not null,
            document jsonb,
            read_at timestamp with time zone,
            asked_at timestamp with time zone not null,
            trouble text,
            proposed jsonb,
            constraint issuer_pkey primary key (issuer)
        )
        """
    )


def downgrade() -> None:
    """Drops it: entries with an issuer and without token_url are unknown to the version before."""
    op.execute("drop table issuer")

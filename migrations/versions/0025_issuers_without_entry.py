"""Issuers that connect sessions name, and how our clients there came to be (RFC 7591)."""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds what a discovered issuer needs; those that entries name lack it."""
    op.execute(
        "alter table issuer add column slug text constraint issuer_slug_key unique, "
        "add column client_auth text"
    )
    op.execute(
        "alter table app add column registered text, "
        "add column secret_ends_at timestamp with time zone"
    )


def downgrade() -> None:
    """Drops it: connections of issuers without an entry wait for a provider that nobody knows."""
    op.execute("alter table app drop column registered, drop column secret_ends_at")
    op.execute("alter table issuer drop column slug, drop column client_auth")

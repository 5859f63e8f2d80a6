"""A resume link belongs to the key that made it, and may be withdrawn.

Links that there are learn their key from the words in which it was written down. They were made before
links could be told to replace the tokens of a connection that works, so none of them may.
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the columns, and fills in the key."""
    op.execute(
        """
        alter table resume_link
            add column key_id text,
            add column withdrawn_at timestamptz,
            add column replaces_tokens boolean not null default false
        """
    )
    op.execute(
        "update resume_link set key_id = substring(made_by from '^by API key ([a-z2-7]{12})$')"
    )


def downgrade() -> None:
    """Drops them; a link that was withdrawn is used up, so that it stays worth nothing."""
    op.execute("update resume_link set used_at = withdrawn_at where used_at is null")
    op.execute(
        "alter table resume_link drop column key_id, drop column withdrawn_at, "
        "drop column replaces_tokens"
    )

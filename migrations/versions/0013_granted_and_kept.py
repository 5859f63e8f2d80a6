"""What was granted beside what was asked for, the answer's fields that callers need, and placeholders.

Four columns that may be null, so no row is written: what an answer grants is known from the next one on.
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None
COLUMNS = {
    "granted_scopes": "text[]",
    "kept_fields": "jsonb",
    "kept_secrets": "bytea",
    "placeholders": "jsonb",
}


def upgrade() -> None:
    """Adds the columns."""
    for name, kind in COLUMNS.items():
        op.execute(f"alter table connection add column {name} {kind}")


def downgrade() -> None:
    """Drops them: the next answers tell again."""
    for name in COLUMNS:
        op.execute(f"alter table connection drop column {name}")

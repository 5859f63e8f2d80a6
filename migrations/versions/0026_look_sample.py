"""What the whole came to, every quarter of a minute: for charts of hours and days."""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the table; the first numbers come with the next slot."""
    op.execute(
        """
        create table look_sample (
            at timestamp with time zone not null constraint look_sample_pkey primary key,
            refreshed_per_second real not null,
            failed_per_second real not null,
            lateness_p50_seconds real,
            lateness_p99_seconds real,
            late integer not null,
            leased integer not null,
            due integer[],
            providers jsonb default '{}'::jsonb not null
        )
        """
    )


def downgrade() -> None:
    """Drops it: charts begin anew."""
    op.execute("drop table look_sample")

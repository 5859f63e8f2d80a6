"""Whose fault a fault is: who was told so stands beside each pause, and what a waiting row waits for.

Pauses of a whole provider that were ordered by one grant's answer end within fifteen minutes.
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the columns and two indexes; the rows of the schedule are not touched."""
    op.execute(
        """
        alter table pause
            add column sort text not null default 'limited', add column provider text,
            add column app_name text, add column host text, add column organization_id text,
            add column told_at timestamptz not null default refresher_now(),
            add column again_at timestamptz not null default refresher_now(),
            add column failures integer not null default 0,
            add column probes integer not null default 0,
            add column witnesses jsonb not null default '[]'::jsonb
        """
    )
    op.execute(
        """
        update pause set provider = split_part(key, '/', 1),
            app_name = case when scope = 'app' then nullif(split_part(key, '/', 2), '') end,
            sort = case when scope = 'app' then 'refused' when refusals > 0 then 'silent'
                        else 'limited' end,
            refusals = greatest(refusals, 1),
            until = least(until, refresher_now() + interval '15 minutes')
        """
    )
    op.execute("alter table pause alter column provider set not null")
    op.execute("alter table pause alter column sort drop default")
    op.execute("alter table pause drop constraint pause_pkey, add primary key (scope, key, sort)")
    op.execute("create index pause_provider_idx on pause (provider)")
    op.execute("alter table refresh_schedule add column waits_for text")
    op.execute(
        "create index refresh_schedule_waits_for_idx on refresh_schedule (waits_for, due_at) "
        "where state = 0 and waits_for is not null"
    )


def downgrade() -> None:
    """Drops them; of the pauses, those stay that an earlier version knows."""
    op.execute("drop index refresh_schedule_waits_for_idx")
    op.execute("alter table refresh_schedule drop column waits_for")
    op.execute(
        "delete from pause where host is not null or organization_id is not null "
        "or until <= refresher_now()"
    )
    op.execute(
        "delete from pause p using pause q where p.scope = q.scope and p.key = q.key "
        "and p.sort > q.sort"
    )
    op.execute("drop index pause_provider_idx")
    op.execute("alter table pause drop constraint pause_pkey")
    for column in (
        "sort", "provider", "app_name", "host", "organization_id", "told_at", "again_at",
        "failures", "probes", "witnesses",
    ):  # fmt: skip
        op.execute(f"alter table pause drop column {column}")
    op.execute("alter table pause add primary key (scope, key)")

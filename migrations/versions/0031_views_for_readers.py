"""Views for people who read with SQL: how each connection stands in words, and what is due next."""

from alembic import op

revision = "0031"
down_revision = "0030"

UP = """
create view connections as
    select c.id, c.organization_id, c.provider, c.external_id, c.slot, c.name,
        case
            when c.deleted_at is not null or s.state = 2 and s.parked_reason in ('missing', 'deleted') then 'deleted'
            when c.disabled_at is not null or s.state = 2 and s.parked_reason in ('disabled') then 'disabled'
            when c.paused_at is not null or s.state = 2 and s.parked_reason in ('paused') then 'paused'
            when c.in_between_steps or s.state = 2 and s.parked_reason in ('mid_oauth') then 'connecting'
            when r.status = 'reconnect_required' or s.state = 2 and s.parked_reason in ('reconnect_required')
                then 'reconnect_required'
            when s.state = 1 then 'refreshing'
            when s.state is distinct from 0 then 'blocked'
            when r.expires_at <= refresher_now() then 'expired'
            when s.postponed_by not like 'rate:%' and s.postponed_by not like 'pace:%' then 'waiting'
            when s.attempt > 0 then 'retrying'
            when s.due_at < refresher_now() - interval '30.0 seconds' then 'late'
            else 'fresh'
        end as health,
        case s.state when 0 then 'scheduled' when 1 then 'leased' when 2 then 'parked' end as state,
        s.parked_reason, r.status_cause,
        case when s.state <> 2 then s.due_at end as due_at,
        r.expires_at as token_ends_at, r.refresh_token_expires_at as refresh_token_ends_at,
        coalesce(s.attempt, 0) as failures,
        case when s.state = 0 then s.postponed_by end as postponed_by,
        c.root_id, c.slot_of, r.app_name as app, c.paused_at, c.disabled_at, c.deleted_at,
        c.created_at, c.updated_at
    from connection c
    join connection r on r.id = coalesce(c.root_id, c.id)
    left join refresh_schedule s on s.connection_id = r.id;
comment on view connections is
    'Each connection with how it stands in one word, the same as health in the API; no token.';
create view due as
    select s.due_at, s.due_at - refresher_now() as due_in, c.organization_id, c.provider, c.external_id,
        c.slot, c.name, s.attempt as failures, s.postponed_by, c.expires_at as token_ends_at, c.id
    from refresh_schedule s
    join connection c on c.id = s.connection_id
    where s.state = 0;
comment on view due is
    'What is refreshed next: order by due_at; without a limit it is as long as the table.';
"""


def upgrade() -> None:
    """Adds both."""
    op.execute(UP)


def downgrade() -> None:
    """Drops them."""
    op.execute("drop view due; drop view connections")

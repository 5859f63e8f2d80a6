"""The first tables, and the clock that every comparison of times reads.

Written out and frozen: later changes of `refresher/store/tables/` come in later migrations.
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# One expression, stable: Postgres inlines it, so `due_at <= refresher_now()` uses the index. The
# setting is for tests, which live through days in milliseconds; unset, it is the transaction's time.
CLOCK = """
create or replace function refresher_now() returns timestamptz
language sql stable parallel safe
return coalesce(nullif(current_setting('refresher.now', true), '')::timestamptz, now())
"""

TABLES = """
CREATE TABLE app (
    id UUID NOT NULL,
    provider TEXT NOT NULL,
    name TEXT DEFAULT 'default' NOT NULL,
    client_id TEXT NOT NULL,
    client_secret BYTEA,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT refresher_now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT refresher_now() NOT NULL,
    CONSTRAINT app_pkey PRIMARY KEY (id),
    CONSTRAINT app_provider_name_key UNIQUE (provider, name)
);
CREATE TABLE connection (
    id UUID NOT NULL,
    organization_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    external_id TEXT NOT NULL,
    name TEXT,
    app_name TEXT DEFAULT 'default' NOT NULL,
    root_id UUID,
    host TEXT,
    access_token BYTEA,
    refresh_token BYTEA,
    credential_version BIGINT DEFAULT '1' NOT NULL,
    grant_number INTEGER DEFAULT '1' NOT NULL,
    issued_at TIMESTAMP WITH TIME ZONE,
    expires_at TIMESTAMP WITH TIME ZONE,
    lifetime_seconds DOUBLE PRECISION,
    refresh_token_expires_at TIMESTAMP WITH TIME ZONE,
    scopes TEXT[] DEFAULT '{}' NOT NULL,
    status TEXT DEFAULT 'active' NOT NULL,
    status_cause TEXT,
    in_between_steps BOOLEAN DEFAULT false NOT NULL,
    disabled_at TIMESTAMP WITH TIME ZONE,
    paused_at TIMESTAMP WITH TIME ZONE,
    deleted_at TIMESTAMP WITH TIME ZONE,
    metadata JSONB DEFAULT '{}'::jsonb NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT refresher_now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT refresher_now() NOT NULL,
    CONSTRAINT connection_pkey PRIMARY KEY (id),
    CONSTRAINT connection_organization_id_provider_external_id_key UNIQUE (organization_id, provider, external_id),
    CONSTRAINT connection_status_check CHECK (status in ('active', 'reconnect_required')),
    CONSTRAINT connection_access_token_not_empty_check CHECK (length(access_token) > 33),
    CONSTRAINT connection_refresh_token_not_empty_check CHECK (length(refresh_token) > 33),
    CONSTRAINT connection_sibling_is_bare_check CHECK (root_id is null or (access_token is null and refresh_token is null)),
    CONSTRAINT connection_root_id_fkey FOREIGN KEY(root_id) REFERENCES connection (id)
)
 WITH (fillfactor = 80);
CREATE INDEX connection_root_id_idx ON connection (root_id) WHERE root_id is not null;
CREATE TABLE pause (
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    until TIMESTAMP WITH TIME ZONE NOT NULL,
    refusals INTEGER DEFAULT '0' NOT NULL,
    reason TEXT NOT NULL,
    since TIMESTAMP WITH TIME ZONE DEFAULT refresher_now() NOT NULL,
    CONSTRAINT pause_pkey PRIMARY KEY (scope, key)
);
CREATE TABLE refresh_event (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    connection_id UUID NOT NULL,
    occurred_at TIMESTAMP WITH TIME ZONE DEFAULT refresher_now() NOT NULL,
    kind TEXT NOT NULL,
    lease_token BIGINT,
    credential_version BIGINT,
    attempt INTEGER,
    http_status SMALLINT,
    elapsed_seconds DOUBLE PRECISION,
    lateness_seconds DOUBLE PRECISION,
    expired_seconds DOUBLE PRECISION,
    reason TEXT,
    next_due_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT refresh_event_pkey PRIMARY KEY (id)
);
CREATE INDEX refresh_event_connection_id_id_idx ON refresh_event (connection_id, id);
CREATE TABLE worker (
    id UUID NOT NULL,
    lock_key BIGINT NOT NULL,
    role TEXT NOT NULL,
    host TEXT NOT NULL,
    process_id INTEGER NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT refresher_now() NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE DEFAULT refresher_now() NOT NULL,
    stopped_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT worker_pkey PRIMARY KEY (id),
    CONSTRAINT worker_lock_key_key UNIQUE (lock_key)
);
CREATE TABLE quarantine (
    id UUID NOT NULL,
    connection_id UUID NOT NULL,
    grant_number INTEGER NOT NULL,
    credential_version BIGINT NOT NULL,
    access_token BYTEA NOT NULL,
    refresh_token BYTEA,
    expires_at TIMESTAMP WITH TIME ZONE,
    lifetime_seconds DOUBLE PRECISION,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT refresher_now() NOT NULL,
    adopted_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT quarantine_pkey PRIMARY KEY (id),
    CONSTRAINT quarantine_connection_id_fkey FOREIGN KEY(connection_id) REFERENCES connection (id)
);
CREATE INDEX quarantine_connection_id_idx ON quarantine (connection_id);
CREATE TABLE refresh_schedule (
    connection_id UUID NOT NULL,
    state SMALLINT DEFAULT '0' NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE,
    lease_token BIGINT DEFAULT '0' NOT NULL,
    lease_until TIMESTAMP WITH TIME ZONE,
    holder_id UUID,
    begun_token BIGINT DEFAULT '0' NOT NULL,
    begun_at TIMESTAMP WITH TIME ZONE,
    starts SMALLINT DEFAULT '0' NOT NULL,
    attempt INTEGER DEFAULT '0' NOT NULL,
    unknown_outcomes SMALLINT DEFAULT '0' NOT NULL,
    parked_reason TEXT,
    postponed_by TEXT,
    CONSTRAINT refresh_schedule_pkey PRIMARY KEY (connection_id),
    CONSTRAINT refresh_schedule_state_check CHECK (state in (0, 1, 2)),
    CONSTRAINT refresh_schedule_idle_has_due_at_check CHECK (state <> 0 or due_at is not null),
    CONSTRAINT refresh_schedule_leased_has_lease_until_check CHECK (state <> 1 or lease_until is not null),
    CONSTRAINT refresh_schedule_parked_has_reason_check CHECK (state <> 2 or parked_reason is not null),
    CONSTRAINT refresh_schedule_connection_id_fkey FOREIGN KEY(connection_id) REFERENCES connection (id)
)
 WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.02);
CREATE INDEX refresh_schedule_due_at_idx ON refresh_schedule (due_at) WHERE state = 0;
CREATE INDEX refresh_schedule_lease_until_idx ON refresh_schedule (lease_until) WHERE state = 1;
CREATE INDEX refresh_schedule_parked_reason_idx ON refresh_schedule (parked_reason) WHERE state = 2;
"""


def upgrade() -> None:
    """Creates the clock and the tables."""
    op.execute(CLOCK)
    op.execute(TABLES)


def downgrade() -> None:
    """Drops everything: every stored token is lost."""
    op.execute(
        "drop table refresh_schedule, quarantine, worker, refresh_event, pause, connection, app"
    )
    op.execute("drop function refresher_now()")

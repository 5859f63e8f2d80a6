"""Webhooks: endpoints, and one row for each message to each of them.

Written out and frozen: later changes of `refresher/store/tables/` come in later migrations.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE webhook_endpoint (
    id UUID NOT NULL,
    organization_id TEXT,
    url TEXT NOT NULL,
    description TEXT,
    events TEXT[] NOT NULL,
    secret BYTEA NOT NULL,
    previous_secret BYTEA,
    previous_secret_until TIMESTAMP WITH TIME ZONE,
    disabled_at TIMESTAMP WITH TIME ZONE,
    disabled_reason TEXT,
    failures INTEGER DEFAULT '0' NOT NULL,
    refusals INTEGER DEFAULT '0' NOT NULL,
    failing_since TIMESTAMP WITH TIME ZONE,
    paused_until TIMESTAMP WITH TIME ZONE,
    delivered_at TIMESTAMP WITH TIME ZONE,
    usual_seconds DOUBLE PRECISION DEFAULT '0.1' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT refresher_now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT refresher_now() NOT NULL,
    CONSTRAINT webhook_endpoint_pkey PRIMARY KEY (id),
    CONSTRAINT webhook_endpoint_has_events_check CHECK (cardinality(events) > 0),
    CONSTRAINT webhook_endpoint_disabled_has_reason_check CHECK ((disabled_at is null) = (disabled_reason is null))
);
CREATE INDEX webhook_endpoint_organization_id_idx ON webhook_endpoint (organization_id);
CREATE TABLE webhook_delivery (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    endpoint_id UUID NOT NULL,
    event_id UUID NOT NULL,
    subject TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    state SMALLINT DEFAULT '0' NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE DEFAULT refresher_now() NOT NULL,
    lease_token BIGINT DEFAULT '0' NOT NULL,
    lease_until TIMESTAMP WITH TIME ZONE,
    holder_id UUID,
    begun_token BIGINT DEFAULT '0' NOT NULL,
    begun_at TIMESTAMP WITH TIME ZONE,
    starts SMALLINT DEFAULT '0' NOT NULL,
    attempt INTEGER DEFAULT '0' NOT NULL,
    first_attempt_at TIMESTAMP WITH TIME ZONE,
    ended_at TIMESTAMP WITH TIME ZONE,
    http_status SMALLINT,
    reason TEXT,
    elapsed_seconds DOUBLE PRECISION,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT refresher_now() NOT NULL,
    CONSTRAINT webhook_delivery_pkey PRIMARY KEY (id),
    CONSTRAINT webhook_delivery_endpoint_id_event_id_key UNIQUE (endpoint_id, event_id),
    CONSTRAINT webhook_delivery_state_check CHECK (state in (0, 1, 2, 3, 4)),
    CONSTRAINT webhook_delivery_leased_has_lease_until_check CHECK (state <> 1 or lease_until is not null),
    CONSTRAINT webhook_delivery_endpoint_id_fkey FOREIGN KEY(endpoint_id) REFERENCES webhook_endpoint (id) ON DELETE CASCADE,
    CONSTRAINT webhook_delivery_event_id_fkey FOREIGN KEY(event_id) REFERENCES outbox (id) ON DELETE CASCADE
)
 WITH (fillfactor = 80);
CREATE INDEX webhook_delivery_due_at_idx ON webhook_delivery (due_at) WHERE state = 0;
CREATE INDEX webhook_delivery_endpoint_id_id_idx ON webhook_delivery (endpoint_id, id);
CREATE INDEX webhook_delivery_ended_at_idx ON webhook_delivery (ended_at) WHERE state > 2;
CREATE INDEX webhook_delivery_event_id_idx ON webhook_delivery (event_id);
CREATE INDEX webhook_delivery_lease_until_idx ON webhook_delivery (lease_until) WHERE state = 1;
CREATE INDEX webhook_delivery_order_idx ON webhook_delivery (endpoint_id, subject, sequence) WHERE state < 3;
ALTER TABLE outbox DROP CONSTRAINT outbox_one_subject_check;
ALTER TABLE outbox ADD CONSTRAINT outbox_one_subject_check CHECK (connection_id is null or app_key is null);
ALTER TABLE notice DROP CONSTRAINT notice_scope_check;
ALTER TABLE notice ADD CONSTRAINT notice_scope_check CHECK (scope in ('connection', 'app', 'webhook'));
"""


def upgrade() -> None:
    """Creates the tables, and lets the outbox speak of endpoints."""
    op.execute(TABLES)


def downgrade() -> None:
    """Drops the tables: endpoints, their secrets and their messages are lost."""
    op.execute("drop table webhook_delivery, webhook_endpoint")
    op.execute("delete from outbox where connection_id is null and app_key is null")
    op.execute("delete from notice where scope = 'webhook'")
    op.execute("alter table outbox drop constraint outbox_one_subject_check")
    op.execute(
        "alter table outbox add constraint outbox_one_subject_check "
        "check ((connection_id is null) <> (app_key is null))"
    )
    op.execute("alter table notice drop constraint notice_scope_check")
    op.execute(
        "alter table notice add constraint notice_scope_check "
        "check (scope in ('connection', 'app'))"
    )

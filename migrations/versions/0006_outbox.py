"""Notifications: the outbox, what was told of whom, and the ends of grants.

Written out and frozen: later changes of `refresher/store/tables/` come in later migrations.
"""

from alembic import op

revision = "0006"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE connection ADD COLUMN trouble TEXT;
CREATE INDEX refresh_schedule_delayed_idx ON refresh_schedule (connection_id) WHERE state = 0 and (attempt > 0 or postponed_by is not null);
CREATE TABLE outbox (
    id UUID NOT NULL,
    organization_id TEXT,
    connection_id UUID,
    app_key TEXT,
    sequence BIGINT NOT NULL,
    kind TEXT NOT NULL,
    payload JSONB NOT NULL,
    occurred_at TIMESTAMP WITH TIME ZONE DEFAULT refresher_now() NOT NULL,
    CONSTRAINT outbox_pkey PRIMARY KEY (id),
    CONSTRAINT outbox_one_subject_check CHECK ((connection_id is null) <> (app_key is null))
);
CREATE INDEX outbox_connection_id_sequence_idx ON outbox (connection_id, sequence);
CREATE INDEX outbox_occurred_at_idx ON outbox (occurred_at);
CREATE TABLE outbox_pending (
    consumer TEXT NOT NULL,
    outbox_id UUID NOT NULL,
    CONSTRAINT outbox_pending_pkey PRIMARY KEY (consumer, outbox_id),
    CONSTRAINT outbox_pending_outbox_id_fkey FOREIGN KEY(outbox_id) REFERENCES outbox (id) ON DELETE CASCADE
);
CREATE TABLE notice (
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    state TEXT DEFAULT 'well' NOT NULL,
    told TEXT DEFAULT 'well' NOT NULL,
    sequence BIGINT DEFAULT '0' NOT NULL,
    trouble_told_at TIMESTAMP WITH TIME ZONE,
    recovery_told_at TIMESTAMP WITH TIME ZONE,
    look_at TIMESTAMP WITH TIME ZONE,
    detail JSONB DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT notice_pkey PRIMARY KEY (scope, key),
    CONSTRAINT notice_scope_check CHECK (scope in ('connection', 'app'))
);
CREATE INDEX notice_look_at_idx ON notice (look_at) WHERE look_at is not null;
CREATE TABLE grant_end (
    connection_id UUID NOT NULL,
    look_at TIMESTAMP WITH TIME ZONE NOT NULL,
    told_for TIMESTAMP WITH TIME ZONE,
    told_days SMALLINT,
    CONSTRAINT grant_end_pkey PRIMARY KEY (connection_id),
    CONSTRAINT grant_end_connection_id_fkey FOREIGN KEY(connection_id) REFERENCES connection (id) ON DELETE CASCADE
);
CREATE INDEX grant_end_look_at_idx ON grant_end (look_at);
"""


def upgrade() -> None:
    """Creates the tables; what happened before today is told to nobody."""
    op.execute(TABLES)


def downgrade() -> None:
    """Drops the tables: notices that were not sent yet are lost."""
    op.execute("drop table outbox_pending, outbox, notice, grant_end")
    op.execute("drop index refresh_schedule_delayed_idx")
    op.execute("alter table connection drop column trouble")

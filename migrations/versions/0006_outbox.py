"""Notifications: the outbox, what was told of whom, and the ends of grants.

Written out and frozen: later changes of `refresher/store/tables/` come in later migrations.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE connection ADD COLUMN trouble TEXT;
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
CREATE TABLE organization (
    id TEXT NOT NULL,
    name TEXT,
    reconnect_url TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT refresher_now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT refresher_now() NOT NULL,
    CONSTRAINT organization_pkey PRIMARY KEY (id)
);
CREATE TABLE recipient (
    id UUID NOT NULL,
    organization_id TEXT NOT NULL,
    address TEXT NOT NULL,
    choices JSONB DEFAULT '{}'::jsonb NOT NULL,
    blocked_at TIMESTAMP WITH TIME ZONE,
    blocked_reason TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT refresher_now() NOT NULL,
    CONSTRAINT recipient_pkey PRIMARY KEY (id),
    CONSTRAINT recipient_organization_id_address_key UNIQUE (organization_id, address)
);
CREATE TABLE mail (
    id UUID NOT NULL,
    recipient_id UUID NOT NULL,
    form TEXT NOT NULL,
    state SMALLINT DEFAULT '0' NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    lease_token BIGINT DEFAULT '0' NOT NULL,
    lease_until TIMESTAMP WITH TIME ZONE,
    begun_token BIGINT DEFAULT '0' NOT NULL,
    attempt INTEGER DEFAULT '0' NOT NULL,
    reason TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT refresher_now() NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT mail_pkey PRIMARY KEY (id),
    CONSTRAINT mail_form_check CHECK (form in ('plain', 'digest')),
    CONSTRAINT mail_state_check CHECK (state in (0, 1, 2, 3)),
    CONSTRAINT mail_leased_has_lease_until_check CHECK (state <> 1 or lease_until is not null),
    CONSTRAINT mail_recipient_id_fkey FOREIGN KEY(recipient_id) REFERENCES recipient (id) ON DELETE CASCADE
);
CREATE INDEX mail_due_at_idx ON mail (due_at) WHERE state = 0;
CREATE INDEX mail_lease_until_idx ON mail (lease_until) WHERE state = 1;
CREATE INDEX mail_failed_idx ON mail (ended_at) WHERE state = 3;
CREATE INDEX mail_recipient_id_created_at_idx ON mail (recipient_id, created_at);
CREATE TABLE mail_entry (
    recipient_id UUID NOT NULL,
    outbox_id UUID NOT NULL,
    mail_id UUID,
    delivered_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT mail_entry_pkey PRIMARY KEY (recipient_id, outbox_id),
    CONSTRAINT mail_entry_recipient_id_fkey FOREIGN KEY(recipient_id) REFERENCES recipient (id) ON DELETE CASCADE,
    CONSTRAINT mail_entry_outbox_id_fkey FOREIGN KEY(outbox_id) REFERENCES outbox (id) ON DELETE CASCADE,
    CONSTRAINT mail_entry_mail_id_fkey FOREIGN KEY(mail_id) REFERENCES mail (id) ON DELETE CASCADE
);
CREATE INDEX mail_entry_mail_id_idx ON mail_entry (mail_id);
CREATE INDEX mail_entry_outbox_id_idx ON mail_entry (outbox_id);
CREATE INDEX mail_entry_waiting_idx ON mail_entry (recipient_id) WHERE mail_id is null;
CREATE TABLE mail_slot (
    name TEXT NOT NULL,
    next_at TIMESTAMP WITH TIME ZONE NOT NULL,
    pauses INTEGER DEFAULT '0' NOT NULL,
    reason TEXT,
    CONSTRAINT mail_slot_pkey PRIMARY KEY (name)
);
INSERT INTO mail_slot (name, next_at) VALUES ('mail', '-infinity');
"""


def upgrade() -> None:
    """Creates the tables; what happened before today is told to nobody."""
    op.execute(TABLES)


def downgrade() -> None:
    """Drops the tables: notices that were not sent yet are lost."""
    op.execute("drop table mail_slot, mail_entry, mail, recipient, organization")
    op.execute("drop table outbox_pending, outbox, notice, grant_end")
    op.execute("alter table connection drop column trouble")

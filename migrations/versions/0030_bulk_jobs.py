"""Bulk jobs: what is done to many connections, and which of them are left to it."""

from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE bulk_job (
    id BIGINT GENERATED ALWAYS AS IDENTITY CONSTRAINT bulk_job_pkey PRIMARY KEY,
    made_by TEXT NOT NULL,
    key_id TEXT,
    person TEXT,
    organization_id TEXT,
    plan_id UUID CONSTRAINT bulk_job_plan_id_key UNIQUE,
    deed TEXT NOT NULL,
    selection JSONB NOT NULL,
    as_of TIMESTAMP WITH TIME ZONE NOT NULL,
    most BIGINT NOT NULL,
    state TEXT DEFAULT 'gathering' NOT NULL,
    why TEXT,
    gathered_to TEXT,
    total BIGINT DEFAULT 0 NOT NULL,
    done BIGINT DEFAULT 0 NOT NULL,
    skipped BIGINT DEFAULT 0 NOT NULL,
    failed BIGINT DEFAULT 0 NOT NULL,
    left_out JSONB DEFAULT '{}'::jsonb NOT NULL,
    next_at TIMESTAMP WITH TIME ZONE DEFAULT refresher_now() NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT refresher_now() NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT bulk_job_state_check
        CHECK (state IN ('gathering', 'working', 'done', 'stopped')),
    CONSTRAINT bulk_job_ended_has_instant_check
        CHECK ((state IN ('done', 'stopped')) = (ended_at IS NOT NULL))
);
CREATE INDEX bulk_job_next_at_idx ON bulk_job (next_at) WHERE ended_at IS NULL;
CREATE INDEX bulk_job_ended_at_idx ON bulk_job (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX bulk_job_organization_id_id_idx ON bulk_job (organization_id, id);
CREATE TABLE bulk_row (
    job_id BIGINT NOT NULL CONSTRAINT bulk_row_job_id_fkey
        REFERENCES bulk_job (id) ON DELETE CASCADE,
    turn SMALLINT DEFAULT 0 NOT NULL,
    connection_id UUID NOT NULL,
    CONSTRAINT bulk_row_pkey PRIMARY KEY (job_id, turn, connection_id)
);
"""


def upgrade() -> None:
    """Adds both tables."""
    op.execute(UP)


def downgrade() -> None:
    """Drops them: jobs under way end where they are."""
    op.execute("drop table bulk_row; drop table bulk_job")

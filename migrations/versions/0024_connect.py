"""Consents: sessions, their attempts, whose account a connection is, and where people may return to."""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE connect_session (
    id UUID NOT NULL CONSTRAINT connect_session_pkey PRIMARY KEY,
    link_hash BYTEA NOT NULL CONSTRAINT connect_session_link_hash_key UNIQUE,
    kind TEXT NOT NULL,
    flow TEXT NOT NULL,
    finish TEXT NOT NULL,
    state TEXT DEFAULT 'open' NOT NULL,
    organization_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    app_name TEXT NOT NULL,
    external_id TEXT,
    connection_id UUID,
    host TEXT,
    placeholders JSONB DEFAULT '{}'::jsonb NOT NULL,
    parameters JSONB DEFAULT '{}'::jsonb NOT NULL,
    scopes TEXT[] DEFAULT '{}' NOT NULL,
    required_scopes TEXT[] DEFAULT '{}' NOT NULL,
    account_hint TEXT,
    return_url TEXT,
    for_whom TEXT,
    finish_challenge TEXT,
    leave_in_between_steps BOOLEAN DEFAULT false NOT NULL,
    allow_account_change BOOLEAN DEFAULT false NOT NULL,
    made_by TEXT NOT NULL,
    key_id TEXT,
    outcome TEXT,
    problem JSONB,
    result JSONB DEFAULT '{}'::jsonb NOT NULL,
    attempts SMALLINT DEFAULT 0 NOT NULL,
    attempt_id UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT refresher_now() NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    held BYTEA,
    held_until TIMESTAMP WITH TIME ZONE,
    ready_at TIMESTAMP WITH TIME ZONE,
    confirmed_at TIMESTAMP WITH TIME ZONE,
    finish_code_hash BYTEA,
    finish_code_until TIMESTAMP WITH TIME ZONE,
    guard_set BOOLEAN DEFAULT false NOT NULL,
    exchange_until TIMESTAMP WITH TIME ZONE,
    CONSTRAINT connect_session_kind_check CHECK (kind IN ('new', 'reconnect')),
    CONSTRAINT connect_session_state_check
        CHECK (state IN ('open', 'exchanging', 'held', 'ended')),
    CONSTRAINT connect_session_held_only_in_held_check
        CHECK ((state = 'held') = (held IS NOT NULL) AND (held IS NULL) = (held_until IS NULL)),
    CONSTRAINT connect_session_exchanging_ends_check
        CHECK ((state = 'exchanging') = (exchange_until IS NOT NULL)),
    CONSTRAINT connect_session_guard_of_exchange_check
        CHECK (NOT guard_set OR state = 'exchanging'),
    CONSTRAINT connect_session_ended_has_outcome_check
        CHECK ((state = 'ended') = (outcome IS NOT NULL)
               AND (outcome IS NULL) = (ended_at IS NULL)),
    CONSTRAINT connect_session_reconnect_has_connection_check
        CHECK (kind <> 'reconnect' OR connection_id IS NOT NULL)
);
CREATE INDEX connect_session_organization_id_id_idx ON connect_session (organization_id, id);
CREATE INDEX connect_session_connection_id_idx ON connect_session (connection_id)
    WHERE ended_at IS NULL;
CREATE INDEX connect_session_expires_at_idx ON connect_session (expires_at)
    WHERE ended_at IS NULL;
CREATE INDEX connect_session_under_way_idx ON connect_session (id)
    WHERE exchange_until IS NOT NULL OR held_until IS NOT NULL;
CREATE INDEX connect_session_ended_at_idx ON connect_session (ended_at)
    WHERE ended_at IS NOT NULL;
CREATE TABLE connect_attempt (
    id UUID NOT NULL CONSTRAINT connect_attempt_pkey PRIMARY KEY,
    state_hash BYTEA NOT NULL CONSTRAINT connect_attempt_state_hash_key UNIQUE,
    session_id UUID NOT NULL CONSTRAINT connect_attempt_session_id_fkey
        REFERENCES connect_session (id) ON DELETE CASCADE,
    cookie_hash BYTEA NOT NULL,
    slug TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    code_url TEXT NOT NULL,
    issuer TEXT,
    host TEXT,
    scopes TEXT[] DEFAULT '{}' NOT NULL,
    verifier BYTEA,
    nonce_hash BYTEA,
    begun_at TIMESTAMP WITH TIME ZONE DEFAULT refresher_now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    spent_at TIMESTAMP WITH TIME ZONE,
    problem JSONB
);
CREATE INDEX connect_attempt_session_id_idx ON connect_attempt (session_id);
CREATE INDEX connect_attempt_expires_at_idx ON connect_attempt (expires_at);
ALTER TABLE connection ADD COLUMN account TEXT, ADD COLUMN account_label TEXT;
CREATE INDEX connection_account_idx ON connection (organization_id, provider, account)
    WHERE account IS NOT NULL;
ALTER TABLE organization ADD COLUMN return_urls TEXT[] DEFAULT '{}' NOT NULL;
"""
DOWN = """
ALTER TABLE organization DROP COLUMN return_urls;
DROP INDEX connection_account_idx;
ALTER TABLE connection DROP COLUMN account, DROP COLUMN account_label;
DROP TABLE connect_attempt;
DROP TABLE connect_session;
"""


def upgrade() -> None:
    """Adds both tables and the columns; nobody knows yet whose accounts the connections are."""
    op.execute(UP)


def downgrade() -> None:
    """Drops them: who is on the way to a provider has to begin again, later."""
    op.execute(DOWN)

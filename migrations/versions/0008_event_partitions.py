"""Events by the day, with the instants of an attempt's steps and what was true afterwards.

The rows that there are stay where they are: their table becomes the first partition. Written out and
frozen: later changes of `refresher/store/tables/` come in later migrations.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# Both ways, old and new processes may run beside each other: everything new may be null.
NEW_COLUMNS = """
    claimed_at TIMESTAMP WITH TIME ZONE,
    begun_at TIMESTAMP WITH TIME ZONE,
    lease_until TIMESTAMP WITH TIME ZONE,
    exchange_seconds REAL,
    state SMALLINT,
    parked_reason TEXT,
    postponed_by TEXT,
    failures INTEGER,
    unknown_outcomes SMALLINT,
    starts SMALLINT,
    stored_version BIGINT,
    grant_number INTEGER,
    status TEXT,
    status_cause TEXT,
    expires_at TIMESTAMP WITH TIME ZONE,
    lifetime_seconds DOUBLE PRECISION,
    refresh_token_expires_at TIMESTAMP WITH TIME ZONE,
    paused_at TIMESTAMP WITH TIME ZONE,
    disabled_at TIMESTAMP WITH TIME ZONE,
    deleted_at TIMESTAMP WITH TIME ZONE,
    in_between_steps BOOLEAN,
    recorded JSONB
"""
OLD_COLUMNS = """
    connection_id UUID{not_null},
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
    next_due_at TIMESTAMP WITH TIME ZONE
"""
STEP_ASIDE = """
ALTER TABLE refresh_event RENAME TO refresh_event_before;
ALTER TABLE refresh_event_before ALTER COLUMN id DROP IDENTITY, ALTER COLUMN connection_id DROP NOT NULL;
ALTER TABLE refresh_event_before DROP CONSTRAINT refresh_event_pkey;
ALTER INDEX refresh_event_connection_id_id_idx RENAME TO refresh_event_before_connection_id_id_idx;
"""
CREATE = f"""
CREATE SEQUENCE refresh_event_id_seq;
CREATE TABLE refresh_event (
    id BIGINT DEFAULT nextval('refresh_event_id_seq'::regclass) NOT NULL,
    {OLD_COLUMNS.format(not_null="").strip()},
    {NEW_COLUMNS.strip()},
    CONSTRAINT refresh_event_pkey PRIMARY KEY (id, occurred_at)
) PARTITION BY RANGE (occurred_at);
ALTER SEQUENCE refresh_event_id_seq OWNED BY refresh_event.id;
CREATE INDEX refresh_event_connection_id_id_idx ON refresh_event (connection_id, id);
CREATE INDEX refresh_event_occurred_at_idx ON refresh_event USING brin (occurred_at);
CREATE TABLE refresh_event_default PARTITION OF refresh_event DEFAULT;
"""
# The old table ends where the next day of the newest row begins; without rows it is not kept.
ATTACH = """
do $$
declare
    newest record;
    upper timestamptz;
begin
    select max(id) as id, max(occurred_at) as at into newest from refresh_event_before;
    if newest.id is null then
        drop table refresh_event_before;
        return;
    end if;
    perform setval('refresh_event_id_seq', newest.id);
    upper := (date_trunc('day', greatest(newest.at, now()) at time zone 'UTC') + interval '1 day')
             at time zone 'UTC';
    execute format('alter table refresh_event attach partition refresh_event_before '
                   'for values from (minvalue) to (%L)', upper);
end $$
"""
BACK = f"""
CREATE TABLE refresh_event_flat (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    {OLD_COLUMNS.format(not_null=" NOT NULL").strip()}
);
"""
KEPT = (
    "id, connection_id, occurred_at, kind, lease_token, credential_version, attempt, http_status, "
    "elapsed_seconds, lateness_seconds, expired_seconds, reason, next_due_at"
)


def upgrade() -> None:
    """Makes the events' table a partitioned one, around the rows that there are."""
    op.execute("alter table refresh_schedule add column claimed_at timestamp with time zone")
    op.execute(STEP_ASIDE)
    added = ", ".join(f"ADD COLUMN {line.strip()}" for line in NEW_COLUMNS.strip().split(",\n"))
    op.execute(f"alter table refresh_event_before {added}")
    op.execute(CREATE)
    op.execute(ATTACH)


def downgrade() -> None:
    """Copies every event back into one table; what was recorded beyond its old columns is lost."""
    op.execute(BACK)
    op.execute(
        f"insert into refresh_event_flat ({KEPT}) overriding system value "  # noqa: S608  our own names
        f"select {KEPT} from refresh_event where connection_id is not null"
    )
    op.execute("drop table refresh_event")
    op.execute("alter table refresh_event_flat rename to refresh_event")
    op.execute("alter table refresh_event add constraint refresh_event_pkey primary key (id)")
    op.execute(
        "create index refresh_event_connection_id_id_idx on refresh_event (connection_id, id)"
    )
    op.execute(
        "select setval(pg_get_serial_sequence('refresh_event', 'id'), "
        "coalesce((select max(id) from refresh_event), 0) + 1, false)"
    )
    op.execute("alter table refresh_schedule drop column claimed_at")

"""The tables of the main job: connections, their schedule, and what may hold them up."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    column,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from refresher.store.tables.base import instant, metadata
from refresher.store.words import BLOCKED, SET_ASIDE

installation = Table(
    # One row: the name of this installation, which queues, spool and marks in Redis carry.
    "installation",
    metadata,
    Column("is_this", Boolean, primary_key=True, server_default=text("true")),
    Column("id", Uuid, nullable=False, server_default=text("gen_random_uuid()")),
    CheckConstraint("is_this", name="one_row"),
)

connection = Table(
    "connection",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("organization_id", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    # A token beside the main one of `slot_of` has a row of its own; '' is the main one.
    Column("slot", Text, nullable=False, server_default=text("''")),
    Column("slot_of", Uuid, ForeignKey("connection.id")),
    Column("name", Text),
    Column("app_name", Text, nullable=False, server_default="default"),
    # A sibling stores no tokens: it resolves to its root, so there is nothing to synchronise.
    Column("root_id", Uuid, ForeignKey("connection.id")),
    Column("host", Text),
    Column("access_token", LargeBinary),
    Column("refresh_token", LargeBinary),
    Column("credential_version", BigInteger, nullable=False, server_default="1"),
    Column("grant_number", Integer, nullable=False, server_default="1"),
    instant("issued_at"),
    instant("expires_at"),
    Column("lifetime_seconds", Double),
    instant("refresh_token_expires_at"),
    # When it ends for good, whatever is refreshed; the column above is never later.
    instant("grant_ends_at"),
    # What was asked for, and is asked for again; and what the last answer that told granted.
    Column("scopes", ARRAY(Text), nullable=False, server_default="{}"),
    Column("granted_scopes", ARRAY(Text)),
    # Fields of the answer that its provider's `keep_fields` names; those called like a token sealed.
    Column("kept_fields", JSONB),
    Column("kept_secrets", LargeBinary),
    # The connection's values for `{tenant}` and the like; the host has its own column.
    Column("placeholders", JSONB),
    # The provider's own id of whoever consented, and what people call it; null: never asked.
    Column("account", Text),
    Column("account_label", Text),
    Column("status", Text, nullable=False, server_default="active"),
    Column("status_cause", Text),
    # What people are told of; null while all is well. A refresh reads it for nothing.
    Column("trouble", Text),
    Column("in_between_steps", Boolean, nullable=False, server_default=text("false")),
    instant("disabled_at"),
    instant("paused_at"),
    instant("deleted_at"),
    Column("metadata", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    instant("created_at", default_now=True),
    instant("updated_at", default_now=True),
    UniqueConstraint("organization_id", "provider", "external_id", "slot"),
    CheckConstraint("(slot = '') = (slot_of is null)", name="slot_of_main"),
    CheckConstraint("status in ('active', 'reconnect_required')", name="status"),
    # An empty token can never be stored, whichever path wrote it: sealed, it is still 33 bytes.
    CheckConstraint("length(access_token) > 33", name="access_token_not_empty"),
    CheckConstraint("length(refresh_token) > 33", name="refresh_token_not_empty"),
    CheckConstraint(
        "root_id is null or (access_token is null and refresh_token is null)",
        name="sibling_is_bare",
    ),
    # Only siblings stand in it: who deletes a root asks for them.
    Index("connection_root_id_idx", "root_id", postgresql_where=text("root_id is not null")),
    # Only slots stand in it: what is done to a connection is done to its slots.
    Index("connection_slot_of_idx", "slot_of", postgresql_where=text("slot_of is not null")),
    # A provider's own notice names an account of its, and no organization of ours.
    Index("connection_provider_external_id_idx", "provider", "external_id"),
    Index(
        "connection_account_idx",
        *("organization_id", "provider", "account"),
        postgresql_where=text("account is not null"),
    ),
    # People find one by what the provider calls it, by its name, or by the beginning of either.
    Index(
        "connection_external_id_idx",
        "external_id",
        postgresql_ops={"external_id": "text_pattern_ops"},
    ),
    Index(
        "connection_name_idx",
        func.lower(column("name", Text)).label("lower_name"),
        postgresql_ops={"lower_name": "text_pattern_ops"},
        postgresql_where=text("name is not null"),
    ),
    # Lists of what somebody set aside: each holds these alone.
    *(
        Index(f"connection_{name}_idx", "id", postgresql_where=text(flag))
        for name, flag in SET_ASIDE.items()
    ),
    # A refresh touches no indexed column, so with room on the page it stays heap-only.
    postgresql_with={"fillfactor": "80"},
)

refresh_schedule = Table(
    "refresh_schedule",
    metadata,
    Column("connection_id", Uuid, ForeignKey("connection.id"), primary_key=True),
    # The connection's, which never changes: a claim is grouped by it. Null before a first claim.
    Column("provider", Text),
    Column("state", SmallInteger, nullable=False, server_default="0"),
    instant("due_at"),
    Column("lease_token", BigInteger, nullable=False, server_default="0"),
    # When it was claimed last, for the event with which the lease ends.
    instant("claimed_at"),
    instant("lease_until"),
    Column("holder_id", Uuid),
    Column("begun_token", BigInteger, nullable=False, server_default="0"),
    instant("begun_at"),
    Column("starts", SmallInteger, nullable=False, server_default="0"),
    Column("attempt", Integer, nullable=False, server_default="0"),
    # Requests that may have reached the provider and never told their outcome.
    Column("unknown_outcomes", SmallInteger, nullable=False, server_default="0"),
    Column("parked_reason", Text),
    # "app:google/default" while an idle row waits for the end of that pause.
    Column("postponed_by", Text),
    # The scope whose success has an idle row tried at once: that of the pause, or of its own backoff.
    Column("waits_for", Text),
    CheckConstraint("state in (0, 1, 2)", name="state"),
    # No row is ever lost: idle with a due time, leased with an end, or parked with a reason.
    CheckConstraint("state <> 0 or due_at is not null", name="idle_has_due_at"),
    CheckConstraint("state <> 1 or lease_until is not null", name="leased_has_lease_until"),
    CheckConstraint("state <> 2 or parked_reason is not null", name="parked_has_reason"),
    # The claim: nothing stands before due_at, so its cost grows only with what is due.
    Index("refresh_schedule_due_at_idx", "due_at", postgresql_where=text("state = 0")),
    # Rows that wait because of trouble, and no other: their due time tells nothing of their token.
    Index(
        "refresh_schedule_troubled_idx",
        *("due_at", "connection_id"),
        postgresql_where=text("state = 0 and (attempt > 0 or postponed_by is not null)"),
    ),
    # Who waits for what: read when that ends, so that its victims go first.
    Index(
        "refresh_schedule_waits_for_idx",
        "waits_for",
        "due_at",
        postgresql_where=text("state = 0 and waits_for is not null"),
    ),
    # The sweep, and the count of what is in flight: as small as the number of leases.
    Index("refresh_schedule_lease_until_idx", "lease_until", postgresql_where=text("state = 1")),
    # Only for people and health: a parked row is not touched until something resumes it.
    Index(
        "refresh_schedule_parked_idx",
        *("parked_reason", "connection_id"),
        postgresql_where=text("state = 2"),
    ),
    # What an operator can mend, whatever the reason: no page walks past those who must reconnect.
    Index("refresh_schedule_blocked_idx", "connection_id", postgresql_where=text(BLOCKED)),
    postgresql_with={
        "fillfactor": "80",
        "autovacuum_vacuum_scale_factor": "0.01",
        "autovacuum_vacuum_threshold": "1000",
        "autovacuum_vacuum_cost_delay": "0",
        "autovacuum_analyze_scale_factor": "0.02",
    },
)

pause = Table(
    # What is, or may soon be, left alone for a while, and who was told so: see rules/faults.py.
    # ("provider", "acme@host#organization") or ("app", "acme/default…"), once for each sort of fault.
    "pause",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    # Past while it is only evidence, and when a probe may go.
    instant("until", required=True),
    # Pauses in a row; 0 while it is only evidence.
    Column("refusals", Integer, nullable=False, server_default="0"),
    Column("reason", Text, nullable=False),
    instant("since", default_now=True),
    Column("sort", Text, primary_key=True),
    # The parts of the key; null where it holds for all of them.
    Column("provider", Text, nullable=False),
    Column("app_name", Text),
    Column("host", Text),
    Column("organization_id", Text),
    instant("told_at", default_now=True),
    # Before this instant nobody doubts a pause that lasts.
    instant("again_at", default_now=True),
    # Faults in a row, and probes, since the last success.
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("probes", Integer, nullable=False, server_default="0"),
    Column("witnesses", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Index("pause_provider_idx", "provider"),
)

quarantine = Table(
    # Token pairs that came back too late to be stored; adopted when the stored pair proves dead.
    "quarantine",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("connection_id", Uuid, ForeignKey("connection.id"), nullable=False, index=True),
    Column("grant_number", Integer, nullable=False),
    Column("credential_version", BigInteger, nullable=False),
    Column("access_token", LargeBinary, nullable=False),
    Column("refresh_token", LargeBinary),
    instant("expires_at"),
    Column("lifetime_seconds", Double),
    instant("created_at", default_now=True),
    instant("adopted_at"),
)

worker = Table(
    # One row a process; its session-level advisory lock, named by lock_key, tells that it lives.
    "worker",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("lock_key", BigInteger, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("process_id", Integer, nullable=False),
    instant("started_at", default_now=True),
    instant("seen_at", default_now=True),
    instant("stopped_at"),
    # {"keys": [ids, the sealing one first], "settings": {variable: digest}}; no secret.
    Column("runs_with", JSONB),
    Column("failing", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
)

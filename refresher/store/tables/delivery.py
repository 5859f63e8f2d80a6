"""The tables of notifications: what is to be told, to whom, and the mails and webhooks that tell it."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from refresher.store.tables.base import instant, metadata

outbox = Table(
    # What happened, for people: written in the transaction in which it came to be so.
    "outbox",
    metadata,
    Column("id", Uuid, primary_key=True),  # uuid7: in the order of writing
    Column("organization_id", Text),  # null: for operators
    Column("connection_id", Uuid),
    Column("app_key", Text),
    # Counts what was told of one connection or app: 1, 2, 3, without a gap.
    Column("sequence", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("payload", JSONB, nullable=False),
    instant("occurred_at", default_now=True),
    # Neither where it is about a webhook endpoint.
    CheckConstraint("connection_id is null or app_key is null", name="one_subject"),
    Index("outbox_connection_id_sequence_idx", "connection_id", "sequence"),
    Index("outbox_occurred_at_idx", "occurred_at"),
)

outbox_pending = Table(
    # One row for each consumer that has not read an entry yet; it deletes the row when it has.
    "outbox_pending",
    metadata,
    Column("consumer", Text, primary_key=True),
    Column("outbox_id", Uuid, ForeignKey("outbox.id", ondelete="CASCADE"), primary_key=True),
)

notice = Table(
    # How a connection or an app stands: what is so, what people were told of it, and when.
    "notice",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("state", Text, nullable=False, server_default="well"),
    Column("told", Text, nullable=False, server_default="well"),
    Column("sequence", BigInteger, nullable=False, server_default="0"),
    instant("trouble_told_at"),
    instant("recovery_told_at"),
    # Set while a notice waits: it may be over by then.
    instant("look_at"),
    Column("detail", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    CheckConstraint("scope in ('connection', 'app', 'webhook')", name="scope"),
    Index("notice_look_at_idx", "look_at", postgresql_where=text("look_at is not null")),
)

grant_end = Table(
    # Connections whose refresh token ends for good one day: when to look at that end again. A table of
    # its own, so that a refresh writes no indexed column of `connection`.
    "grant_end",
    metadata,
    Column(
        "connection_id", Uuid, ForeignKey("connection.id", ondelete="CASCADE"), primary_key=True
    ),
    instant("look_at", required=True),
    # The end that notices were given for, and the last of them: 30, 7 or 1 days.
    instant("told_for"),
    Column("told_days", SmallInteger),
    Index("grant_end_look_at_idx", "look_at"),
)


organization = Table(
    # What messages need to know of an organization; one that has no row is as good.
    "organization",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text),
    Column("reconnect_url", Text),
    # Where people may be sent back to after a consent, within the operator's origins.
    Column("return_urls", ARRAY(Text), nullable=False, server_default="{}"),
    instant("created_at", default_now=True),
    instant("updated_at", default_now=True),
)

recipient = Table(
    "recipient",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("organization_id", Text, nullable=False),  # empty: an operator
    Column("address", Text, nullable=False),
    # {"connection.recovered": "none"}: what was chosen; the rest is as rules/mails.py has it.
    Column("choices", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    # Set when a mail server said that there is no such address.
    instant("blocked_at"),
    Column("blocked_reason", Text),
    instant("created_at", default_now=True),
    UniqueConstraint("organization_id", "address"),
    # For people: whom no mail reaches.
    Index(
        "recipient_blocked_idx",
        *("organization_id", "address"),
        postgresql_where=text("blocked_at is not null"),
    ),
)

mail = Table(
    # One mail to one recipient; like a schedule row, it is the only authority about its retries.
    "mail",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("recipient_id", Uuid, ForeignKey("recipient.id", ondelete="CASCADE"), nullable=False),
    Column("form", Text, nullable=False),
    Column("state", SmallInteger, nullable=False, server_default="0"),
    instant("due_at", required=True),
    Column("lease_token", BigInteger, nullable=False, server_default="0"),
    instant("lease_until"),
    Column("begun_token", BigInteger, nullable=False, server_default="0"),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("reason", Text),
    instant("created_at", default_now=True),
    instant("ended_at"),
    CheckConstraint("form in ('plain', 'digest')", name="form"),
    # due, leased, sent, failed
    CheckConstraint("state in (0, 1, 2, 3)", name="state"),
    CheckConstraint("state <> 1 or lease_until is not null", name="leased_has_lease_until"),
    Index("mail_due_at_idx", "due_at", postgresql_where=text("state = 0")),
    Index("mail_lease_until_idx", "lease_until", postgresql_where=text("state = 1")),
    Index("mail_failed_idx", "ended_at", postgresql_where=text("state = 3")),
    Index("mail_recipient_id_created_at_idx", "recipient_id", "created_at"),
)

mail_entry = Table(
    # One thing that one recipient is told: in no mail yet, in one, delivered.
    "mail_entry",
    metadata,
    Column("recipient_id", Uuid, ForeignKey("recipient.id", ondelete="CASCADE"), nullable=False),
    Column("outbox_id", Uuid, ForeignKey("outbox.id", ondelete="CASCADE"), nullable=False),
    Column("mail_id", Uuid, ForeignKey("mail.id", ondelete="CASCADE")),
    instant("delivered_at"),
    PrimaryKeyConstraint("recipient_id", "outbox_id"),
    Index("mail_entry_mail_id_idx", "mail_id"),
    Index("mail_entry_outbox_id_idx", "outbox_id"),
    # What waits for the next digest.
    Index("mail_entry_waiting_idx", "recipient_id", postgresql_where=text("mail_id is null")),
)

mail_turn = Table(
    # When an organization last had its turn: the lowest number, or none, is next. Empty: operators.
    "mail_turn",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
)

mail_slot = Table(
    # One row: when the next mail may leave, from whichever process.
    "mail_slot",
    metadata,
    Column("name", Text, primary_key=True),
    instant("next_at", required=True),
    # How often in a row no mail went out at all, and why.
    Column("pauses", Integer, nullable=False, server_default="0"),
    Column("reason", Text),
)


webhook_endpoint = Table(
    "webhook_endpoint",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("organization_id", Text),  # null: an operator's, which hears of everything
    Column("url", Text, nullable=False),
    Column("description", Text),
    Column("events", ARRAY(Text), nullable=False),
    Column("secret", LargeBinary, nullable=False),
    # The one before, which signs as well until that instant.
    Column("previous_secret", LargeBinary),
    instant("previous_secret_until"),
    instant("disabled_at"),
    Column("disabled_reason", Text),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("refusals", Integer, nullable=False, server_default="0"),
    instant("failing_since"),
    instant("paused_until"),
    instant("delivered_at"),
    # How long its answers take, smoothed; how soon a message comes again that finds no room.
    Column("usual_seconds", Double, nullable=False, server_default="0.1"),
    instant("created_at", default_now=True),
    instant("updated_at", default_now=True),
    CheckConstraint("cardinality(events) > 0", name="has_events"),
    CheckConstraint(
        "(disabled_at is null) = (disabled_reason is null)", name="disabled_has_reason"
    ),
    Index("webhook_endpoint_organization_id_idx", "organization_id"),
)

webhook_delivery = Table(
    "webhook_delivery",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column(
        "endpoint_id",
        Uuid,
        ForeignKey("webhook_endpoint.id", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("event_id", Uuid, ForeignKey("outbox.id", ondelete="CASCADE"), nullable=False),
    # What the event is about (a connection's id, an app's key) and its number there: the order.
    Column("subject", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("state", SmallInteger, nullable=False, server_default="0"),
    instant("due_at", default_now=True),
    Column("lease_token", BigInteger, nullable=False, server_default="0"),
    instant("lease_until"),
    Column("holder_id", Uuid),
    Column("begun_token", BigInteger, nullable=False, server_default="0"),
    instant("begun_at"),
    # Attempts in a row that ended with their process.
    Column("starts", SmallInteger, nullable=False, server_default="0"),
    Column("attempt", Integer, nullable=False, server_default="0"),
    instant("first_attempt_at"),
    instant("ended_at"),
    Column("http_status", SmallInteger),
    Column("reason", Text),
    Column("elapsed_seconds", Double),
    instant("created_at", default_now=True),
    UniqueConstraint("endpoint_id", "event_id"),
    CheckConstraint("state in (0, 1, 2, 3, 4)", name="state"),
    CheckConstraint("state <> 1 or lease_until is not null", name="leased_has_lease_until"),
    # The claim: nothing stands before due_at, so its cost grows only with what is due.
    Index("webhook_delivery_due_at_idx", "due_at", postgresql_where=text("state = 0")),
    # The sweep, and what is in flight: as small as the number of leases.
    Index("webhook_delivery_lease_until_idx", "lease_until", postgresql_where=text("state = 1")),
    # What comes before and after a message; and what a disabled endpoint missed.
    Index(
        "webhook_delivery_order_idx",
        *("endpoint_id", "subject", "sequence"),
        postgresql_where=text("state < 3"),
    ),
    # For people: what is held for an endpoint and what was given up, to be counted and listed.
    Index(
        "webhook_delivery_unsent_idx",
        *("endpoint_id", "state", "id"),
        postgresql_where=text("state = any (array[2, 4])"),
    ),
    # For people: an endpoint's messages, the newest first.
    Index("webhook_delivery_endpoint_id_id_idx", "endpoint_id", "id"),
    # What is old enough to be forgotten.
    Index("webhook_delivery_ended_at_idx", "ended_at", postgresql_where=text("state > 2")),
    # An event that is forgotten asks for them.
    Index("webhook_delivery_event_id_idx", "event_id"),
    postgresql_with={"fillfactor": "80"},
)

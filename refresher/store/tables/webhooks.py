"""The tables of webhooks: who is told, and one row for each message to each endpoint."""

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
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from refresher.store.tables.base import instant, metadata

HELD, DELIVERED, FAILED = 2, 3, 4
"""Beside IDLE and LEASED: kept for a disabled endpoint; arrived; given up."""

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
    # For people: an endpoint's messages, the newest first.
    Index("webhook_delivery_endpoint_id_id_idx", "endpoint_id", "id"),
    # What is old enough to be forgotten.
    Index("webhook_delivery_ended_at_idx", "ended_at", postgresql_where=text("state > 2")),
    # An event that is forgotten asks for them.
    Index("webhook_delivery_event_id_idx", "event_id"),
    postgresql_with={"fillfactor": "80"},
)

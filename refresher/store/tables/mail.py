"""The tables of mail: who is told, what each is to be told, and the mails that tell it."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from refresher.store.tables.base import instant, metadata

organization = Table(
    # What messages need to know of an organization; one that has no row is as good.
    "organization",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text),
    Column("reconnect_url", Text),
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

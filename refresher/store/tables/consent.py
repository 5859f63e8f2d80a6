"""The tables of consents: sessions and attempts. Neither claim nor refresh looks at one.

What each column means: `rules/connect.py`.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from refresher.store.tables.base import instant, metadata

connect_session = Table(
    "connect_session",
    metadata,
    Column("id", Uuid, primary_key=True),
    # SHA-256: the link itself is shown once and stored nowhere.
    Column("link_hash", LargeBinary, nullable=False),
    Column("kind", Text, nullable=False),
    Column("flow", Text, nullable=False),
    Column("finish", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="open"),
    Column("organization_id", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("app_name", Text, nullable=False),
    Column("external_id", Text),
    # No foreign key: the row of a new connection comes last.
    Column("connection_id", Uuid),
    Column("host", Text),
    Column("placeholders", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("parameters", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("scopes", ARRAY(Text), nullable=False, server_default="{}"),
    Column("required_scopes", ARRAY(Text), nullable=False, server_default="{}"),
    Column("account_hint", Text),
    Column("return_url", Text),
    Column("for_whom", Text),
    Column("finish_challenge", Text),
    Column("leave_in_between_steps", Boolean, nullable=False, server_default=text("false")),
    Column("allow_account_change", Boolean, nullable=False, server_default=text("false")),
    Column("made_by", Text, nullable=False),
    # Revoking this key ends the session as well; null: made by somebody on the command line.
    Column("key_id", Text),
    Column("outcome", Text),
    Column("problem", JSONB),
    Column("result", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    # Whose code was sent last: what is held came of it.
    Column("attempt_id", Uuid),
    instant("created_at", default_now=True),
    instant("opened_at"),
    instant("expires_at", required=True),
    instant("ended_at"),
    # The token endpoint's answer, sealed, until it is a connection or is dropped.
    Column("held", LargeBinary),
    instant("held_until"),
    instant("ready_at"),
    instant("confirmed_at"),
    Column("finish_code_hash", LargeBinary),
    instant("finish_code_until"),
    # Whether `in_between_steps` of the connection is ours to take away.
    Column("guard_set", Boolean, nullable=False, server_default=text("false")),
    instant("exchange_until"),
    UniqueConstraint("link_hash"),
    CheckConstraint("kind in ('new', 'reconnect')", name="kind"),
    CheckConstraint("state in ('open', 'exchanging', 'held', 'ended')", name="state"),
    CheckConstraint(
        "(state = 'held') = (held is not null) and (held is null) = (held_until is null)",
        name="held_only_in_held",
    ),
    CheckConstraint(
        "(state = 'exchanging') = (exchange_until is not null)", name="exchanging_ends"
    ),
    CheckConstraint("not guard_set or state = 'exchanging'", name="guard_of_exchange"),
    CheckConstraint(
        "(state = 'ended') = (outcome is not null) and (outcome is null) = (ended_at is null)",
        name="ended_has_outcome",
    ),
    CheckConstraint(
        "kind <> 'reconnect' or connection_id is not null", name="reconnect_has_connection"
    ),
    # For people: an organization's sessions, the newest first; and the count of those that are open.
    Index("connect_session_organization_id_id_idx", "organization_id", "id"),
    # Who holds back refreshes of a connection, and which links to it are open.
    Index(
        "connect_session_connection_id_idx",
        "connection_id",
        postgresql_where=text("ended_at is null"),
    ),
    # The sweep: what is over, and what is under way.
    Index(
        "connect_session_expires_at_idx", "expires_at", postgresql_where=text("ended_at is null")
    ),
    Index(
        "connect_session_under_way_idx",
        "id",
        postgresql_where=text("exchange_until is not null or held_until is not null"),
    ),
    # What is old enough to be forgotten.
    Index(
        "connect_session_ended_at_idx", "ended_at", postgresql_where=text("ended_at is not null")
    ),
)

connect_attempt = Table(
    "connect_attempt",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("state_hash", LargeBinary, nullable=False),
    Column(
        "session_id", Uuid, ForeignKey("connect_session.id", ondelete="CASCADE"), nullable=False
    ),
    Column("cookie_hash", LargeBinary, nullable=False),
    # The path that its callback must have, and what is sent with the code, byte for byte.
    Column("slug", Text, nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("code_url", Text, nullable=False),
    Column("issuer", Text),
    Column("host", Text),
    Column("scopes", ARRAY(Text), nullable=False, server_default="{}"),
    Column("verifier", LargeBinary),
    Column("nonce_hash", LargeBinary),
    instant("begun_at", default_now=True),
    instant("expires_at", required=True),
    # Set by the first callback that names it, whatever comes of it.
    instant("spent_at"),
    Column("problem", JSONB),
    UniqueConstraint("state_hash"),
    Index("connect_attempt_session_id_idx", "session_id"),
    Index("connect_attempt_expires_at_idx", "expires_at"),
)

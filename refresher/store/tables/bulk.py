"""The tables of bulk jobs: the job, and which connections are left to it."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from refresher.store.tables.base import instant, metadata

bulk_job = Table(
    "bulk_job",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    # Who began it, as events and the audit name them; the key is judged again at each batch.
    Column("made_by", Text, nullable=False),
    Column("key_id", Text),
    Column("person", Text),
    # The organization that the key was bound to, null for all of them.
    Column("organization_id", Text),
    # The plan it was made of: a form that is sent twice makes one job.
    Column("plan_id", Uuid, unique=True),
    Column("deed", Text, nullable=False),
    Column("selection", JSONB, nullable=False),
    # The instant of the preview: what changed after it is left out.
    instant("as_of", required=True),
    Column("most", BigInteger, nullable=False),
    Column("state", Text, nullable=False, server_default="gathering"),
    Column("why", Text),
    # How far the look for its connections came, in the words of that look.
    Column("gathered_to", Text),
    Column("total", BigInteger, nullable=False, server_default="0"),
    Column("done", BigInteger, nullable=False, server_default="0"),
    Column("skipped", BigInteger, nullable=False, server_default="0"),
    Column("failed", BigInteger, nullable=False, server_default="0"),
    Column("left_out", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    # Paced: the next batch goes then.
    instant("next_at", default_now=True),
    instant("created_at", default_now=True),
    instant("ended_at"),
    CheckConstraint("state in ('gathering', 'working', 'done', 'stopped')", name="state"),
    CheckConstraint(
        "(state in ('done', 'stopped')) = (ended_at is not null)", name="ended_has_instant"
    ),
    # Whoever works jobs off asks each second; only those under way stand in it.
    Index("bulk_job_next_at_idx", "next_at", postgresql_where=text("ended_at is null")),
    Index("bulk_job_ended_at_idx", "ended_at", postgresql_where=text("ended_at is not null")),
    Index("bulk_job_organization_id_id_idx", "organization_id", "id"),
)

bulk_row = Table(
    # A connection that is left to a job; it goes with the batch that deals with it.
    "bulk_row",
    metadata,
    Column("job_id", BigInteger, ForeignKey("bulk_job.id", ondelete="CASCADE"), primary_key=True),
    # Those that use another one's grant go before it: else it could not be deleted.
    Column("turn", SmallInteger, primary_key=True, server_default="0"),
    Column("connection_id", Uuid, primary_key=True),
)

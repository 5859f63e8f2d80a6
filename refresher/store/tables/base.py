"""What every table shares: the metadata with its naming rules, and the column of an instant."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, MetaData, text

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)

IDLE, LEASED, PARKED = 0, 1, 2
"""The states of a schedule row: see the diagram in docs/architecture.md."""
STATES = {"idle": IDLE, "leased": LEASED, "parked": PARKED}
"""What a schedule row's state is called."""
STATE = "case s.state when 0 then 'idle' when 1 then 'leased' when 2 then 'parked' else 'none' end"
"""The state of the schedule row `s` in a word; "none" where there is no row."""
BEGUN = "s.state = 1 and s.begun_token = s.lease_token"
"""Whether the schedule row `s` is leased and its refresh has begun."""
SLOTS = """
    coalesce((select jsonb_object_agg(t.slot, jsonb_build_object('id', t.id, 'status', t.status,
        'status_cause', t.status_cause, 'parked_reason', z.parked_reason,
        'expires_at', t.expires_at, 'credential_version', t.credential_version))
    from connection t left join refresh_schedule z on z.connection_id = t.id
    where t.slot_of = r.id and t.deleted_at is null), '{}')
"""
"""The living slots of the connection `r` by name, as JSON: how each stands."""
# A row that is older than this column learns its provider when it is claimed.
PROVIDER = (
    "coalesce(s.provider, (select c.provider from connection c where c.id = s.connection_id))"
)
"""The provider of the schedule row `s`."""


_LIVING = "deleted_at is null"
_ENABLED = f"disabled_at is null and {_LIVING}"
SET_ASIDE = {
    "deleted": "deleted_at is not null",
    "disabled": f"disabled_at is not null and {_LIVING}",
    "paused": f"paused_at is not null and {_ENABLED}",
    "connecting": f"in_between_steps and paused_at is null and {_ENABLED}",
}
"""What somebody set aside, by its word: the condition of its index, and of who asks it."""
BLOCKED = (
    "state = 2 and parked_reason <> all (array['deleted'::text, 'disabled'::text, 'mid_oauth'::text, "
    "'missing'::text, 'paused'::text, 'reconnect_required'::text])"
)
"""Which schedule rows are parked for another reason than `rules/standing_word.py` has a word for."""


def instant(name: str, *, required: bool = False, default_now: bool = False) -> Column[object]:
    """Returns an aware timestamp column; `default_now` fills it with the database's clock."""
    return Column(
        name,
        DateTime(timezone=True),
        nullable=not (required or default_now),
        server_default=text("refresher_now()") if default_now else None,
    )

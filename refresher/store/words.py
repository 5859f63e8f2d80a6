"""Words and states in SQL, which statements and tables share; of the tables themselves nothing.

The word of `rules/standing_word.py` is here, so that lists can ask for it; a test compares them.
"""

from __future__ import annotations

from refresher.rules.standing_word import LATE_SECONDS, TURNS, Health
from refresher.rules.standing_word import PARKED as PARKED_WORDS

IDLE, LEASED, PARKED = 0, 1, 2
"""The states of a schedule row: see the diagram in docs/architecture.md."""
STATES = {"idle": IDLE, "leased": LEASED, "parked": PARKED}
"""What a schedule row's state is called."""
HELD, DELIVERED, FAILED = 2, 3, 4
"""Beside IDLE and LEASED: kept for a disabled endpoint; arrived; given up."""
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


def _parked(word: Health) -> str:
    reasons = ", ".join(f"'{reason}'" for reason, of in PARKED_WORDS.items() if of is word)
    return f"s.state = 2 and s.parked_reason in ({reasons})"


_WAITS = " and ".join(f"s.postponed_by not like '{turn}%'" for turn in TURNS)
HEALTH = f"""
    case
        when c.deleted_at is not null or {_parked(Health.DELETED)} then '{Health.DELETED}'
        when c.disabled_at is not null or {_parked(Health.DISABLED)} then '{Health.DISABLED}'
        when c.paused_at is not null or {_parked(Health.PAUSED)} then '{Health.PAUSED}'
        when c.in_between_steps or {_parked(Health.CONNECTING)} then '{Health.CONNECTING}'
        when r.status = 'reconnect_required' or {_parked(Health.RECONNECT_REQUIRED)}
            then '{Health.RECONNECT_REQUIRED}'
        when s.state = 1 then '{Health.REFRESHING}'
        when s.state is distinct from 0 then '{Health.BLOCKED}'
        when r.expires_at <= refresher_now() then '{Health.EXPIRED}'
        when {_WAITS} then '{Health.WAITING}'
        when s.attempt > 0 then '{Health.RETRYING}'
        when s.due_at < refresher_now() - interval '{LATE_SECONDS} seconds' then '{Health.LATE}'
        else '{Health.FRESH}'
    end
"""
"""The word of the connection `c`, whose grant is that of `r`, whose schedule row is `s`."""

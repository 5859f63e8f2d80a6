"""The word of `rules/standing_word.py` in SQL, so that lists can ask for it; a test compares them."""

from __future__ import annotations

from refresher.rules.standing_word import LATE_SECONDS, PARKED, TURNS, Health


def _parked(word: Health) -> str:
    reasons = ", ".join(f"'{reason}'" for reason, of in PARKED.items() if of is word)
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

"""Decides when: the next due time after success, the wait after failure, the length of a pause.

Pure. Every function takes seconds and returns seconds; `spread` is a number in [0, 1), stable for
one connection and one version (see `stable_spread`), so that a due time can be explained later.
The words *lead*, *slow lane* and *pause* are those of docs/words.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from uuid import UUID

from refresher.rules.providers import Provider, Strategy

FALLBACK_LIFETIME_SECONDS = 3600.0
"""Taken when neither the answer, the token, the last grant nor the catalogue tells a life."""
FOR_EVER_SECONDS = 1e9
EXPIRED_WAIT_SECONDS = 60.0
"""The longest wait between two attempts at a token that has just died."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The knobs, in seconds; the settings of the same names document them."""

    lead_share: float = 0.2
    long_lived_lead_share: float = 0.5
    lead_jitter_share: float = 0.1
    min_refresh_interval_seconds: float = 1.0
    attempts: int = 3
    attempt_interval_seconds: float = 120.0
    attempt_coefficient: float = 1.0
    slow_lane_max_seconds: float = 3600.0
    rate_limit_wait_seconds: float = 60.0
    app_probe_interval_seconds: float = 60.0
    app_probe_max_seconds: float = 900.0
    expired_tokens: str = "refresh"


def stable_spread(connection_id: UUID, number: int) -> float:
    """Returns a number in [0, 1) that looks random but is always the same for these two."""
    digest = blake2b(connection_id.bytes + number.to_bytes(8, "big"), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53  # more bits would round up to 1.0


def lifetime(
    answered: float | None, in_token: float | None, last: float | None, provider: Provider
) -> float:
    """Returns the life to count with: the shorter of the answer's and the JWT's, 0 when it is over.

    Where neither tells one, the last one, then the documented one. A connection that had an expiry
    never becomes one without: an answer that omits `expires_in` must not end the refreshing for ever.
    An answer of a thousand times the last life counts milliseconds, unless the entry tells.
    """
    if answered and last and abs(answered - 1_000 * last) <= 10 * last:
        answered /= 1_000 if provider.access_token_lifetime_format == "auto" else 1
    if answered is not None and in_token is not None:
        return min(answered, in_token)
    told = in_token if answered is None else answered
    if told is not None:
        return told
    return last or provider.access_token_lifetime_seconds or FALLBACK_LIFETIME_SECONDS


def lead(policy: Policy, provider: Provider, lifetime_seconds: float, spread: float) -> float:
    """Returns how long before expiry a refresh is due.

    A fifth of the life: 12 minutes of an hour, 12 days of sixty, 12 seconds of a minute; half the
    life where the token is its own grant, since nothing can save that one afterwards. Jitter of a
    tenth of the lead (for the latter only downwards: from half-life on) keeps tokens that were born
    together from coming back together. Then the provider's rules: not before its window opens, not
    before the token has its minimum age.
    """
    wanted = wanted_lead(policy, provider, lifetime_seconds, spread)
    if provider.not_before_expiry_seconds is not None:
        wanted = min(wanted, provider.not_before_expiry_seconds * (0.8 + 0.2 * spread))
    floor = max(provider.min_token_age_seconds, policy.min_refresh_interval_seconds)
    if provider.refresh_interval_seconds:
        floor = max(floor, provider.refresh_interval_seconds)
    return max(0.0, min(wanted, lifetime_seconds - floor))


def wanted_lead(
    policy: Policy,
    provider: Provider,
    lifetime_seconds: float,
    spread: float,
    *,
    jitter: bool = True,
) -> float:
    """Returns the lead before the provider's rules, with or without its jitter."""
    own_grant = provider.strategy is Strategy.LONG_LIVED_EXCHANGE
    share = policy.long_lived_lead_share if own_grant else policy.lead_share
    sway = -spread if own_grant else 2 * spread - 1
    return lifetime_seconds * share * (1 + policy.lead_jitter_share * sway * jitter)


def due_in(
    policy: Policy,
    provider: Provider,
    lifetime_seconds: float,
    left_seconds: float,
    spread: float,
    refresh_token_left_seconds: float | None = None,
) -> float:
    """Returns how many seconds from now the next refresh is due, never negative.

    `left_seconds` is the life that remains. A refresh token with a sliding end of its own must be
    used before that end even when the access token lives longer: then the sooner of the two rules,
    so a refresh token that idles out after 60 days is used once in about 48.
    """
    wait = left_seconds - lead(policy, provider, lifetime_seconds, spread)
    if refresh_token_left_seconds is not None and provider.refresh_token_clock == "sliding":
        share = policy.lead_share * (1 + policy.lead_jitter_share * (2 * spread - 1))
        wait = min(wait, refresh_token_left_seconds * (1 - share))
    return max(0.0, wait)


def retry_in(policy: Policy, attempt: int, left_seconds: float, spread: float) -> float:
    """Returns the wait after the `attempt`-th failure in a row (1 is the first).

    Three attempts 120 s apart. Then the slow lane, which never gives up: 4, 8, 16, 32, 60 minutes
    and 60 minutes for ever, each spread by a quarter downwards. With little life left the waits
    shrink, so that the attempts and the first of the slow lane fit before expiry (40 s left: 10 s,
    10 s, 10 s). A token that is dead by then waits a minute longer than it lives at most, or a
    quarter of the time that it has been dead: somebody misses it.
    """
    step = policy.attempt_interval_seconds
    if attempt < policy.attempts:
        growth = policy.attempt_coefficient ** min(attempt - 1, 30)
        wait = min(step * growth, max(step, policy.slow_lane_max_seconds))
    else:
        doubled = step * 2.0 ** min(attempt - policy.attempts + 1, 30)
        wait = min(doubled, policy.slow_lane_max_seconds) * (1 - 0.25 * spread)
    if left_seconds > 0 and attempt <= policy.attempts:
        wait = min(wait, left_seconds / (policy.attempts - attempt + 2))
    missed = max(EXPIRED_WAIT_SECONDS, -left_seconds / 4) * (1 - 0.25 * spread)
    wait = min(wait, max(0.0, left_seconds) + missed)
    return max(1.0, wait)


def replay_in(unknown_outcomes: int, at_least_seconds: float = 0.0) -> float:
    """Returns how soon a refresh token is presented again whose answer was lost on the way.

    The provider may have rotated, and tells the new pair once more only while its grace lasts (10 s
    to 30 min): so after 1, 2, 4, 8 … seconds, up to the usual wait after a failure. A provider that
    goes on with a request whose caller hung up is given `at_least_seconds` to end it.
    """
    return max(at_least_seconds, 2.0 ** min(unknown_outcomes, 30))


def rate_limit_pause(policy: Policy, asked_seconds: float | None) -> float:
    """Returns how long to leave a provider alone after it asked us to slow down."""
    return policy.rate_limit_wait_seconds if asked_seconds is None else max(1.0, asked_seconds)


def app_pause(policy: Policy, refusals: int) -> float:
    """Returns how long to leave an app alone that the provider refuses: 1, 2, 4, 8, 15 minutes.

    One probe at the end of each pause; when the secret is put right the pause is lifted at once.
    """
    doubled = policy.app_probe_interval_seconds * 2.0 ** min(max(refusals - 1, 0), 30)
    return min(doubled, policy.app_probe_max_seconds)


def after_pause(pause_seconds: float, spread: float) -> float:
    """Returns when a row that met a pause is due: after its end, spread over a tenth of it.

    At least a second of spread, at most a minute: ten thousand rows must not knock all at once.
    """
    return pause_seconds + spread * min(60.0, max(1.0, pause_seconds * 0.1))

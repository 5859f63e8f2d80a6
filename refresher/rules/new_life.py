"""Settles the lives of a grant that came, with what was known before: what is stored of it."""

from __future__ import annotations

from refresher.rules import lives
from refresher.rules import policy as when
from refresher.rules.connection import Grant, value
from refresher.rules.providers import Provider, Rotation


@value
class Before:
    """What was known when the request left; `left_seconds` is the old token's life, now.

    `doubted` tells that the grant was refused the last time, and is asked once more.
    """

    attempt: int
    unknown_outcomes: int
    left_seconds: float
    last_lifetime_seconds: float | None
    now_epoch_seconds: float
    spread: float
    dice: float
    doubted: bool = False


@value
class NewLife:
    """A grant with its lives settled: what is stored of it, in seconds from now.

    A token that `is_over` had expired when it came; `lifetime_seconds` is then what a life here
    usually is. `forgets_end`: the end that is known of the refresh token holds no more.
    """

    grant: Grant
    lifetime_seconds: float
    left_seconds: float
    refresh_token_left_seconds: float | None
    forgets_end: bool = False
    is_over: bool = False


def new_life(grant: Grant, elapsed_seconds: float, before: Before, provider: Provider) -> NewLife:
    """Returns the grant with its lives settled; the exchange's own time is taken off the token's.

    The shortest life that was told counts; a token that has expired already has nothing left.
    """
    in_token = grant.in_token_seconds
    if in_token is None:
        in_token = lives.in_jwt(grant.access_token, before.now_epoch_seconds)
    last = before.last_lifetime_seconds
    life = when.lifetime(grant.expires_in_seconds, in_token, last, provider)
    usual = life or when.lifetime(None, None, last, provider)
    end = _refresh_token_left(grant, provider)
    forgets = grant.refresh_token_is_endless or (
        end is None
        and grant.refresh_token is not None
        and provider.refresh_token_clock == "sliding"
    )
    return NewLife(grant, usual, max(0.0, life - elapsed_seconds), end, forgets, is_over=not life)


def _refresh_token_left(grant: Grant, provider: Provider) -> float | None:
    """Returns how long the refresh token lives from now, None where this answer tells nothing of it.

    A documented sliding end begins anew with a new refresh token; where none ever comes, with each use.
    """
    if grant.refresh_token_is_endless:
        return None
    if grant.refresh_token_expires_in_seconds is not None:
        return grant.refresh_token_expires_in_seconds
    if provider.refresh_token_clock != "sliding":
        return None
    begins_anew = grant.refresh_token is not None or provider.rotation is Rotation.NEVER
    return provider.refresh_token_lifetime_seconds if begins_anew else None

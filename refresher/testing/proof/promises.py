"""What every entry promises: each a function that yields a sentence for what turned out otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from refresher.devkit.oauth_server.entry.answer import SCOPES, Chosen, kept_value
from refresher.rules.connection import Secret
from refresher.rules.kept_fields import KeptFields
from refresher.rules.outcomes import (
    Prolonged,
    Refreshed,
    Revoked,
)
from refresher.rules.policy import FALLBACK_LIFETIME_SECONDS
from refresher.rules.providers import (
    ACCESS_TOKEN_LIVES,
    REFRESH_TOKEN_LIVES,
    Rotation,
    Strategy,
)
from refresher.rules.slots import as_kept, names
from refresher.testing.proof.consents import connects
from refresher.testing.proof.stand import Stand, wrong_tokens
from refresher.testing.proof.troubles import (
    dead,
    ends_dead_grants,
    knows_a_wrong_secret,
    lives_with_lost_answers,
    slows_down,
    speaks_by_status,
    survives_unreadable_answers,
)

Promise = Callable[[Stand], Iterator[str]]
_ROUNDED = 1.5
"""So many seconds are lost where instants are told in whole ones."""


def refreshes(stand: Stand) -> Iterator[str]:
    """A request is understood when our schedule makes it, its answer read, and so the next one."""
    for number in ("first", "second", "third"):
        stand.wait_until_due()
        asked = stand.ask()
        if not isinstance(asked.outcome, Refreshed):
            yield f"the {number} refresh was not understood: {asked}"
            return
        yield from wrong_tokens(stand, asked)
        if asked.outcome.grant.scopes != SCOPES:
            yield f"the scopes were read as {asked.outcome.grant.scopes}"


def tells_lives(stand: Stand) -> Iterator[str]:
    """A life is read in each field that the entry names; where none is told, the documented counts."""
    documented = stand.provider.access_token_lifetime_seconds
    life = _other_life(stand.state.options.lifetime_seconds)
    stand.change(lifetime_seconds=life)
    for name in _own(stand.provider.access_token_lifetime_fields, ACCESS_TOKEN_LIVES):
        stand.manner.chosen = Chosen(access_token_field=name)
        yield from _life(stand, life, f"a life of {life:g} s in {name}")
    usual = documented or FALLBACK_LIFETIME_SECONDS
    stand.change(lifetime_seconds=usual, expires_in_style="missing", access_token_style="opaque")
    yield from _life(stand, usual, "a life that is not told")


def _life(stand: Stand, expected: float, what: str) -> Iterator[str]:
    stand.wait_until_due()
    asked = stand.ask()
    new = asked.decision.new_life
    if new is None or abs(new.lifetime_seconds - expected) > _ROUNDED:
        yield f"{what} was read as {new and new.lifetime_seconds}: {asked}"


def tells_refresh_token_lives(stand: Stand) -> Iterator[str]:
    """The refresh token's end is read where it is told, and never taken for later than it is."""
    entry, documented = stand.entry, stand.provider.refresh_token_lifetime_seconds
    if documented is None or entry.strategy is not Strategy.REFRESH_TOKEN:
        return
    for name in _own(stand.provider.refresh_token_lifetime_fields, REFRESH_TOKEN_LIVES):
        stand.manner.chosen = Chosen(refresh_token_field=name)
        yield from _end_of_refresh_token(stand, name)
    stand.change(expires_in_style="missing", refresh_token_style="opaque")
    yield from _end_of_refresh_token(stand, None)


def _end_of_refresh_token(stand: Stand, name: str | None) -> Iterator[str]:
    stand.wait_until_due()
    asked = stand.ask()
    if not isinstance(asked.outcome, Refreshed):
        yield f"no token was read: {asked}"
        return
    end = stand.family.refresh_expires_at
    assert end is not None
    real, told = end - stand.now, asked.outcome.grant.refresh_token_expires_in_seconds
    rounded = 60 if stand.provider.refresh_token_lifetime_format == "minutes" else _ROUNDED
    is_told = name and asked.outcome.grant.refresh_token
    if is_told and (told is None or abs(told - real) > rounded):
        yield f"an end in {real:g} s in {name} was read as {told}: {asked}"
    taken = stand.held.refresh_token_left_seconds
    if taken is not None and taken > real + _ROUNDED:
        yield f"the refresh token is taken to live {taken:g} s, and it lives {real:g}: {asked}"


def tells_the_end_of_grants(stand: Stand) -> Iterator[str]:
    """The end that counts from consent is read where it is told, and is the provider's."""
    entry, documented = stand.entry, stand.provider.refresh_token_absolute_seconds
    if documented is None or entry.strategy is not Strategy.REFRESH_TOKEN:
        return
    stand.wait_until_due()
    asked = stand.ask()
    if not isinstance(asked.outcome, Refreshed):
        yield f"no token was read: {asked}"
        return
    end, told = stand.family.ends_at, asked.outcome.grant.grant_expires_in_seconds
    left = (end or 0.0) - stand.now
    rounded = 60 if stand.provider.refresh_token_lifetime_format == "minutes" else _ROUNDED
    is_told = bool(stand.provider.refresh_token_absolute_fields)
    if is_told and (told is None or abs(told - left) > rounded):
        yield f"the grant's end in {left:g} s was read as {told}: {asked}"
    stand.pass_time(left)
    yield from dead(stand, "after the end that counts from consent")


def rotates(stand: Stand) -> Iterator[str]:
    """A refresh token is replaced, kept and forgiven as the entry says."""
    entry, before = stand.entry, stand.held
    if entry.strategy is not Strategy.REFRESH_TOKEN:
        return
    generations = [stand.family.generation]
    for _ in range(2):
        stand.wait_until_due()
        asked = stand.ask()
        yield from wrong_tokens(stand, asked)
        generations.append(stand.family.generation)
    replaced = stand.held.refresh_token != before.refresh_token
    expected = {
        Rotation.ALWAYS: [0, 1, 2],
        Rotation.SOMETIMES: [0, 0, 1],
        Rotation.NEVER: [0, 0, 0],
    }
    if generations != expected[entry.rotation] or replaced is (entry.rotation is Rotation.NEVER):
        yield f"rotation is {entry.rotation}, and the server went through {generations}"


def ends_old_tokens(stand: Stand) -> Iterator[str]:
    """The access token before the newest is good for as long as the entry says."""
    old = stand.held.access_token
    if stand.entry.strategy is not Strategy.REFRESH_TOKEN:
        return
    stand.wait_until_due()
    asked = stand.ask()
    active = stand.state.book.is_access_active(old, stand.now, stand.state.options)
    if stand.held.access_token != old and active is not stand.entry.old_access_token_survives:
        word = "is good" if active else "has ended"
        yield f"after a refresh the old access token {word}, and the entry says otherwise: {asked}"


def forgives_for_a_while(stand: Stand) -> Iterator[str]:
    """A spent refresh token is taken once more while the grace lasts, and not afterwards."""
    entry, before = stand.entry, stand.held
    if entry.strategy is not Strategy.REFRESH_TOKEN or entry.rotation is Rotation.NEVER:
        return
    stand.change(rotation="always")
    stand.wait_until_due()
    stand.ask()
    is_endless = entry.reuse_grace_ends != "time" and not entry.reuse_grace_seconds
    if is_endless or entry.reuse_grace_seconds / 2 > entry.refresh_interval_seconds:
        stand.pass_time(entry.reuse_grace_seconds / 2)
        asked = stand.ask(before)
        if not isinstance(asked.outcome, Refreshed):
            yield f"the grace is not over, and the spent token is refused: {asked}"
    _end_grace(stand)
    asked = stand.ask(before)
    if not isinstance(asked.outcome, Revoked):
        yield f"a spent token is taken after the grace: {asked}"


def _end_grace(stand: Stand) -> None:
    match stand.entry.reuse_grace_ends:
        case "time":
            stand.pass_time(stand.entry.reuse_grace_seconds / 2 + 1)
        case "new_access_token_used":
            newest = stand.newest()[0]
            stand.state.book.use_access_token(newest, stand.now, stand.state.options)
        case "new_refresh_token_used":
            stand.ask()


def prolongs(stand: Stand) -> Iterator[str]:
    """An answer without a token prolongs the stored one, where the entry says so."""
    if not stand.provider.prolongs:
        return
    stand.change(prolongs=True)
    for _ in range(2):
        stand.wait_until_due()
        asked = stand.ask()
        life, new = stand.state.options.lifetime_seconds, asked.decision.new_life
        if not isinstance(asked.outcome, Prolonged) or new is None:
            yield f"an answer that prolongs the token is not understood: {asked}"
        elif abs(new.lifetime_seconds - life) > _ROUNDED:
            yield f"a token that lives {life:g} s is taken to live {new.lifetime_seconds:g}: {asked}"


def keeps_fields(stand: Stand) -> Iterator[str]:
    """The fields that callers need are read with each answer."""
    stand.wait_until_due()
    asked = stand.ask()
    kept = asked.outcome.grant.kept if isinstance(asked.outcome, Refreshed) else None
    provider, family = stand.provider, stand.family
    wanted: KeptFields = {name: kept_value(name, family) for name in provider.keep_fields}
    for name in names(provider, "together"):
        wanted = {**wanted, **as_kept(name, Secret(kept_value(name, family)), None, None)}
    if (kept or {}) != wanted:
        yield f"kept is {dict(kept or {})}, not {wanted}: {asked}"


def gives_back(stand: Stand) -> Iterator[str]:
    """A request that gives the token back is understood, and the grant is dead."""
    stand.wait_until_due()
    if stand.entry.is_minted:
        stand.ask()
    reply = stand.give_back()
    if reply is None:
        return
    if reply.status not in range(200, 300):
        yield f"the revocation was not understood: {reply.status} {reply.body[:300]!r}"
    elif stand.entry.is_minted:
        if stand.state.book.is_access_active(
            stand.held.access_token, stand.now, stand.state.options
        ):
            yield "the token is as good as before it was given back"
    else:
        yield from dead(stand, "after the token was given back")


def _own(names: tuple[str, ...], usual: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the fields to try: those that the entry names itself, else the first of the usual."""
    return names[:1] if names == usual else names


def _other_life(seconds: float) -> float:
    """Returns a life that nobody takes for the documented one, in whole minutes where it can be."""
    shorter = seconds * 0.75
    return shorter // 60 * 60 if shorter >= 60 else shorter


PROMISES: Mapping[str, Promise] = {
    "refresh": refreshes,
    "lifetime": tells_lives,
    "refresh token's end": tells_refresh_token_lives,
    "grant's end": tells_the_end_of_grants,
    "dead grant": ends_dead_grants,
    "statuses": speaks_by_status,
    "wrong secret": knows_a_wrong_secret,
    "rate limit": slows_down,
    "unreadable answer": survives_unreadable_answers,
    "rotation": rotates,
    "old access token": ends_old_tokens,
    "grace": forgives_for_a_while,
    "prolonged token": prolongs,
    "lost answer": lives_with_lost_answers,
    "kept fields": keeps_fields,
    "revocation": gives_back,
    "consent": connects,
}

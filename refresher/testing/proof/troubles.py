"""What every entry promises when something goes wrong: what a refusal means, what is tried again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import ceil

from refresher.devkit.oauth_server.entry.answer import Chosen, Words
from refresher.devkit.oauth_server.entry.request import is_open
from refresher.devkit.oauth_server.faults import FaultKind
from refresher.rules.connection import ParkReason
from refresher.rules.decision import may_be_spent
from refresher.rules.outcomes import (
    Malformed,
    Misconfigured,
    RateLimited,
    Refreshed,
    Revoked,
    Transient,
    Unreadable,
)
from refresher.rules.paths import ways
from refresher.rules.providers import Rotation
from refresher.testing.proof.stand import Asked, Stand, wrong_tokens

_STATUSES, _STATUSES_OF_TROUBLE = (400, 401, 200), (500, 429)
_UNREAD: tuple[FaultKind, ...] = ("truncated", "other_names")


def ends_dead_grants(stand: Stand) -> Iterator[str]:
    """A dead grant ends, in each spelling that the entry lists, and never a moment before."""
    entry = stand.provider
    stand.wait_until_due()
    anywhere = entry.dead_grant_errors_at_any_status
    statuses = (*_STATUSES, *entry.refusal_statuses)
    for spelling in sorted({"invalid_grant"} | entry.dead_grant_errors | anywhere):
        more = _STATUSES_OF_TROUBLE if spelling in anywhere else ()
        yield from _says(stand, spelling, (*statuses, *more), Revoked)
    for spelling in sorted(entry.retry_errors):
        yield from _says(stand, spelling, _STATUSES, Transient)
    if not entry.is_minted:
        stand.family.end("consent_withdrawn")
        yield from dead(stand, "after consent was withdrawn")


def dead(stand: Stand, when: str) -> Iterator[str]:
    """Yields a sentence unless the grant is taken for dead, where need be at the second word."""
    first = stand.ask()
    asked = stand.ask(doubted=True) if first.decision.doubted else first
    if not isinstance(asked.outcome, Revoked) or asked.decision.event != "revoked":
        yield f"{when}, the grant is not taken for dead: {asked}"


def _says(
    stand: Stand, spelling: str, statuses: Iterable[int], meaning: type[object]
) -> Iterator[str]:
    words = Words.of(spelling)
    for way in range(len(ways(stand.provider.error_path))):
        stand.manner.chosen = Chosen(error_way=way)
        for status in statuses:
            description = f"{words.description}…"
            stand.arm("error", error=words.code, error_description=description, status=status)
            asked = stand.ask()
            if not isinstance(asked.outcome, meaning):
                what = f'"{spelling}" with status {status}'
                yield f"{what} does not mean {meaning.__name__}: {asked}"


def speaks_by_status(stand: Stand) -> Iterator[str]:
    """A status that stands for a code means what the code does."""
    entry = stand.provider
    dead = {"invalid_grant"} | entry.dead_grant_errors
    refused = {"invalid_client", "unauthorized_client"} | entry.misconfigured_errors
    stand.wait_until_due()
    for status, code in entry.status_errors.items():
        stand.arm("error", error="", error_description="no", status=int(status))
        asked, meaning = stand.ask(), Revoked if code in dead else Misconfigured
        if code in dead | refused and not isinstance(asked.outcome, meaning):
            yield f"the bare status {status} does not mean {code}: {asked}"


def knows_a_wrong_secret(stand: Stand) -> Iterator[str]:
    """What refuses the app pauses the app, in each spelling, and no grant ends."""
    stand.wait_until_due()
    statuses = (*_STATUSES, *stand.provider.refusal_statuses)
    for spelling in sorted(stand.provider.misconfigured_errors):
        yield from _says(stand, spelling, statuses, Misconfigured)
    if is_open(stand.entry):
        return  # nothing of the app is sent
    asked = stand.ask(client=stand.apps.stranger)
    if not isinstance(asked.outcome, Misconfigured):
        yield f"a wrong client is not told from other trouble: {asked}"
    if not isinstance((asked := stand.ask()).outcome, Refreshed):
        yield f"after a wrong client, the right one is not served: {asked}"


def slows_down(stand: Stand) -> Iterator[str]:
    """A rate limit is understood with its wait, and so is the one that the entry documents."""
    stand.wait_until_due()
    for style in ("seconds", "http_date"):
        stand.arm("status_429", retry_after_seconds=7, retry_after_style=style)
        asked = stand.ask()
        wait = asked.outcome.retry_after_seconds if isinstance(asked.outcome, RateLimited) else None
        if wait is None or abs(wait - 7) > 2:
            yield f"a wait of 7 s as {style} was read as {wait}: {asked}"
    yield from _keeps_pace(stand)
    if not isinstance((asked := stand.ask()).outcome, Refreshed):
        yield f"after a rate limit, the next request fails: {asked}"


def _keeps_pace(stand: Stand) -> Iterator[str]:
    pace, interval = stand.manner.pace, stand.provider.refresh_interval_seconds
    if pace is not None:
        stand.wait_for_turn()
        for _ in range(ceil(pace.per_second)):
            pace.wait(stand.pace_key, stand.now)
        yield from _too_many(stand.ask(at_once=True))
        stand.pass_time(ceil(pace.per_second) / pace.per_second)
        ours = [stand.ask() for _ in range(min(50, ceil(pace.per_second)) + 1)]
        if any(isinstance(asked.outcome, RateLimited) for asked in ours):
            yield f"requests come faster than the provider takes them: {ours[-1]}"
        stand.wait_until_due()
    if interval:
        waited = stand.ask()
        yield from _too_many(stand.ask(at_once=True))
        if (waited.decision.next_due_in_seconds or 0) < interval:
            yield f"one grant is asked for again sooner than after {interval:g} s: {waited}"
        stand.pass_time(interval)


def _too_many(asked: Asked) -> Iterator[str]:
    if not isinstance(asked.outcome, RateLimited) or not asked.outcome.retry_after_seconds:
        yield f"one request too many is not understood as that: {asked}"


def survives_unreadable_answers(stand: Stand) -> Iterator[str]:
    """An answer that nobody can read ends no grant, and no spent token is presented again."""
    stand.wait_until_due()
    stand.arm("garbage")
    asked = stand.ask()
    if not isinstance(asked.outcome, Malformed | Transient):
        yield f"a page in place of an answer is not taken for one: {asked}"
    for kind in _UNREAD:
        stand.arm(kind)
        yield from _unread(stand, kind, stand.ask())
        stand.held = stand.connect("ann")
        stand.wait_until_due()
    if not isinstance((asked := stand.ask()).outcome, Refreshed):
        yield f"after an unreadable answer, the next request fails: {asked}"


def _unread(stand: Stand, kind: str, asked: Asked) -> Iterator[str]:
    if isinstance(asked.outcome, Refreshed):
        yield from wrong_tokens(stand, asked)  # all that counts had come
        return
    if isinstance(asked.outcome, Transient):
        return  # it broke off before anything of a grant: lost, which is a promise of its own
    if not isinstance(asked.outcome, Unreadable | Malformed):
        yield f"an answer that is {kind} is not taken for one: {asked}"
    rescued = asked.decision.rescued_refresh_token
    spent = stand.family.generation > 0 and rescued is None
    if spent and may_be_spent(stand.entry) and asked.decision.next_due_in_seconds is not None:
        yield f"after an answer that is {kind}, a spent token is presented again: {asked}"


def lives_with_lost_answers(stand: Stand) -> Iterator[str]:
    """After an answer that never came, the token is presented again, in time for the grace."""
    entry = stand.entry
    stand.change(rotation="none" if entry.rotation is Rotation.NEVER else "always")
    stand.wait_until_due()
    stand.arm("drop_after_commit")
    lost = stand.ask()
    wait = lost.decision.next_due_in_seconds
    if entry.retry == "never":
        if wait is not None or lost.decision.park_reason is not ParkReason.LOST_ANSWER:
            yield f"a request is made again that may have arrived, and retry is never: {lost}"
        return
    if not isinstance(lost.outcome, Transient) or wait is None:
        yield f"a lost answer is not tried again: {lost}"
        return
    if wait < entry.replay_after_seconds:
        yield f"a lost answer is tried again after {wait:g} s, sooner than replay_after_seconds"
    stand.pass_time(wait)
    unknown = lost.decision.unknown_outcomes
    asked = stand.ask(unknown_outcomes=unknown)
    is_endless = entry.reuse_grace_ends != "time" and not entry.reuse_grace_seconds
    graced = is_endless or entry.reuse_grace_seconds > entry.refresh_interval_seconds
    if not may_be_spent(entry) or graced:
        yield from wrong_tokens(stand, asked)
    elif not isinstance(asked.outcome, Revoked) or asked.decision.cause == "invalid_grant":
        yield f"a token whose answer was lost is not told as interrupted: {asked}"

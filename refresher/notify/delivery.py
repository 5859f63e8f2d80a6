"""The delivery engine: how what people are to be told leaves, by mail or by webhook.

    1 plan     what is new in the outbox becomes messages: who hears of what
    2 claim    what is due and may go is leased, and handed over as a hint: ids and lease tokens
    3 begin    marked before it leaves: from here on it may have arrived
    4 send     outbound/: no transaction is open meanwhile
    5 settle   what came of it is judged and written
      sweep    what a process left behind is due again

The row is the authority: a hint that is lost costs a lease, one that comes late is a no-op. At least
once: who dies between 4 and 5 leaves a message that may have arrived, and it goes again with the same
id. Any number of processes may do this at once. How a channel does each step: `mail_channel.py`,
`webhook_channel.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import structlog

from refresher.errors import DatabaseUnavailable, RedisUnavailable
from refresher.runtime import checkpoints
from refresher.runtime.checkpoints import Point
from refresher.runtime.services import Services
from refresher.store import leases
from refresher.store.leases import Claimed, Lease
from refresher.store.session import Db, retrying

log = structlog.get_logger()
M = TypeVar("M")
A = TypeVar("A")
T = TypeVar("T")
BATCH = 500
"""How many entries of the outbox are planned in one transaction."""
MOST_BATCHES = 20
"""How many batches are planned before messages that are due have their turn."""
HandOver = Callable[[Sequence[Sequence[Lease]]], None]
"""Sends one hint for each batch of leases; raises `RedisUnavailable` when it cannot."""


@dataclass(frozen=True, slots=True)
class Channel(Generic[M, A]):
    """How messages of one kind are planned, sent and judged; all else is the engine's.

    `M` is a message that was begun, `A` what its server answered. `begin` tells beside what was
    begun how many were not, and why; `sweep` tells of each message whether it had begun.
    """

    name: str
    flow: str
    """The name of its settings."""
    table: leases.MessageTable
    points: tuple[Point, Point, Point]
    """Where a test may stop it: claimed, begun, answered."""
    plan: Callable[[Services, Db], int]
    claim: Callable[[Services, Db], Claimed]
    begin: Callable[[Services, Db, Sequence[Lease]], tuple[list[M], Counter[str]]]
    send: Callable[[Services, Sequence[M]], Iterable[Sequence[tuple[M, A]]]]
    settle: Callable[[Services, Db, Sequence[tuple[M, A]]], Counter[str]]
    sweep: Callable[[Services, Db], Sequence[bool]]
    tidy: Callable[[Services, Db], object]
    gather: Callable[[Db], int] | None = None
    """Makes messages of what has gathered, where it has digests; returns how many."""


AnyChannel = Channel[Any, Any]


def plan(services: Services, channel: AnyChannel) -> int:
    """Makes messages of what is new in the outbox; returns how many entries it read."""
    total = 0
    for _ in range(MOST_BATCHES):
        found = _committed(services, lambda db: channel.plan(services, db))
        total += found
        if found < BATCH or services.stopping.is_set():
            break
    return total


def gather(services: Services, channel: AnyChannel) -> int:
    """Makes messages of what has gathered for a digest; returns how many."""
    made = channel.gather
    return 0 if made is None else _committed(services, made)


def dispatch(services: Services, channel: AnyChannel, enqueue: HandOver) -> float:
    """Claims what may go and hands it over; returns how soon to look again.

    Nothing sleeps until then: whoever calls this comes again.
    """
    with services.database.transaction() as db:
        claimed = channel.claim(services, db)
    if claimed.batches:
        checkpoints.reach(channel.points[0])
        try:
            enqueue(claimed.batches)
        except RedisUnavailable:
            give_back(services, channel, claimed.all)
            raise
    longest, again = services.settings.tick_seconds, claimed.again_in_seconds
    return longest if again is None else min(longest, max(again, 0.0))


def give_back(services: Services, channel: AnyChannel, held: Sequence[Lease]) -> None:
    """Makes messages due again that will not be begun here."""
    with services.database.transaction() as db:
        leases.release(db, channel.table, held)


def give_back_unbegun(services: Services, channel: AnyChannel) -> int:
    """Makes messages due again that were handed over and not begun; a hint that comes is stale."""
    with services.database.transaction() as db:
        return leases.release_unbegun(db, channel.table)


def deliver(services: Services, channel: Channel[M, A], held: Sequence[Lease]) -> Counter[str]:
    """Sends what is claimed and writes what came of it; returns how many ended in which way.

    A lease that is no longer held, or was begun already, is a counted no-op.
    """
    begun, tally = services.outlast(
        lambda _: _committed(services, lambda db: channel.begin(services, db, held))
    )
    if begun:
        checkpoints.reach(channel.points[1])
    for answers in channel.send(services, begun):
        checkpoints.reach(channel.points[2])
        tally += _settled(services, channel, answers)
    return tally


def _settled(
    services: Services, channel: Channel[M, A], answers: Sequence[tuple[M, A]]
) -> Counter[str]:
    """If it cannot be written, the lease ends and the messages go again."""
    return services.outlast(
        lambda _: _committed(services, lambda db: channel.settle(services, db, answers))
    )


def deliver_apart(services: Services, channel: AnyChannel, held: Sequence[Lease]) -> None:
    """Hands claimed messages to a thread that waits for their answers; returns at once.

    A server that hangs must not hold a thread that refreshes tokens. Should this process end, the
    sweep finds what it had taken.
    """
    try:
        services.deliverers.submit(_deliver_and_tell, services, channel, held)
    except RuntimeError:  # stopping: it takes no more
        give_back(services, channel, held)


def _deliver_and_tell(services: Services, channel: AnyChannel, held: Sequence[Lease]) -> None:
    try:
        tally = deliver(services, channel, held)
    except DatabaseUnavailable as error:
        services.seldom.warning("left to the sweep: postgres is away", channel.name, why=str(error))
    except Exception:
        # The outermost frame of a thread: a bug is told, and the sweep makes its rows due again.
        log.exception("messages failed", channel=channel.name)
    else:
        log.info("messages done", channel=channel.name, **{k: n for k, n in tally.items() if n})


def sweep(services: Services, channel: AnyChannel) -> int:
    """Makes messages due again that a process left behind without an outcome; returns how many."""
    with services.database.transaction() as db:
        found = channel.sweep(services, db)
    if found:
        unknown = sum(found)
        log.warning("swept", channel=channel.name, unbegun=len(found) - unknown, unknown=unknown)
    return len(found)


def _committed(services: Services, work: Callable[[Db], T]) -> T:
    """Returns what `work` does in a transaction, done again when it was a deadlock's victim."""

    def once() -> T:
        with services.database.transaction() as db:
            return work(db)

    return retrying(once)

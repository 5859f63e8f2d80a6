"""THE story: reload, guard, refresh. One claim or two hundred take the same eleven steps.

    1 tick      scheduler.py              7 begin     here, store/marking.py: marked before it leaves
    2 claim     store/schedule.py         8 exchange  outbound/: the only module that sends
    3 hand over dispatch.py               9 classify  rules/outcomes.py: what the reply means
    4 receive   actors.py                10 decide    rules/decision.py, rules/policy.py: when next
    5 reload    here, store/reload.py    11 commit    here, store/settlement.py: one transaction
    6 guard     here, rules/guards.py, evidence.py: a pause that is met

Most rows are begun by the very statement that reloads them (`marking.start`), where nothing in the
tables speaks against it; the others are reloaded, guarded and begun. The guard judges all of them.
Nothing stands between a reply and its commit, and no transaction is open while a request is under way.
Each row stands for itself: a slow provider, a failure or a broken row never holds the others.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Container, Sequence
from functools import partial
from uuid import UUID

from refresher.errors import CannotDecrypt
from refresher.outbound.exchange import Outgoing
from refresher.outbound.loop import Stream
from refresher.refresh import evidence
from refresher.refresh.attempt import Attempt, Clients, parked, postponed, request, understood
from refresher.refresh.commit import Hand, commit
from refresher.rules import guards
from refresher.rules.connection import Claim, ParkReason
from refresher.rules.outcomes import Reply
from refresher.rules.placeholders import UnbuildableRequest
from refresher.runtime import checkpoints, tracing
from refresher.runtime.services import Services
from refresher.store import marking
from refresher.store.reload import Reloaded, reload
from refresher.store.session import Db
from refresher.store.settlement import Settled, Settlement, settle


def refresh(services: Services, claims: Sequence[Claim]) -> Counter[str]:
    """Refreshes the claimed connections; returns how many ended in which way.

    A claim that is no longer held, or was begun already by another delivery, is a counted no-op.
    """
    tally: Counter[str] = Counter()
    hand = Hand(services, partial(_write, services), tally)
    with services.exchange.turns.turn(alone=len(claims) == 1):
        ready = _guard(services, *_reload(services, claims, tally), tally)
        outgoing = _build(services, _begin(services, ready, tally), tally)
        arriving = services.exchange.stream(outgoing, hand.again_in_seconds)
        hand.coming = partial(_coming, services, arriving)
    for replies in arriving:
        if replies:
            checkpoints.reach("replied", replies)
            _observe(services, replies)
            hand.take(_understand(services, replies))
        else:
            hand.try_again()
    hand.empty()
    services.meter.finished(tally)
    return tally


def _reload(
    services: Services, claims: Sequence[Claim], tally: Counter[str]
) -> tuple[list[Reloaded], float]:
    """Step 5, and 7 of most rows. What the message remembers does not count; the stored row does."""
    marked: list[Reloaded] = []
    reloaded_at = 0.0

    def read(_tried: int) -> list[Reloaded]:
        nonlocal marked, reloaded_at
        before = time.monotonic()  # before, not after: what is late must not look early
        with services.database.transaction() as db:
            if marked:  # by a try of which nobody knows whether it was committed
                held = marking.begin(db, marked, holder_id=services.holder_id, again=True)
                marked = [row for row in marked if row.connection.id in held]
            else:
                marked, reloaded_at = _start(services, db, claims), before
            if len(marked) == len(claims):
                return marked
            begun = {row.claim for row in marked}
            others = reload(db, [claim for claim in claims if claim not in begun])
            return [*marked, *evidence.against(services, db, others)]

    rows = services.outlast(read)
    checkpoints.reach("reloaded", rows)
    fresh = [row for row in rows if not row.begun]
    tally["stale"] += len(claims) - len(fresh)
    return fresh, reloaded_at


def _start(services: Services, db: Db, claims: Sequence[Claim]) -> list[Reloaded]:
    strict = services.policy.expired_tokens == "stop"
    return marking.start(db, claims, holder_id=services.holder_id, stop_when_expired=strict)


def _guard(
    services: Services, rows: Sequence[Reloaded], reloaded_at: float, tally: Counter[str]
) -> list[Attempt]:
    """Step 6. Parks what must not be refreshed, and moves what meets a pause to its end."""
    ready: list[Attempt] = []
    aside: list[Settlement] = []
    probing: set[str] = set()
    for row in rows:
        provider = services.catalogue.get(row.connection.provider)
        verdict = guards.check(
            row.connection,
            provider,
            stop_when_expired=services.policy.expired_tokens == "stop",
            expired=row.left_seconds is not None and row.left_seconds <= 0,
        )
        match verdict:
            case guards.Skip(reason):
                aside.append(parked(row, reason))
            case guards.Proceed():
                assert provider is not None
                if pause := evidence.pause_met(services, row, probing):
                    aside.append(postponed(row, pause))
                else:
                    ready.append(Attempt(row, provider, reloaded_at))
    ready = evidence.in_pace(services, ready, aside)
    checkpoints.reach("guarded", (ready, aside))
    _commit(services, aside, tally)
    return ready


def _begin(services: Services, ready: list[Attempt], tally: Counter[str]) -> list[Attempt]:
    """Step 7. From here on, "begun and no outcome" means that the outcome is unknown."""
    if not ready:
        return []
    rows = [r.row for r in ready if not r.row.marked]

    def mark(tried: int) -> set[UUID]:
        with services.database.transaction() as db:
            return marking.begin(db, rows, holder_id=services.holder_id, again=tried > 0)

    passed = ready
    if rows:
        begun = services.outlast(mark)
        passed = [r for r in ready if r.row.marked or r.row.connection.id in begun]
    checkpoints.reach("begun", [r.row.connection.id for r in passed])
    tally["stale"] += len(ready) - len(passed)
    return passed


def _build(
    services: Services, attempts: Sequence[Attempt], tally: Counter[str]
) -> list[Outgoing[Attempt]]:
    """Step 8, first half: opens the tokens and builds the requests; a broken row parks alone."""
    outgoing: list[Outgoing[Attempt]] = []
    broken: list[Settlement] = []
    clients: Clients = {}
    for attempt in attempts:
        # A process that was frozen since the reload must not send: its row may be another's by now.
        left = attempt.row.lease_left_seconds - attempt.elapsed_seconds
        within = left - services.settings.http_total_seconds
        try:
            made, again = request(services.cipher, attempt, clients, services.known_secrets)
            whose = attempt.row.connection.organization_id
            outgoing.append(Outgoing(attempt, made, max(0.0, within), whose, again=again))
        except CannotDecrypt:
            broken.append(parked(attempt.row, ParkReason.UNDECRYPTABLE, begun=True))
        except UnbuildableRequest as error:
            reason = ParkReason.UNBUILDABLE_REQUEST
            broken.append(parked(attempt.row, reason, str(error), begun=True))
    _commit(services, broken, tally)
    return outgoing


def _observe(services: Services, replies: Sequence[tuple[Attempt, Reply]]) -> None:
    """Counts and traces replies. A counter that cannot be written must not cost a token."""
    try:
        services.meter.replied(replies)
        tracing.exchanged(replies)
    except Exception as error:  # noqa: BLE001  the replies are in hand still
        services.seldom.exception("replies cannot be counted", error)


def _understand(services: Services, replies: Sequence[tuple[Attempt, Reply]]) -> list[Settlement]:
    """Steps 9 and 10: what each reply means and what follows; the new tokens are sealed at once.

    A reply that a bug of ours stumbles over is kept, sealed, and costs no other.
    """
    made: list[Settlement] = []
    for attempt, reply in replies:
        settlement, why = understood(services.cipher, services.policy, attempt, reply)
        if settlement is not None:
            made.append(settlement)
        if why is not None:
            services.seldom.error("a reply cannot be understood", why, why=why)
    return made


def _coming(
    services: Services, arriving: Stream[tuple[Attempt, Reply]], known: Container[UUID]
) -> list[Settlement]:
    """Steps 9 and 10 for what has come while a commit takes long; it is still to be taken."""
    fresh = [(a, reply) for a, reply in arriving.ready() if a.row.connection.id not in known]
    made = [understood(services.cipher, services.policy, a, reply)[0] for a, reply in fresh]
    return [settlement for settlement in made if settlement is not None]


def _commit(services: Services, settlements: Sequence[Settlement], tally: Counter[str]) -> None:
    """Step 11. One transaction; what Postgres does not take is held and kept (`commit.py`)."""
    commit(services, settlements, partial(_write, services), tally)


def _write(services: Services, settlements: Sequence[Settlement]) -> Settled:
    with services.database.transaction() as db:
        settled = settle(db, settlements, lead_share=services.policy.lead_share)
        evidence.weigh_all(services, db, settlements)
        checkpoints.reach("committing", settled)
    checkpoints.reach("committed", settled)
    return settled

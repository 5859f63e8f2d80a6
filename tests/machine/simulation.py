"""Runs the real story for simulated processes, and the model beside it.

Two workers and a scheduler share one database, one simulated clock and one provider; each worker sends
from a loop of its own, so that one may be frozen in flight while the other works.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine
from psycopg.rows import namedtuple_row
from uuid_utils.compat import uuid7

from refresher.outbound.exchange import Exchange
from refresher.outbound.sender import SendLimits
from refresher.refresh.steps import refresh
from refresher.rules.connection import Claim
from refresher.rules.outcomes import Reply
from refresher.rules.requests import TokenRequest
from refresher.runtime import checkpoints
from refresher.runtime.checkpoints import Point
from refresher.runtime.cipher import Cipher, parse_key
from refresher.runtime.services import Services
from tests.machine.reference import (
    LOST,
    UNSENT,
    Attempt,
    Row,
    StrictProvider,
    begin,
    finish,
    reply_for,
)
from tests.services import plain
from tests.world import START, World

# One claim a message: where a worker dies, it dies for that one.
SETTINGS = {"batch_size": 1, "attempt_timeout_seconds": 61, "breaker_failures": 1_000_000}
# (to delete a few rows costs a tenth of a truncate)
EMPTIED = ("refresh_event", "refresh_schedule", "quarantine", "pause", "connection")
EMPTY = ";".join(f"delete from {table}" for table in EMPTIED)


class Died(BaseException):
    """A process ended here."""


def die_here() -> None:
    """Ends the process: nothing after this point is done."""
    raise Died


class Simulation(RuleBasedStateMachine):
    """What the rules of a schedule are made of."""

    world: World
    exchanges: tuple[Exchange, ...]
    eyes: psycopg.Connection[Any]

    @classmethod
    def open(cls, database_url: str) -> None:
        """Makes the world that all schedules share, one after the other."""
        cls.world = World(database_url, **SETTINGS)
        cls.eyes = psycopg.connect(
            plain(database_url), autocommit=True, row_factory=namedtuple_row, prepare_threshold=1
        )
        cls.exchanges = tuple(Exchange(SendLimits(), cls.world.script) for _ in range(2))

    @classmethod
    def close(cls) -> None:
        """Gives back threads and connections."""
        for exchange in cls.exchanges:
            exchange.close()
        cls.eyes.close()
        cls.world.close()

    def begin_anew(self, provider: StrictProvider) -> None:
        """Empties the database, and starts two workers at the first moment."""
        self.eyes.execute(EMPTY)
        self.world.set_now(START)
        self.provider = provider
        self.model: dict[UUID, Row] = {}
        self.names: dict[UUID, str] = {}
        self.queue: list[list[Claim]] = []
        self.excused: Counter[str] = Counter()
        self.dead: set[UUID] = set()
        self.keys = [key.get_secret_value() for key in self.world.services.settings.encryption_keys]
        self.workers = [
            replace(self.world.services, holder_id=uuid7(), exchange=exchange)
            for exchange in self.exchanges
        ]
        self.use_keys()

    def use_keys(self) -> None:
        """Has every process seal with the newest key."""
        cipher = Cipher([parse_key(key) for key in self.keys])
        self.world.services = replace(self.world.services, cipher=cipher)
        self.workers = [replace(worker, cipher=cipher) for worker in self.workers]

    def look(self, query: LiteralString, *values: object) -> list[Any]:
        """Returns all rows of a query, in one round trip: this is asked after every step."""
        return self.eyes.execute(query, values).fetchall()

    @property
    def now(self) -> float:
        """The simulated time as a number."""
        now = self.world.services.database.simulated_now
        assert now is not None
        return now.timestamp()

    def any_connection(self, data: st.DataObject) -> UUID:
        """Draws one of the connections."""
        return data.draw(st.sampled_from(sorted(self.model)))

    def any_message(self, data: st.DataObject, *, keep: bool) -> list[Claim]:
        """Draws one of the messages, and takes it out of the queue unless it comes again."""
        n = data.draw(st.integers(0, len(self.queue) - 1))
        return self.queue[n] if keep else self.queue.pop(n)

    def refresh(
        self,
        worker: Services,
        claims: list[Claim],
        *,
        lost: bool = False,
        dies_at: Point | None = None,
        meanwhile: Callable[[], None] | None = None,
        overtaken: Callable[[], None] | None = None,
    ) -> None:
        """Refreshes in the store and in the model, and compares nothing yet."""
        attempts = {} if self.is_too_early(dies_at, claims) else self.begin(worker, claims)
        answers: dict[str, str | None] = {}
        once = iter([meanwhile] if meanwhile else [])

        def answer(request: TokenRequest) -> Reply:
            token = request.parameters["refresh_token"]
            answers[token] = self.provider.present(token, self.now)
            self._act(once, trouble)
            self.world.script.answer = answer
            return reply_for(LOST if lost else answers[token])

        def overtake() -> None:
            assert overtaken is not None
            overtaken()
            self.world.script.answer = answer

        trouble: list[BaseException] = []
        self.world.script.answer = answer
        presented = {id_: self.model[id_].stored for id_ in attempts}
        point, act = ("reloaded", overtake) if overtaken else (dies_at, die_here)
        self.run(worker, claims, point, act)
        if trouble:
            raise trouble[0]
        interrupted = bool(lost or meanwhile or dies_at in {"replied", "committing"})
        for id_, attempt in attempts.items():
            leaves = attempt.in_time and dies_at not in {"reloaded", "begun"}
            given = (LOST if lost else answers[presented[id_]]) if leaves else UNSENT
            self.note(id_, attempt, given, interrupted=interrupted, dies_at=dies_at)

    def note(
        self,
        id_: UUID,
        attempt: Attempt,
        given: str | None,
        *,
        interrupted: bool,
        dies_at: Point | None,
    ) -> None:
        """Writes into the model what came of an attempt, where its process lived to write it."""
        self.excused[self.names[id_]] += interrupted and given != UNSENT
        if dies_at in {None, "committed"}:
            finish(self.model[id_], attempt, given)

    def is_too_early(self, dies_at: Point | None, claims: list[Claim]) -> bool:
        """Whether a process that dies at this point has begun none of these yet."""
        parks = any(self.model[claim.connection_id].is_set_aside for claim in claims)
        unbegun = dies_at == "reloaded" and not self.begins_at_once(claims)
        return unbegun or (dies_at == "committing" and parks)

    def begins_at_once(self, claims: list[Claim]) -> bool:
        """Whether the reload begins these: nothing stands against them, nor against their provider."""
        in_trouble = bool(self.look("select from pause limit 1"))
        return not in_trouble and not any(self.model[c.connection_id].is_set_aside for c in claims)

    @staticmethod
    def _act(acts: Iterator[Callable[[], None]], trouble: list[BaseException]) -> None:
        try:
            for act in acts:
                act()
        except BaseException as error:  # noqa: BLE001  it would end as a reply
            trouble.append(error)

    def begin(self, worker: Services, claims: list[Claim]) -> dict[UUID, Attempt]:
        """Has the model begin, and returns what passed."""
        passed = {
            claim.connection_id: begin(
                self.model[claim.connection_id], claim, self.now, worker.holder_id
            )
            for claim in claims
        }
        return {id_: attempt for id_, attempt in passed.items() if attempt}

    def run(
        self,
        worker: Services,
        claims: list[Claim],
        at: Point | None,
        act: Callable[[], None] = die_here,
    ) -> None:
        """Runs the real story, and `act` at one of its points."""

        def reached(point: Point) -> None:
            if point == at:
                act()

        checkpoints.install(reached if at else None)
        try:
            refresh(worker, claims)
        except Died:
            pass
        finally:
            checkpoints.install(None)

"""A seeded run in which everything happens to a few connections, with a copy of the tables each step.

The story, the sweep and what people do are the real ones on the real store; the clock and the provider
are simulated. A worker may die or fall asleep at any point of a delivery, and wake up late.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from random import Random
from uuid import UUID

from uuid_utils.compat import uuid7

from refresher.refresh import dispatch
from refresher.refresh.steps import refresh
from refresher.rules.connection import Claim, Secret
from refresher.rules.history import Moment
from refresher.rules.outcomes import Reply
from refresher.rules.requests import TokenRequest
from refresher.runtime import checkpoints
from refresher.runtime.checkpoints import Point
from refresher.runtime.services import Services
from refresher.store import oauth_apps, state_changes
from refresher.store.standing import standing_of
from refresher.store.sweep import release_unbegun, sweep
from tests.machine.simulation import Died, die_here
from tests.world import World, granted, refused

NAMES = ("ann", "bob", "cyd", "dan", "eve")
PROVIDERS = {"dan": "paced", "eve": "meta"}
DEATHS: tuple[Point, ...] = ("reloaded", "begun", "replied", "committing", "committed")
LIMIT_SECONDS = 61.0


class Chaos:
    """One run: `copies` has how each connection stood after each step, with the time of it."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.dice = world, Random(seed)
        self.queue: list[list[Claim]] = []
        self.dead: set[UUID] = set()
        self.ids: dict[str, UUID] = {}
        self.copies: list[tuple[datetime, dict[UUID, Moment]]] = []
        self.trouble = 0
        world.script.answer = self.answer
        self.worker = replace(world.services, holder_id=uuid7())
        for name in NAMES:
            self.connect(name)

    def run(self, steps: int) -> None:
        """Does as many random steps, each at an instant of its own, and copies the tables after it."""
        acts: list[tuple[Callable[[], object], int]] = [
            (self.claim, 9), (self.deliver, 16), (self.die, 2), (self.oversleep, 4), (self.sweep, 4),
            (self.flush, 1), (self.stop, 1), (self.resume, 2), (self.reconnect, 1),
            (self.new_secret, 1),
        ]  # fmt: skip
        doings, weights = zip(*acts, strict=True)
        for _ in range(steps):
            self.world.pass_time(self.dice.choice((0.25, 0.5, 0.5, 1.0, 1.0, 2.0, 4.0, 8.0, 70.0)))
            (act,) = self.dice.choices(doings, weights)
            act()
            self.copies.append((self.now, self.stand()))

    @property
    def now(self) -> datetime:
        """The simulated time."""
        now = self.world.services.database.simulated_now
        assert now is not None
        return now

    def stand(self) -> dict[UUID, Moment]:
        """Returns how every connection stands: the copy that is compared with later."""
        with self.world.services.database.transaction() as db:
            found = {id_: standing_of(db, id_) for id_ in self.ids.values()}
        return {id_: standing.moment for id_, standing in found.items() if standing}

    def answer(self, _request: TokenRequest) -> Reply:
        """Answers in any way that a provider may; its trouble lasts, so that others meet it too."""
        n = len(self.world.script.asked)
        good = granted(
            access_token=f"a{n}", refresh_token=f"r{n}", expires_in=self.dice.choice((5, 20, 90))
        )
        odd = [
            Reply(503), Reply(429, {"Retry-After": "30"}), Reply(failure="timeout"), Reply(200),
            refused("invalid_grant"), refused("invalid_client", 401),
            granted(refresh_token=f"rescued-{n}"), granted(access_token=f"a{n}"),
        ]  # fmt: skip
        if self.dice.random() < 0.4:
            return good
        if self.dice.random() < 0.3:
            self.trouble = self.dice.randrange(len(odd))
        return odd[self.trouble]

    def connect(self, name: str) -> None:
        """A user consents, for the first time or again; each is of an organization of their own."""
        left = self.dice.choice((0, 0, 40))
        provider = PROVIDERS.get(name, "acme")
        self.ids[name] = self.world.connect(
            name, organization_id=f"org-{name}", provider=provider, expires_in=left
        )

    def reconnect(self) -> None:
        """A user consents again, whatever happens to the connection at this moment."""
        self.connect(self.dice.choice(NAMES))

    def claim(self) -> None:
        """A scheduler claims what is due."""
        dispatch.dispatch_due(
            self.world.services, lambda groups: self.queue.extend([c] for g in groups for c in g)
        )

    def deliver(self) -> None:
        """A message reaches a worker; now and then it comes again."""
        if message := self._message():
            self._refresh(self.world.services, message)

    def die(self) -> None:
        """A worker is killed at one step of a delivery."""
        if message := self._message():
            self._refresh(self.worker, message, self.dice.choice(DEATHS), die_here)
            self.dead.add(self.worker.holder_id)
            self.worker = replace(self.worker, holder_id=uuid7())

    def oversleep(self) -> None:
        """A worker freezes with its reply in hand, others go on, and it wakes up late."""
        if message := self._message():
            self._refresh(self.worker, message, "replied", self._meanwhile)

    def _meanwhile(self) -> None:
        checkpoints.install(None)
        self.copies.append((self.now, self.stand()))
        self.world.pass_time(0.25)
        if self.dice.random() < 0.5:
            for name in NAMES:  # whoever it is, the reply comes too late
                self.connect(name)
        for act in self.dice.sample((self.sweep, self.claim, self.reconnect, self.deliver), 3):
            self.world.pass_time(self.dice.choice((1.0, 65.0)))
            act()
            self.copies.append((self.now, self.stand()))
        self.world.pass_time(0.25)

    def sweep(self) -> None:
        """Stalled rows are made due again."""
        with self.world.services.database.transaction() as db:
            sweep(
                db,
                dead=self.dead,
                alive={self.world.services.holder_id, self.worker.holder_id},
                attempt_timeout_seconds=LIMIT_SECONDS,
                crash_limit=3,
            )

    def flush(self) -> None:
        """Redis is emptied, which is noticed."""
        self.queue.clear()
        with self.world.services.database.transaction() as db:
            release_unbegun(db)

    def stop(self) -> None:
        """A person sets a connection aside."""
        how = self.dice.choice(("paused", "disabled", "deleted"))
        with self.world.services.database.transaction() as db:
            state_changes.stop(db, self.ids[self.dice.choice(NAMES)], how)

    def resume(self) -> None:
        """A person lets a connection go on."""
        with self.world.services.database.transaction() as db:
            state_changes.resume(db, self.ids[self.dice.choice(NAMES)])

    def new_secret(self) -> None:
        """An operator puts the app's secret right, which lifts its pause."""
        services = self.world.services
        secret = services.cipher.seal(
            Secret(f"secret-{len(self.copies)}"),
            oauth_apps.app_id("acme", "default"),
            "client_secret",
        )
        with services.database.transaction() as db:
            oauth_apps.put(db, "acme", "default", "app-id", secret)

    def _message(self) -> list[Claim] | None:
        if not self.queue:
            return None
        n = self.dice.randrange(len(self.queue))
        return self.queue[n] if self.dice.random() < 0.1 else self.queue.pop(n)

    @staticmethod
    def _refresh(
        worker: Services,
        message: list[Claim],
        at: Point | None = None,
        act: Callable[[], object] = die_here,
    ) -> None:
        def reached(point: Point) -> None:
            if point == at:
                act()

        checkpoints.install(reached if at else None)
        try:
            with suppress(Died):
                refresh(worker, message)
        finally:
            checkpoints.install(None)

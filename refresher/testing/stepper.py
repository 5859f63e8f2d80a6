"""One refresh, step by step: claim, reload, guard, begin, exchange, classify, decide, commit.

    with Stepper(services, connection_id) as step:
        step.claim()
        step.begin()
        assert step.state.begun
        step.commit()

It is the real story (`refresher/refresh/steps.py`), on a thread of its own and stopped between its
steps. Each method goes on to the end of its step, through those before it, and returns what the story
has in hand there. What the test sees between two points is what another process would see.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Self, cast
from uuid import UUID

from refresher.refresh.attempt import Attempt
from refresher.refresh.single_flight import claim_now
from refresher.refresh.steps import refresh
from refresher.rules.connection import Claim
from refresher.rules.decision import Decision
from refresher.rules.outcomes import Outcome, Reply
from refresher.runtime import checkpoints
from refresher.runtime.checkpoints import Point
from refresher.runtime.services import Services
from refresher.store import standing
from refresher.store.reload import Reloaded
from refresher.store.settlement import Settled, Settlement
from refresher.store.standing import Snapshot

PATIENCE_SECONDS = 60.0


class StoryEnded(AssertionError):
    """The step that was asked for never comes: the story took another way, or is over."""


class _Died(BaseException):
    """The story's process ended here."""


class Story:
    """`work`, stopped at each point until it is let go; one at a time in a process."""

    def __init__(self, work: Callable[[], Counter[str]]) -> None:
        self._work = work
        self._thread = threading.Thread(target=self._run, name="story", daemon=True)
        self._arrived, self._go = threading.Event(), threading.Event()
        self._dies = False
        self._before: checkpoints.Listener | None = None
        self.at: Point | None = None
        self.in_hand: object = None
        self.tally: Counter[str] | None = None
        self.error: BaseException | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing comes any more."""
        return self.tally is not None or self.error is not None

    def start(self) -> None:
        """Runs to the first point."""
        self._before = checkpoints.install(self._reached)
        self._thread.start()
        self._wait()

    def next(self) -> Point | None:
        """Lets it go on to the next point, and returns that; None at its end."""
        self._arrived.clear()
        self._go.set()
        self._wait()
        return self.at

    def die(self) -> None:
        """Ends it here, as kill -9 would: nothing after this point is done."""
        self._dies = True
        while not self.is_over:
            self.next()

    def close(self) -> None:
        """Takes back what `start` installed."""
        checkpoints.install(self._before)

    def _run(self) -> None:
        try:
            self.tally = self._work()
        except _Died:
            self.tally = Counter(died=1)
        except BaseException as error:  # noqa: BLE001  told to the test, on its own thread
            self.error = error
        self.at = None
        self._arrived.set()

    def _reached(self, point: Point) -> None:
        if self._before is not None:
            self._before(point)
        if threading.current_thread() is not self._thread:
            return
        self.at, self.in_hand = point, checkpoints.in_hand()
        self._arrived.set()
        self._go.wait()
        self._go.clear()
        if self._dies:
            raise _Died

    def _wait(self) -> None:
        if not self._arrived.wait(PATIENCE_SECONDS):
            raise StoryEnded(f"nothing came after {self.at!r} for {PATIENCE_SECONDS:.0f} s")
        if self.error is not None:
            raise self.error


ORDER: tuple[Point, ...] = (
    *("reloaded", "guarded", "begun", "replied"),
    *("classified", "decided", "committing", "committed"),
)
"""The points of one refresh, whichever way its row goes."""


class Stepper:
    """Advances the refresh of one connection; leaving the block finishes it.

    An exception in the block ends the story where it is, as the death of its process would.
    """

    def __init__(self, services: Services, connection_id: UUID) -> None:
        self.connection_id = connection_id
        self._services = services
        self._claim: Claim | None = None
        self._story: Story | None = None
        self._is_open = False

    def __enter__(self) -> Self:
        self._is_open = True
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if self._story is None:
            return
        try:
            if error is None:
                self.finish()
            else:
                self._story.die()
        finally:
            self._story.close()

    @property
    def state(self) -> Snapshot:
        """What is stored at this moment, as every other process sees it."""
        with self._services.database.transaction() as db:
            found = standing.snapshot(db, self.connection_id)
        assert found is not None, "there is no such connection, or it resolves to another one"
        return found

    @property
    def at(self) -> Point | None:
        """The point at which the story stands; None before the reload, and at its end."""
        return None if self._story is None else self._story.at

    def claim(self) -> Claim:
        """Step 2: leases the row, due or not; fails when it is leased or parked."""
        if self._claim is None:
            self._claim = claim_now(self._services, self.connection_id)
        if self._claim is None:
            seen = self.state
            raise StoryEnded(f"cannot be claimed: it is {seen.parked_reason or seen.state}")
        return self._claim

    def reload(self) -> Reloaded | None:
        """Step 5: returns the stored row; None when the claim is no longer held."""
        rows = cast("list[Reloaded]", self._until("reloaded"))
        return rows[0] if rows else None

    def guard(self) -> Attempt | Settlement:
        """Step 6: returns the attempt that may begin, or how the row is set aside."""
        ready, aside = cast("tuple[list[Attempt], list[Settlement]]", self._until("guarded"))
        if ready:
            return ready[0]
        if aside:
            return aside[0]
        raise StoryEnded("the claim is no longer held: another delivery was quicker")

    def begin(self) -> bool:
        """Step 7: whether the request may leave; from here on its outcome is unknown."""
        return self.connection_id in cast("set[UUID]", self._until("begun"))

    def exchange(self) -> Reply:
        """Step 8: sends the request, and returns the reply; nothing of it is written."""
        replies = cast("list[tuple[Attempt, Reply]]", self._until("replied"))
        return replies[0][1]

    def classify(self) -> Outcome:
        """Step 9: returns what the reply means."""
        return cast("Outcome", self._until("classified"))

    def decide(self) -> Decision:
        """Step 10: returns what is to be written."""
        return cast("Decision", self._until("decided"))

    def commit(self) -> Settled:
        """Step 11: writes it in one transaction."""
        return cast("Settled", self._until("committed"))

    def finish(self) -> Counter[str]:
        """Runs to the end; returns how many refreshes ended in which way."""
        story = self._started()
        while not story.is_over:
            story.next()
        assert story.tally is not None
        return story.tally

    def die(self) -> None:
        """Ends the story here, as kill -9 would; what it had begun is left to the sweep."""
        self._started().die()

    def _until(self, point: Point) -> object:
        """Goes on to `point` and returns what the story has in hand there."""
        story, passed = self._started(), self.at
        if passed in ORDER and ORDER.index(passed) > ORDER.index(point):
            raise StoryEnded(f"{point!r} is over: the story is at {passed!r}")
        while story.at != point:
            if story.is_over or story.next() is None:
                told = dict(story.tally or {})
                raise StoryEnded(f"no {point!r} comes after {passed!r}; it ended as {told}")
        return story.in_hand

    def _started(self) -> Story:
        if not self._is_open:
            raise RuntimeError("use it as a context manager: with Stepper(...) as step:")
        if self._story is None:
            claims = [self.claim()]
            self._story = Story(lambda: refresh(self._services, claims))
            self._story.start()
        return self._story

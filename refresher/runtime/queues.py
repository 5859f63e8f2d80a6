"""How Dramatiq's threads wait here: for a message or for the end, and for no clock.

Dramatiq has each of its threads wake up and look, whether there is something to do or not. In this
process a queue wakes who waits on it, and a stop wakes them all. At Redis a consumer
blocks: `redis.py`.
"""

from __future__ import annotations

from queue import Empty, PriorityQueue, Queue
from typing import Any, TypeVar

from dramatiq import Message
from dramatiq.brokers.stub import StubBroker
from dramatiq.common import dq_name

T = TypeVar("T")
ENDING_SECONDS = 0.01
"""How often threads look whether they are to end, once a stop has begun."""
NO_DELAYS = "no message may be delayed: the row's due_at is what says when"


class EndableQueue(Queue[T]):
    """A queue whose readers wait for an item or the end, whatever time-out they name."""

    is_ended = False

    def get(self, block: bool = True, timeout: float | None = None) -> T:  # noqa: ARG002, FBT001, FBT002
        """Returns the next item; raises `Empty` when there is none after the end."""
        if not block:
            return super().get(block=False)
        with self.not_empty:
            while not self._qsize() and not self.is_ended:
                self.not_empty.wait()
            if not self._qsize():
                # Who asks again before he was told to end must not spin.
                self.not_empty.wait(ENDING_SECONDS)
                raise Empty
            item: T = self._get()
            self.not_full.notify()
            return item

    def begin(self) -> None:
        """Has readers wait as long as it takes, also after an earlier end."""
        self.is_ended = False

    def end(self) -> None:
        """Wakes all who wait; from now on nobody waits for long."""
        with self.mutex:
            self.is_ended = True
            self.not_empty.notify_all()


class EndablePriorityQueue(EndableQueue[Any], PriorityQueue[Any]):
    """The same, the lowest item first."""


class InMemoryBroker(StubBroker):
    """Dramatiq's broker within one process, whose idle consumers sleep; without delays."""

    def declare_queue(self, queue_name: str) -> None:
        """Declares a queue; that of delayed messages stays empty, and nobody waits on it."""
        if queue_name in self.queues:
            return
        self.emit_before("declare_queue", queue_name)
        self.queues[queue_name] = EndableQueue()
        self.queues[dq_name(queue_name)] = Queue()
        self.emit_after("declare_queue", queue_name)

    def get_declared_queues(self) -> set[str]:
        """Returns the queues that have consumers."""
        return {name for name, queue in self.queues.items() if isinstance(queue, EndableQueue)}

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Enqueues a message; raises `ValueError` for a delay."""
        if delay is not None:
            raise ValueError(NO_DELAYS)
        return super().enqueue(message)

    def emit_before(self, signal: str, *args: Any, **kwargs: Any) -> None:
        """Tells middleware; has consumers wait as long as a worker runs, and wakes them at its end."""
        if signal in {"worker_boot", "worker_shutdown"}:
            for queue in self.queues.values():
                if isinstance(queue, EndableQueue):
                    queue.end() if signal == "worker_shutdown" else queue.begin()
        super().emit_before(signal, *args, **kwargs)

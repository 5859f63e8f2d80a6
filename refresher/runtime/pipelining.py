"""A Redis broker that sends many messages in one trip, and none later.

Dramatiq waits for Redis after each message, which takes a fifth to a third of a millisecond. When many
providers are due at once, each with a few rows, a tick has many small messages: they leave together.

Dramatiq's delayed messages wait in a second queue, which every worker asks as often as the first. We
have none (the row says when), so the second queue is not there.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from functools import partial
from typing import Any

from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker


class PipeliningBroker(RedisBroker):
    """Dramatiq's Redis broker, and `one_trip`; without delays."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]
        self._travelling = threading.local()

    @contextmanager
    def one_trip(self) -> Iterator[None]:
        """Keeps what this thread enqueues in the block, and sends it at its end, in order.

        Nothing has left when the block raises. An error of Redis comes at the end of the block; what
        had left by then is delivered, which to who claims anew is a stale delivery.
        """
        with self.client.pipeline(transaction=False) as pipe:
            # The same broker, whose script runs on the pipe: Dramatiq makes the arguments.
            twin = copy(self)
            twin.scripts = self.scripts | {
                "dispatch": partial(self.scripts["dispatch"], client=pipe)
            }
            self._travelling.enqueue = twin._dispatch("enqueue")  # type: ignore[no-untyped-call]  # noqa: SLF001
            try:
                yield
            finally:
                del self._travelling.enqueue
            pipe.execute()

    def declare_queue(self, queue_name: str) -> None:
        """Declares a queue, and none for delayed messages."""
        if queue_name in self.queues:
            return
        self.emit_before("declare_queue", queue_name)
        self.queues.add(queue_name)
        self.emit_after("declare_queue", queue_name)

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Enqueues a message; raises `ValueError` for a delay."""
        if delay is not None:
            raise ValueError("no message may be delayed: the row's due_at is what says when")
        enqueued: Message[Any] = super().enqueue(message)
        return enqueued

    def do_enqueue(self, *arguments: object) -> object:
        """Puts a message into its queue, or on the way there: called by `enqueue`."""
        at_once = self._dispatch("enqueue")  # type: ignore[no-untyped-call]
        return getattr(self._travelling, "enqueue", at_once)(*arguments)

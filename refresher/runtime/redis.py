"""The transport `redis`: Dramatiq's own broker for Redis, as refresher uses it.

Dramatiq waits for Redis after each message, which takes a fifth to a third of a millisecond. When many
providers are due at once, each with a few rows, a tick has many small messages: they leave together.

A consumer blocks on the list itself: BLMOVE takes the first id and puts it back where it was, in one
step, as soon as there is one. So producers do nothing for it, and nothing can be lost; the fetch after
it is Dramatiq's own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from functools import partial
from typing import Any

import redis
from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.errors import ConnectionClosed
from dramatiq.middleware import Middleware

from refresher.errors import RedisUnavailable
from refresher.runtime.queues import NO_DELAYS

BLOCK_SECONDS = 1
"""How long a consumer blocks at most, and so what it may add to a stop. The fetch after it tells
Dramatiq that this process lives, as it expects once a minute."""
POLL_SECONDS = 0.1
"""How often a consumer looks where Redis refuses to let it block, as an ACL may."""


class BlockingConsumer(_RedisConsumer):
    """A consumer of Redis that waits for a message, or for a place among those in hand."""

    def __init__(self, broker: RedisBroker, queue_name: str, prefetch: int, _timeout: int) -> None:
        shortest = 1  # milliseconds, for which Dramatiq sleeps before it says that there is none
        super().__init__(broker, queue_name, prefetch, shortest)  # type: ignore[no-untyped-call]
        self._room = threading.Event()

    def ack(self, message: Any) -> None:
        """Tells Redis that a message is done."""
        super().ack(message)  # type: ignore[no-untyped-call]
        self._room.set()

    def nack(self, message: Any) -> None:
        """Tells Redis that a message failed."""
        super().nack(message)  # type: ignore[no-untyped-call]
        self._room.set()

    def __next__(self) -> Any:
        """Returns the next message, None when there may be one by now; raises `ConnectionClosed`."""
        message = super().__next__()  # type: ignore[no-untyped-call]
        if message is None:
            self._wait()
        return message

    def _wait(self) -> None:
        self._room.clear()
        if self.outstanding_message_count >= self.prefetch:
            self._room.wait(BLOCK_SECONDS)
            return
        name = f"{self.broker.namespace}:{self.queue_name}"
        try:
            self.broker.client.blmove(name, name, BLOCK_SECONDS, "LEFT", "LEFT")
        except redis.ConnectionError as error:
            raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]
        except redis.ResponseError:
            self._room.wait(POLL_SECONDS)


class PipeliningBroker(RedisBroker):
    """Dramatiq's Redis broker, and `one_trip`; without delays."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]
        self._travelling = threading.local()

    @property
    def consumer_class(self) -> type[BlockingConsumer]:
        """What waits for messages."""
        return BlockingConsumer

    @classmethod
    def at(cls, url: str, middleware: list[Middleware]) -> PipeliningBroker:
        """Returns a broker that connects when it is used."""
        client = redis.Redis.from_url(
            url, socket_connect_timeout=5, socket_timeout=10, health_check_interval=15
        )
        return cls(client=client, middleware=middleware, dead_message_ttl=3_600_000)

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
            with _told("refuses messages"):
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
            raise ValueError(NO_DELAYS)
        enqueued: Message[Any] = super().enqueue(message)
        return enqueued

    def do_enqueue(self, *arguments: object) -> object:
        """Puts a message into its queue, or on the way there: called by `enqueue`."""
        at_once = self._dispatch("enqueue")  # type: ignore[no-untyped-call]
        with _told("refuses messages"):
            return getattr(self._travelling, "enqueue", at_once)(*arguments)

    def depth(self, queue_name: str) -> int:
        """Returns how many messages wait in a queue."""
        with _told("does not answer"):
            return int(self.client.llen(f"{self.namespace}:{queue_name}"))

    def marker_stands(self, marker: str) -> bool:
        """Whether the key still stands that tells that Redis has kept its data; sets it if not."""
        with _told("does not answer"):
            return not self.client.set(f"{self.namespace}:{marker}", "1", nx=True)

    def age_seconds(self, queue_name: str) -> float:
        """Returns how long the message that is next in a queue has waited; 0 in an empty queue."""
        name = f"{self.namespace}:{queue_name}"
        with _told("does not answer"):
            first = self.client.lindex(name, 0)
            data = self.client.hget(f"{name}.msgs", first) if first else None
        if not isinstance(data, bytes):
            return 0.0
        return max(0.0, time.time() - Message.decode(data).message_timestamp / 1_000)


@contextmanager
def _told(trouble: str) -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise RedisUnavailable(f"redis {trouble}: {type(error).__name__}") from error

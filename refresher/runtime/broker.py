"""Makes the Dramatiq brokers that the settings ask for, and sends claims through them.

Flows on Redis share one broker, on which `dramatiq refresher.actors` works. A flow in process has one
of its own, and a worker of its own, so that none can hold another up.

An actor keeps the broker that was there when it was declared, so `actors.py` imports this module first.
Nothing connects at import. Redis is a hint: what it loses, the sweep finds.

Dramatiq waits for Redis after each message, which takes a fifth to a third of a millisecond. When many
providers are due at once, each with a few rows, a tick has many small messages: they leave together.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import copy
from functools import partial
from itertools import chain
from typing import Any, Literal
from uuid import UUID

import dramatiq
import redis
from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import Middleware, Retries, ShutdownNotifications

from refresher.errors import RedisUnavailable, RefresherError
from refresher.rules.connection import Claim
from refresher.rules.installation import namespace
from refresher.runtime.log import say_last
from refresher.runtime.queues import NO_DELAYS, BlockingConsumer, InMemoryBroker
from refresher.runtime.trace_middleware import Tracing
from refresher.settings import Settings, load
from refresher.store.leases import Lease


class PipeliningBroker(RedisBroker):
    """Dramatiq's Redis broker, and `one_trip`; without delays."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]
        self._travelling = threading.local()

    @property
    def consumer_class(self) -> type[BlockingConsumer]:
        """What waits for messages."""
        return BlockingConsumer

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
            raise ValueError(NO_DELAYS)
        enqueued: Message[Any] = super().enqueue(message)
        return enqueued

    def do_enqueue(self, *arguments: object) -> object:
        """Puts a message into its queue, or on the way there: called by `enqueue`."""
        at_once = self._dispatch("enqueue")  # type: ignore[no-untyped-call]
        return getattr(self._travelling, "enqueue", at_once)(*arguments)


Transport = Literal["in_process", "redis"]
MARKER = "here"
"""While this key stands, Redis has not lost its data since we set it."""


def make_broker(settings: Settings, transport: Transport | None = None) -> dramatiq.Broker:
    """Returns a broker for a transport (by default the refreshes' own), with what serves us."""
    # No TimeLimit: it would tear a reply out of the hands that hold it until Postgres is back.
    middleware: list[Middleware] = [
        ShutdownNotifications(),
        # The row is the only retry authority; this only sends what failed to the dead letters.
        Retries(max_retries=0),
    ]
    if settings.traces != "off":
        middleware.append(Tracing())
    if (transport or settings.integration_refresh.transport) == "in_process":
        return InMemoryBroker(middleware=middleware, fail_fast_default=False)
    client = redis.Redis.from_url(
        settings.redis, socket_connect_timeout=5, socket_timeout=10, health_check_interval=15
    )
    return PipeliningBroker(client=client, middleware=middleware, dead_message_ttl=3_600_000)


def send(actor: dramatiq.Actor[..., None], groups: Sequence[Sequence[Claim]]) -> None:
    """Sends one message for each group of claims; raises `RedisUnavailable` when Redis refuses.

    A message carries ids and lease tokens as texts and numbers, never a secret.
    """
    with _told(), _one_trip(actor, len(groups)):
        for group in groups:
            actor.send([[str(claim.connection_id), claim.lease_token] for claim in group])


def _one_trip(actor: dramatiq.Actor[..., None], messages: int) -> AbstractContextManager[None]:
    """Returns what sends several messages in one trip to Redis; one is as quick without."""
    broker = actor.broker
    if isinstance(broker, PipeliningBroker) and messages > 2:
        return broker.one_trip()
    return nullcontext()


def send_mails(
    actors: Mapping[str, dramatiq.Actor[..., None]], batches: Sequence[Sequence[Lease]]
) -> None:
    """Sends the message that has one mail sent, for each, to the actor of its form.

    Raises `RedisUnavailable` when Redis refuses.
    """
    with _told():
        for lease in chain.from_iterable(batches):
            actors[lease.form].send(str(lease.id), lease.lease_token)


def send_webhooks(actor: dramatiq.Actor[..., None], batches: Sequence[Sequence[Lease]]) -> None:
    """Sends one message for each batch of webhooks; raises `RedisUnavailable` when Redis refuses."""
    with _told():
        for batch in batches:
            actor.send([[lease.id, lease.lease_token] for lease in batch])


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (redis.RedisError, dramatiq.BrokerConnectionError) as error:
        raise RedisUnavailable(f"redis refuses messages: {type(error).__name__}") from error


def marker_stands(broker: dramatiq.Broker, flow: str = "") -> bool:
    """Whether Redis still has its data; sets the flow's marker when not. Always true without Redis."""
    if not isinstance(broker, RedisBroker):
        return True
    try:
        return not broker.client.set(f"{broker.namespace}:{MARKER}{flow}", "1", nx=True)
    except redis.RedisError as error:
        raise RedisUnavailable(f"redis does not answer: {type(error).__name__}") from error


class Carrier:
    """How a flow's messages reach its actors: over Redis, or on a worker of this process.

    `marker` is the flow's name where a marker tells whether Redis lost what lay there.
    """

    def __init__(
        self, broker: dramatiq.Broker, queue: str, *, threads: int, marker: str = ""
    ) -> None:
        self._broker, self._queue, self._threads = broker, queue, threads
        self._marker = marker
        self._worker: dramatiq.Worker | None = None

    def start(self) -> None:
        """Starts this process's own worker, where there is no Redis."""
        if isinstance(self._broker, InMemoryBroker):
            self._worker = dramatiq.Worker(
                self._broker, queues={self._queue}, worker_threads=self._threads
            )
            self._worker.start()

    def stop(self, seconds: float) -> bool:
        """Lets that worker finish within the time; returns whether there was one."""
        if self._worker is None:
            return False
        self._worker.stop(timeout=int(seconds * 1000))
        return True

    def lost(self) -> bool:
        """Whether Redis lost its data since the last look."""
        return not marker_stands(self._broker, self._marker)


def name_queues(installation: UUID, *others: dramatiq.Broker | None) -> None:
    """Has the queues and markers on Redis carry an installation's name, before any is used.

    Otherwise two installations on one Redis database would take each other's messages.
    """
    for one in (broker, mail_broker, webhook_broker, *others):
        if isinstance(one, RedisBroker):
            one.namespace = namespace(installation)


def queue_depth(broker: dramatiq.Broker, queue: str) -> int:
    """Returns how many messages wait in a queue."""
    if isinstance(broker, RedisBroker):
        try:
            return int(broker.client.llen(f"{broker.namespace}:{queue}"))
        except redis.RedisError as error:
            raise RedisUnavailable(f"redis does not answer: {type(error).__name__}") from error
    return broker.queues[queue].qsize() if queue in broker.queues else 0


def queue_age_seconds(broker: dramatiq.Broker, queue: str) -> float:
    """Returns how long the message that is next in a queue has waited; 0 in an empty queue."""
    if isinstance(broker, RedisBroker):
        name = f"{broker.namespace}:{queue}"
        try:
            first = broker.client.lindex(name, 0)
            data = broker.client.hget(f"{name}.msgs", first) if first else None
        except redis.RedisError as error:
            raise RedisUnavailable(f"redis does not answer: {type(error).__name__}") from error
    else:
        waiting = list(broker.queues[queue].queue) if queue in broker.queues else []
        data = waiting[0] if waiting else None
    if not isinstance(data, bytes):
        return 0.0
    assert isinstance(data, bytes), "the client decodes nothing"
    sent_at = dramatiq.Message.decode(data).message_timestamp / 1000
    return max(0.0, time.time() - sent_at)


def from_environment() -> tuple[dramatiq.Broker, dramatiq.Broker, dramatiq.Broker]:
    """Returns the brokers of refreshes, mails and webhooks.

    A wrong setting ends the process with its sentence: Dramatiq's command line would print a traceback
    for any other exception raised at import.
    """
    try:
        settings = load()
        flows = (
            settings.integration_refresh,
            settings.notification_email,
            settings.webhook_delivery,
        )
        on_redis = any(flow.transport == "redis" for flow in flows)
        shared = make_broker(settings, "redis") if on_redis else None
        refreshes, mails, webhooks = (
            (shared if flow.transport == "redis" else None) or make_broker(settings, "in_process")
            for flow in flows
        )
    except RefresherError as error:
        say_last(error)
        raise SystemExit(error.exit_code) from None
    dramatiq.set_broker(shared or refreshes)
    return refreshes, mails, webhooks


broker, mail_broker, webhook_broker = from_environment()

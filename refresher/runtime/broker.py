"""Makes the Dramatiq brokers that the settings ask for, and sends claims through them.

Flows on a server (`redis.py`, `rabbitmq.py`) share one broker, on which `dramatiq refresher.actors`
works. A flow in process has one of its own, and a worker of its own, so that none can hold another up.

An actor keeps the broker that was there when it was declared, so `actors.py` imports this module first.
Nothing connects at import. Messages are hints: what is lost of them, the sweep finds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from typing import Protocol, runtime_checkable
from uuid import UUID

import dramatiq
from dramatiq.middleware import Middleware, Retries, ShutdownNotifications

from refresher.errors import RefresherError, SettingsError
from refresher.rules.connection import Claim
from refresher.rules.installation import namespace
from refresher.runtime.log import say_last
from refresher.runtime.queues import InMemoryBroker
from refresher.runtime.trace_middleware import Tracing
from refresher.settings import Settings, Transport, load
from refresher.store.leases import Lease


@runtime_checkable
class Remote(Protocol):
    """A broker in a server of its own, Redis or RabbitMQ, without delays.

    `namespace` is what its queues' names begin with. What asks the server raises `RedisUnavailable`.
    """

    namespace: str

    def one_trip(self) -> AbstractContextManager[None]:
        """Sends at the end of the block, together, what this thread enqueues in it."""

    def depth(self, queue_name: str) -> int:
        """Returns how many messages wait in a queue."""

    def age_seconds(self, queue_name: str) -> float | None:
        """Returns how long the next message has waited, 0 where none does; None if it cannot tell."""

    def marker_stands(self, marker: str) -> bool:
        """Whether the server has kept what lay there since the last call; sets the marker if not."""


MARKER = "here"
"""While what has this name stands, the broker has not lost its data since we put it there."""


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
    chosen = transport or settings.integration_refresh.transport
    if chosen == "in_process":
        return InMemoryBroker(middleware=middleware, fail_fast_default=False)
    if chosen == "rabbitmq":
        return _rabbit_broker(settings.rabbitmq, middleware)
    from refresher.runtime.redis import PipeliningBroker  # noqa: PLC0415  a quarter of a second

    return PipeliningBroker.at(settings.redis, middleware)


def _rabbit_broker(url: str, middleware: list[Middleware]) -> dramatiq.Broker:
    try:
        from refresher.runtime.rabbitmq import RabbitBroker  # noqa: PLC0415  it may be missing
    except ImportError:
        raise SettingsError(
            'a transport is rabbitmq, and pika is missing: `pip install "refresher[rabbitmq]"`'
        ) from None
    return RabbitBroker(url, middleware)


def send(actor: dramatiq.Actor[..., None], groups: Sequence[Sequence[Claim]]) -> None:
    """Sends one message for each group of claims; raises `RedisUnavailable` when none are taken.

    A message carries ids and lease tokens as texts and numbers, never a secret.
    """
    with _one_trip(actor, len(groups)):
        for group in groups:
            actor.send([[str(claim.connection_id), claim.lease_token] for claim in group])


def _one_trip(actor: dramatiq.Actor[..., None], messages: int) -> AbstractContextManager[None]:
    """Returns what sends several messages in one trip to the server; one is as quick without."""
    broker = actor.broker
    if isinstance(broker, Remote) and messages > 2:
        return broker.one_trip()
    return nullcontext()


def send_mails(
    actors: Mapping[str, dramatiq.Actor[..., None]], batches: Sequence[Sequence[Lease]]
) -> None:
    """Sends the message that has one mail sent, for each, to the actor of its form.

    Raises `RedisUnavailable` when none are taken.
    """
    for lease in chain.from_iterable(batches):
        actors[lease.form].send(str(lease.id), lease.lease_token)


def send_webhooks(actor: dramatiq.Actor[..., None], batches: Sequence[Sequence[Lease]]) -> None:
    """Sends one message for each batch of webhooks; raises `RedisUnavailable` when none are taken."""
    for batch in batches:
        actor.send([[lease.id, lease.lease_token] for lease in batch])


def marker_stands(broker: dramatiq.Broker, flow: str = "") -> bool:
    """Whether the server still has its data; sets the flow's marker if not. Always true in process."""
    return not isinstance(broker, Remote) or broker.marker_stands(f"{MARKER}{flow}")


class Carrier:
    """How a flow's messages reach its actors: over a server, or on a worker of this process.

    `marker` is the flow's name where a marker tells whether the server lost what lay there.
    """

    def __init__(
        self, broker: dramatiq.Broker, queue: str, *, threads: int, marker: str = ""
    ) -> None:
        self._broker, self._queue, self._threads = broker, queue, threads
        self._marker = marker
        self._worker: dramatiq.Worker | None = None

    def start(self) -> None:
        """Starts this process's own worker, where no server carries."""
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
        """Whether the server lost its data since the last look."""
        return not marker_stands(self._broker, self._marker)


def name_queues(installation: UUID, *others: dramatiq.Broker | None) -> None:
    """Has the queues and markers on a server carry an installation's name, before any is used.

    Otherwise two installations on one Redis database would take each other's messages.
    """
    ours: list[object] = [broker, mail_broker, webhook_broker, *others]
    for one in ours:
        if isinstance(one, Remote):
            one.namespace = namespace(installation)


def queue_depth(broker: dramatiq.Broker, queue: str) -> int:
    """Returns how many messages wait in a queue."""
    if isinstance(broker, Remote):
        return broker.depth(queue)
    return broker.queues[queue].qsize() if queue in broker.queues else 0


def queue_age_seconds(broker: dramatiq.Broker, queue: str) -> float | None:
    """Returns how long the message that is next in a queue has waited; 0 in an empty queue.

    None where the server cannot tell.
    """
    if isinstance(broker, Remote):
        return broker.age_seconds(queue)
    waiting = list(broker.queues[queue].queue) if queue in broker.queues else []
    if not waiting:
        return 0.0
    return max(0.0, time.time() - dramatiq.Message.decode(waiting[0]).message_timestamp / 1_000)


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
        # Of one kind: settings that name two are refused.
        served = {flow.transport for flow in flows if flow.transport != "in_process"}
        shared = make_broker(settings, served.pop()) if served else None
        refreshes, mails, webhooks = (
            (shared if flow.transport != "in_process" else None)
            or make_broker(settings, "in_process")
            for flow in flows
        )
    except RefresherError as error:
        say_last(error)
        raise SystemExit(error.exit_code) from None
    dramatiq.set_broker(shared or refreshes)
    return refreshes, mails, webhooks


broker, mail_broker, webhook_broker = from_environment()

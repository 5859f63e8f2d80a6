"""Makes the Dramatiq broker that the settings ask for, and sends claims through it.

An actor keeps the broker that was there when it was declared, so `actors.py` imports this module first.
Nothing connects at import. Redis is a hint: what it loses, the sweep finds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import Middleware, Retries, ShutdownNotifications

from refresher.errors import RedisUnavailable, RefresherError
from refresher.rules.connection import Claim
from refresher.settings import Settings, load
from refresher.traced_messages import Tracing

MARKER = "refresher:here"
"""While this key stands, Redis has not lost its data since we set it."""


def make_broker(settings: Settings) -> dramatiq.Broker:
    """Returns a broker for the flow's transport, with the few middlewares that serve us."""
    # No TimeLimit: it would tear a reply out of the hands that hold it until Postgres is back.
    middleware: list[Middleware] = [
        ShutdownNotifications(),
        # The row is the only retry authority; this only sends what failed to the dead letters.
        Retries(max_retries=0),
    ]
    if settings.traces != "off":
        middleware.append(Tracing())
    if settings.integration_refresh.transport == "in_process":
        return StubBroker(middleware=middleware, fail_fast_default=False)
    client = redis.Redis.from_url(
        settings.redis, socket_connect_timeout=5, socket_timeout=10, health_check_interval=15
    )
    return RedisBroker(  # type: ignore[no-untyped-call]
        client=client, middleware=middleware, dead_message_ttl=3_600_000
    )


def send(actor: dramatiq.Actor[..., None], groups: Sequence[Sequence[Claim]]) -> None:
    """Sends one message for each group of claims; raises `RedisUnavailable` when Redis refuses.

    A message carries ids and lease tokens as texts and numbers, never a secret.
    """
    try:
        for group in groups:
            actor.send([[str(claim.connection_id), claim.lease_token] for claim in group])
    except (redis.RedisError, dramatiq.ConnectionError) as error:
        raise RedisUnavailable(f"redis refuses messages: {type(error).__name__}") from error


def marker_stands(broker: dramatiq.Broker) -> bool:
    """Whether Redis still has its data; sets the marker when not. Always true without Redis."""
    if not isinstance(broker, RedisBroker):
        return True
    try:
        return not broker.client.set(MARKER, "1", nx=True)
    except redis.RedisError as error:
        raise RedisUnavailable(f"redis does not answer: {type(error).__name__}") from error


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
            data = first and broker.client.hget(f"{name}.msgs", first)
        except redis.RedisError as error:
            raise RedisUnavailable(f"redis does not answer: {type(error).__name__}") from error
    else:
        waiting = list(broker.queues[queue].queue) if queue in broker.queues else []
        data = waiting[0] if waiting else None
    if not isinstance(data, bytes):
        return 0.0
    sent_at = dramatiq.Message.decode(data).message_timestamp / 1000
    return max(0.0, time.time() - sent_at)


def from_environment() -> dramatiq.Broker:
    """Returns this process's broker; a wrong setting ends the process with its sentence.

    Dramatiq's command line would print a traceback for any other exception raised at import.
    """
    try:
        made = make_broker(load())
    except RefresherError as error:
        print(f"refresher: {error}", file=sys.stderr)  # noqa: T201  before logging is set up
        raise SystemExit(error.exit_code) from None
    dramatiq.set_broker(made)
    return made


broker = from_environment()

"""The Dramatiq actors: `python -m refresher.worker` runs them against Redis, the scheduler in process.

An actor is a door, not a place for logic: it opens log context and timer and calls the story.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import dramatiq
import structlog

from refresher.errors import DatabaseUnavailable
from refresher.notify.delivery import deliver, deliver_apart
from refresher.notify.mail_channel import MAIL
from refresher.notify.webhook_channel import WEBHOOKS
from refresher.refresh.steps import refresh
from refresher.rules.connection import Claim
from refresher.runtime import checkpoints
from refresher.runtime.broker import broker, mail_broker, webhook_broker
from refresher.runtime.services import services
from refresher.runtime.worker import WorkerProcess
from refresher.settings import load
from refresher.store.leases import Lease

log = structlog.get_logger()
_settings = load()
for _broker in {broker, mail_broker, webhook_broker}:
    _broker.add_middleware(WorkerProcess())


@dramatiq.actor(
    actor_name="refresh_connections",
    queue_name=_settings.integration_refresh.queue,
    max_retries=0,
    broker=broker,
)
def refresh_connections(claims: list[tuple[str, int]]) -> None:
    """Reloads, guards and refreshes the claimed connections; a stale claim is a no-op.

    Raises nothing for what a provider does. A bug in one batch ends that batch; the sweep makes its
    rows due again, and parks a row that keeps ending batches.
    """
    checkpoints.reach("received")
    started = time.monotonic()
    bound = structlog.contextvars.bound_contextvars(batch=len(claims))
    with bound, _left_to_the_sweep("refreshes"):
        tally = services().helpers.share(
            claims, lambda: refresh(services(), [Claim(_id(text), token) for text, token in claims])
        )
        seconds = round(time.monotonic() - started, 3)
        log.info("batch done", seconds=seconds, **{kind: n for kind, n in tally.items() if n})


def _id(text: str) -> UUID:
    """Reads an id as we wrote it into the message, in a third of the time that `UUID(text)` takes."""
    return UUID(int=int(text.replace("-", ""), 16))


@dramatiq.actor(
    actor_name="send_notification",
    queue_name=_settings.notification_email.queue,
    max_retries=0,
    broker=mail_broker,
)
def send_notification(mail_id: str, lease_token: int) -> None:
    """Sends one notice to one recipient; a stale claim is a no-op."""
    _deliver(mail_id, lease_token)


@dramatiq.actor(
    actor_name="flush_digest",
    queue_name=_settings.notification_email.queue,
    max_retries=0,
    broker=mail_broker,
)
def flush_digest(mail_id: str, lease_token: int) -> None:
    """Sends what has gathered for one recipient; what it delivered is marked, the rest stays."""
    _deliver(mail_id, lease_token)


def _deliver(mail_id: str, lease_token: int) -> None:
    with structlog.contextvars.bound_contextvars(mail=mail_id), _left_to_the_sweep("mails"):
        deliver(services(), MAIL, [Lease(UUID(mail_id), lease_token)])


@dramatiq.actor(
    actor_name="deliver_webhooks",
    queue_name=_settings.webhook_delivery.queue,
    max_retries=0,
    broker=webhook_broker,
)
def deliver_webhooks(claims: list[tuple[int, int]]) -> None:
    """Has the claimed messages sent, and does not wait for that; a stale claim is a no-op."""
    with _left_to_the_sweep("webhooks"):
        deliver_apart(services(), WEBHOOKS, [Lease(id_, token) for id_, token in claims])


@contextmanager
def _left_to_the_sweep(what: str) -> Iterator[None]:
    """Ends a message that met a Postgres that is away, in a line now and then: its rows are swept."""
    try:
        yield
    except DatabaseUnavailable as error:
        services().seldom.warning(
            "left to the sweep: postgres is away", what, what=what, why=str(error)
        )

"""The queue of refreshes at a glance, for `refresher top` and the dashboard."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from refresher.errors import RefresherError
from refresher.settings import Settings


@dataclass(frozen=True, slots=True)
class QueueNow:
    """The queue at a glance; `depth` is None where it is in a scheduler's memory, or not to be had."""

    transport: str
    name: str
    depth: int | None
    oldest_seconds: float | None = None
    trouble: str | None = None


def queue_now(settings: Settings, installation: UUID) -> QueueNow:
    """Returns depth and age of the queue; a Redis that is away is told, not raised."""
    flow = settings.integration_refresh
    if flow.transport == "in_process":
        return QueueNow(flow.transport, flow.queue, None)
    from refresher.runtime.broker import (  # noqa: PLC0415  it reads the environment
        make_broker,
        name_queues,
        queue_age_seconds,
        queue_depth,
    )

    try:
        broker = make_broker(settings)
        name_queues(installation, broker)
        try:
            depth, age = queue_depth(broker, flow.queue), queue_age_seconds(broker, flow.queue)
        finally:
            broker.close()
    except RefresherError as error:
        return QueueNow(flow.transport, flow.queue, None, trouble=str(error))
    return QueueNow(flow.transport, flow.queue, depth, age)

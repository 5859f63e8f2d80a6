"""What a Dramatiq worker process does around its work: logging, heartbeat, health, clean stop.

Hooked in as a middleware, so that plain `dramatiq refresher.actors` is all one needs to run. Everything
starts after the fork.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

import dramatiq
from dramatiq.middleware import Middleware

from refresher.errors import RefresherError
from refresher.runtime import process
from refresher.runtime.log import adopt_all, say_last
from refresher.runtime.queues import EndablePriorityQueue, InMemoryBroker
from refresher.runtime.services import services
from refresher.runtime.shutdown import GRACE_SECONDS, end_within, parent_was_asked

IDLE_PICKUP_MILLISECONDS = 100
"""How long an idle consumer may leave a message waiting that waits for it by a clock (`queues.py`: ours
do not); Dramatiq's own default is a second."""

REDIS_AGAIN_SECONDS = 1
"""How soon a worker asks a Redis again that was away; Dramatiq waits three seconds, and five."""


class WorkerProcess(Middleware):
    """Starts and stops what belongs to one worker process."""

    def __init__(self) -> None:
        self._process: process.Process | None = None

    def after_process_boot(self, broker: dramatiq.Broker) -> None:
        """Called by Dramatiq's command line only, in each worker process, right after the fork."""
        _end_at_once_when_asked_twice()
        adopt_all()
        try:
            with process.starting("worker"):
                self._process = _boot(broker)
        except RefresherError as error:
            # Dramatiq swallows every other exception, and would go on with a worker nobody knows.
            say_last(error)
            sys.exit(error.exit_code)

    def before_worker_boot(self, _broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Has idle threads sleep until there is work; keeps few messages in a memory that may die."""
        worker.work_queue = EndablePriorityQueue()
        worker.worker_timeout = IDLE_PICKUP_MILLISECONDS
        worker.queue_prefetch = worker.worker_threads
        dramatiq.worker.CONSUMER_RESTART_DELAY_SECS = REDIS_AGAIN_SECONDS
        dramatiq.worker.POST_PROCESS_MESSAGE_RETRY_DELAY_SECS = REDIS_AGAIN_SECONDS

    def before_worker_shutdown(self, _broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Lets what is in flight finish; what has not begun goes back."""
        if isinstance(worker.work_queue, EndablePriorityQueue):
            worker.work_queue.end()
        if self._process is not None:
            end_within(services().settings.shutdown_seconds + GRACE_SECONDS)
            services().ask_to_stop()
            services().deliverers.shutdown(wait=False, cancel_futures=True)

    def after_worker_shutdown(self, _broker: dramatiq.Broker, _worker: dramatiq.Worker) -> None:
        """Ends the heartbeat, which notes a clean stop."""
        if self._process is not None:
            services().finish_deliveries()
            self._process.stop()


def _end_at_once_when_asked_twice() -> None:
    """Dramatiq's own answer to a second signal waits for whatever hangs."""
    before = signal.getsignal(signal.SIGTERM)
    if not callable(before):
        return
    seen: list[int] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        if seen:
            os._exit(128 + number)
        seen.append(number)
        before(number, frame)

    signal.signal(signal.SIGTERM, on_signal)


def _boot(broker: dramatiq.Broker) -> process.Process:
    if isinstance(broker, InMemoryBroker):
        raise process.WrongTransport(
            "REFRESHER_INTEGRATION_REFRESH__TRANSPORT is in_process: the scheduler runs the actors "
            "itself, so do not start `dramatiq refresher.actors`, or choose redis or rabbitmq"
        )
    running = process.Process("worker", services(), broker)
    running.asked_to_stop = parent_was_asked
    running.start()
    process.spare_collections()
    return running

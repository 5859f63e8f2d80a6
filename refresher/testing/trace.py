"""Tells what happened in a test, but only when it fails: points, replies, decisions, log lines, events.

No token can stand in it: values are told by their kind, and what the story keeps is masked.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from structlog.testing import capture_logs

from refresher.refresh.attempt import Attempt
from refresher.rules.decision import Decision
from refresher.rules.outcomes import Reply
from refresher.runtime import checkpoints
from refresher.runtime.checkpoints import Point
from refresher.testing.history import EventRecorder
from refresher.testing.sandbox import Sandbox

T = TypeVar("T")


def run_with_trace(sandbox: Sandbox, work: Callable[[], T]) -> T:
    """Returns `work()`; when that raises, prints on stderr what happened until then."""
    with traced(sandbox):
        return work()


@contextmanager
def traced(sandbox: Sandbox) -> Iterator[None]:
    """Does the same for a block."""
    lines: list[str] = []
    recorder = EventRecorder(sandbox.services.database)
    began = time.monotonic()
    before = checkpoints.install(None)

    def reached(point: Point) -> None:
        seen = checkpoints.in_hand()
        lines.append(
            f"{time.monotonic() - began:8.3f} s  {point:<12} {_told(point, seen)}".rstrip()
        )
        if before is not None:
            before(point)

    checkpoints.install(reached)
    try:
        with capture_logs() as logged:
            yield
    except BaseException:
        print(_whole(lines, logged, recorder), file=sys.stderr)  # noqa: T201  what it is for
        raise
    finally:
        checkpoints.install(before)


def _told(point: Point, seen: object) -> str:
    """Returns what was in hand, in a few words and without a secret."""
    match seen:
        case None:
            return ""
        case Decision():
            due = seen.next_due_in_seconds
            return f"{seen.event}, " + ("no next one" if due is None else f"due in {due:.1f} s")
        case list() if point == "replied":
            return ", ".join(_reply(pair) for pair in seen)
        case (list() as ready, list() as aside):
            return f"{len(ready)} may begin, {len(aside)} set aside"
        case list() | set() | frozenset():
            return f"{len(seen)} rows"
        case _:
            return type(seen).__name__


def _reply(pair: tuple[Attempt, Reply]) -> str:
    attempt, reply = pair
    return f"{attempt.provider.name}: {reply.status or reply.failure}"


def _whole(lines: Sequence[str], logged: Sequence[object], recorder: EventRecorder) -> str:
    try:
        events = [f"  {event.connection_id} {event}" for event in recorder]
    except Exception as error:  # noqa: BLE001  the failure is told, not this
        events = [f"  cannot be read: {type(error).__name__}"]
    parts = {
        "What the refresh reached": [f"  {line}" for line in lines],
        "What it logged": [f"  {line}" for line in logged],
        "What it left in refresh_event": events,
    }
    return "\n".join(line for title, told in parts.items() for line in (title, *(told or ["  –"])))

"""Named points in the story at which a test may stop, kill or freeze a process.

In production nothing is installed and `reach` is one comparison. Tests install a function (see
`refresher.testing.triggers`); the names are those of the steps that have just been done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

Point = Literal[
    "claimed",  # committed in Postgres, not handed over
    "handed_over",  # in Redis, or in the queue of this process
    "received",  # by an actor
    "reloaded",
    "begun",  # committed: the request may leave
    "sent",  # the whole request has left; only httpx tells, so set REFRESHER_SENDER=httpx
    "replied",  # the reply is here, nothing is written
    "committing",  # written, not committed
    "committed",
    "webhook_begun",  # committed: the message may leave
    "webhook_answered",  # the endpoint has it, nothing is written
    "sweeping",  # stalled rows are chosen and locked
    "mail_claimed",  # a mail is leased, not handed over
    "mail_begun",  # committed: the mail may leave
    "mailed",  # the mail server has answered, nothing is written
]

_installed: Callable[[Point], None] | None = None


def install(function: Callable[[Point], None] | None) -> None:
    """Has `function` called at each point; None ends that. For tests only."""
    global _installed  # noqa: PLW0603  one per process, like a signal handler
    _installed = function


def installed() -> bool:
    """Whether a test is listening."""
    return _installed is not None


def reach(point: Point) -> None:
    """Tells a listening test that `point` has been reached."""
    if _installed is not None:
        _installed(point)

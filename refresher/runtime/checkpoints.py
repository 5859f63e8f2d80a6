"""Named points in the story at which a test may stop, kill or freeze a process.

In production nothing is installed and `reach` is one comparison. Tests install a function (see
`refresher.testing`: triggers.py, stepper.py, trace.py); the names are those of the steps that have just
been done, and `in_hand` is what the story had in hand there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal

Point = Literal[
    "claimed",  # committed in Postgres, not handed over
    "handed_over",  # in Redis, or in the queue of this process
    "received",  # by an actor
    "reloaded",
    "guarded",  # pure: nothing is parked or begun yet
    "begun",  # committed: the request may leave
    "sent",  # the whole request has left; only httpx tells, so set REFRESHER_SENDER=httpx
    "replied",  # the reply is here, nothing is written
    "classified",
    "decided",
    "committing",  # written, not committed
    "committed",
    "webhook_claimed",  # messages are leased, not handed over
    "webhook_begun",  # committed: the message may leave
    "webhook_answered",  # the endpoint has it, nothing is written
    "sweeping",  # stalled rows are chosen and locked
    "mail_claimed",  # a mail is leased, not handed over
    "mail_begun",  # committed: the mail may leave
    "mailed",  # the mail server has answered, nothing is written
    "code_sending",  # the session is exchanging, committed: its code may leave
    "code_answered",  # the answer to a code is here, nothing is written
    "code_held",  # it is committed in the session's row
    "promoting",  # the connection is written, not committed
]

Listener = Callable[[Point], None]
_installed: Listener | None = None
_here = threading.local()


def install(function: Listener | None) -> Listener | None:
    """Has `function` called at each point, None ends that; returns who listened. For tests only."""
    global _installed
    before, _installed = _installed, function
    return before


def installed() -> bool:
    """Whether a test is listening."""
    return _installed is not None


def reach(point: Point, in_hand: object = None) -> None:
    """Tells a listening test that `point` has been reached, and with what."""
    if _installed is not None:
        _here.in_hand = in_hand
        _installed(point)


def in_hand() -> object:
    """Returns what the story of this thread had in hand at the point that is being listened to."""
    return getattr(_here, "in_hand", None)

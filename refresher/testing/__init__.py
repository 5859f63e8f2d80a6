"""The test kit: what the tests of applications that use refresher are made of.

Never imported by production code, and nothing is loaded before it is asked for. The pytest fixtures are
in `plugin.py`, the words explained in docs/testing.md.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from refresher.devkit.browser import Browser as Browser
    from refresher.devkit.oauth_server import FakeProvider as FakeProvider
    from refresher.devkit.oauth_server import FaultRule as FaultRule
    from refresher.devkit.oauth_server import Options as Options
    from refresher.testing.history import EventRecorder as EventRecorder
    from refresher.testing.history import RecordedEvent as RecordedEvent
    from refresher.testing.history import check_history as check_history
    from refresher.testing.proof import prove as prove
    from refresher.testing.sandbox import FrozenClock as FrozenClock
    from refresher.testing.sandbox import Sandbox as Sandbox
    from refresher.testing.stepper import Stepper as Stepper
    from refresher.testing.strategies import Sample as Sample
    from refresher.testing.strategies import check_strategy as check_strategy
    from refresher.testing.trace import run_with_trace as run_with_trace

_HOMES = {
    "Browser": "refresher.devkit.browser",
    "EventRecorder": "refresher.testing.history",
    "FakeProvider": "refresher.devkit.oauth_server",
    "FaultRule": "refresher.devkit.oauth_server",
    "FrozenClock": "refresher.testing.sandbox",
    "Options": "refresher.devkit.oauth_server",
    "RecordedEvent": "refresher.testing.history",
    "Sample": "refresher.testing.strategies",
    "Sandbox": "refresher.testing.sandbox",
    "Stepper": "refresher.testing.stepper",
    "check_history": "refresher.testing.history",
    "check_strategy": "refresher.testing.strategies",
    "prove": "refresher.testing.proof",
    "run_with_trace": "refresher.testing.trace",
}
__all__ = [
    "Browser",
    "EventRecorder",
    "FakeProvider",
    "FaultRule",
    "FrozenClock",
    "Options",
    "RecordedEvent",
    "Sample",
    "Sandbox",
    "Stepper",
    "check_history",
    "check_strategy",
    "prove",
    "run_with_trace",
]


def __getattr__(name: str) -> object:
    """Loads a part of the kit when it is first named."""
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(_HOMES[name]), name)

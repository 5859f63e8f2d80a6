"""A worker whose start fails in a way that nobody foresaw: `dramatiq tests.broken_worker`."""

import dramatiq

from refresher import actors
from refresher.runtime import worker
from refresher.runtime.process import Process


def _fail(broker: dramatiq.Broker) -> Process:
    raise ZeroDivisionError("nobody foresaw this\nand nobody wants a second line")


worker._boot = _fail
assert actors

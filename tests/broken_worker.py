"""A worker whose start fails in a way that nobody foresaw: `dramatiq tests.broken_worker`."""

from typing import NoReturn

import dramatiq

from refresher import actors, worker_process


def _fail(_broker: dramatiq.Broker) -> NoReturn:
    raise ZeroDivisionError("nobody foresaw this\nand nobody wants a second line")


worker_process._boot = _fail
assert actors

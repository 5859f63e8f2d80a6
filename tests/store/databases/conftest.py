"""Poolers, which the machine has or has not."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.guard import Guard
from tests.postgres_versions import COMPLETE
from tests.store.databases.pgbouncer import Mode, pooler, program

Through = Callable[[str, Mode], str]


@pytest.fixture
def through(guard: Guard) -> Iterator[Through]:
    """Returns what puts a PgBouncer in a mode before a database: `through(url, "session")`."""
    if program() is None and COMPLETE not in os.environ:
        pytest.skip("PgBouncer is not there: apt-get install pgbouncer")
    with ExitStack() as stack:
        yield lambda url, mode: stack.enter_context(pooler(guard, url, mode))

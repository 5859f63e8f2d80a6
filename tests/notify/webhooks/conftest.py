"""Receivers that listen, and one that does not."""

from collections.abc import Iterator

import pytest

from tests.notify.webhooks.receiver import Receiver
from tests.ports import free_port


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that takes everything."""
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def other() -> Iterator[Receiver]:
    """A second one."""
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def nobody() -> str:
    """A URL at which nothing listens."""
    return f"http://127.0.0.1:{free_port()}/hooks"

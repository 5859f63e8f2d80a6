"""A RabbitMQ, which the machine has or has not."""

import os
from collections.abc import Iterator
from uuid import uuid4

import pytest
from dramatiq.middleware import Retries

from refresher.runtime.rabbitmq import RabbitBroker
from tests.guard import Guard
from tests.postgres_versions import COMPLETE
from tests.rabbitmq.server import RabbitServer, program


@pytest.fixture(scope="session")
def rabbit_server(guard: Guard) -> Iterator[RabbitServer]:
    """A RabbitMQ server, one a session."""
    if program("rabbitmq-server") is None and COMPLETE not in os.environ:
        pytest.skip("RabbitMQ is not there: apt-get install rabbitmq-server")
    server = RabbitServer(guard)
    server.start()
    yield server
    server.close()


@pytest.fixture
def rabbit(rabbit_server: RabbitServer) -> RabbitServer:
    """The server, running, whatever the test before has done to it."""
    rabbit_server.start()
    return rabbit_server


@pytest.fixture
def broker(rabbit: RabbitServer) -> Iterator[RabbitBroker]:
    """A broker of an installation of this test's own."""
    made = RabbitBroker(rabbit.url(), [Retries(max_retries=0)])
    made.namespace = f"refresher:{uuid4().hex}"
    yield made
    made.close()

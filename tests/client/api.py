"""The HTTP API in this process, on a real socket, for the SDK to talk to."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from refresher.connections import api_keys
from refresher.rules.access import Actor, Scope
from refresher.runtime.liveness import Heartbeat
from refresher.runtime.services import Services
from refresher.web.app import Api
from tests.ports import LOOPBACK, free_port
from tests.waiting import wait_until


@contextmanager
def serving(services: Services, port: int | None = None) -> Iterator[str]:
    """Serves the API as the web process does, and yields its URL."""
    port, api, heartbeat = port or free_port(), Api(services), Heartbeat(services, "web")
    heartbeat.start()
    config = uvicorn.Config(api, host=LOOPBACK, port=port, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started, 30)
    yield f"http://{LOOPBACK}:{port}"
    server.should_exit = True
    thread.join(30)
    api.close()
    heartbeat.stop()


def new_key(services: Services, organization_id: str | None = "org") -> str:
    """Returns an API key that may do everything in the tests' organization, or in all."""
    made = api_keys.create(
        services.database,
        name="sdk",
        scopes=frozenset(Scope),
        organization_id=organization_id,
        by=Actor("cli:ann"),
    )
    return made.text.reveal()

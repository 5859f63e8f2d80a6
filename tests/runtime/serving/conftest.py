"""A web process under the eyes of strangers: how much memory it has, and whether it answers."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from refresher.runtime.cipher import new_key
from tests.ports import free_port
from tests.processes import Process, Spawner
from tests.waiting import wait_until

HEALTH = b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


class Stranger:
    """Opens connections to one process, and closes what is left of them at the end."""

    def __init__(self, process: Process, port: int, stack: ExitStack) -> None:
        self.process = process
        self.port = port
        self._stack = stack

    def connect(self, limit_seconds: float = 60.0) -> socket.socket:
        """Returns a connection that stays."""
        made = socket.create_connection(("127.0.0.1", self.port), timeout=limit_seconds)
        return self._stack.enter_context(made)

    def half(self, sent: bytes) -> socket.socket:
        """Sends something and leaves it at that."""
        made = self.connect()
        with suppress(OSError):  # it may be refused before it is sent
            made.sendall(sent)
        return made

    def asks(self, *pieces: bytes) -> bytes:
        """Sends the pieces of a request, and returns all that is answered until the end."""
        made = self.connect()
        with suppress(OSError):
            for piece in pieces:
                made.sendall(piece)
        answer = b""
        with suppress(ConnectionError):
            while came := made.recv(65_536):
                answer += came
        made.close()
        return answer

    def is_well(self) -> bool:
        """Whether the health page answers."""
        return self.asks(HEALTH).startswith(b"HTTP/1.1 200 ")

    @property
    def memory(self) -> int:
        """The most bytes of memory that the process ever had."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in text.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024


@pytest.fixture
def stranger(
    database_url: str, spawn: Spawner, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Stranger]]:
    """Starts `python -m MODULE` and returns a stranger to it."""
    with ExitStack() as stack:

        def start(module: str = "refresher.web", **env: str) -> Stranger:
            given = {
                "DATABASE_URL": database_url,
                "REFRESHER_ENCRYPTION_KEYS": new_key(),
                "REFRESHER_INTEGRATION_REFRESH__TRANSPORT": "in_process",
                "PORT": str(free_port()),
            } | env
            process = spawn("-m", module, env=given)
            process.wait_for("started")
            made = Stranger(process, int(given["PORT"]), stack)
            wait_until(made.is_well, reason=lambda: process.output)
            return made

        yield start

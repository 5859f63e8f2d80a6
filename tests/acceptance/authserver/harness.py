"""Starts the authorization server as a process of its own and asks it questions.

It never imports Django, and waits for signs, never for time. What the server recorded is read with
request_log.py; what the server itself promises is tested in test_authserver.py.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests import loopback

from . import request_log
from .options import Options
from .request_log import TokenRequest

PROJECT = Path(__file__).resolve().parents[3]
STOP_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Ready:
    """What the server says of itself in its first line."""

    url: str
    token_url: str
    introspect_url: str
    client_id: str
    pid: int
    grants_file: str
    seeded_at: float
    client_secret: str = field(repr=False)
    introspection: dict[str, str] = field(repr=False)


class AuthServer(AbstractContextManager["AuthServer"]):
    """A running authorization server with `grants` users who have granted one client access.

    Access tokens live `access_token_seconds` from each refresh; the first ones three fifths to the
    whole of it. A refresh token that comes back later than `grace_seconds` after it was spent ends
    its whole family.
    """

    ready: Ready

    def __init__(
        self,
        directory: Path,
        *,
        grants: int = 50,
        access_token_seconds: int = 20,
        grace_seconds: int = 0,
        start_seconds: float = 100.0,
    ) -> None:
        self._options = Options(directory, grants, access_token_seconds, grace_seconds)
        self._start_seconds = start_seconds
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            self.ready = opening.enter_context(_running(self._options, self._start_seconds))
            credentials = self.ready.introspection
            self._resource_server = opening.enter_context(
                # A proxy of the machine's has no business between two local processes.
                loopback.client(auth=(credentials["client_id"], credentials["client_secret"]))
            )
            self._open = opening.pop_all()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open.close()

    @property
    def token_url(self) -> str:
        """Where refresh tokens are presented."""
        return self.ready.token_url

    @property
    def client_id(self) -> str:
        """Names the client that all grants belong to."""
        return self.ready.client_id

    @property
    def client_secret(self) -> str:
        """Proves that client, in a Basic header or in the body."""
        return self.ready.client_secret

    def grants(self) -> list[dict[str, Any]]:
        """Returns the seeded grants, as `refresher import` takes them.

        `expires_in` counts from this call, not from the seeding, so that a slow start of the system
        under test does not make it believe in tokens that are already dead. It may be negative.
        """
        age_seconds = time.time() - self.ready.seeded_at
        lines = Path(self.ready.grants_file).read_text(encoding="utf-8").splitlines()
        grants: list[dict[str, Any]] = [json.loads(line) for line in lines]
        return [{**grant, "expires_in": grant["expires_in"] - age_seconds} for grant in grants]

    def introspect(self, tokens: Sequence[str]) -> list[bool]:
        """Returns which access tokens the server accepts at this moment (RFC 7662), in order."""
        return [self._is_active(token) for token in tokens]

    def _is_active(self, token: str) -> bool:
        answer = self._resource_server.post(self.ready.introspect_url, data={"token": token})
        answer.raise_for_status()
        return bool(answer.json()["active"])

    def requests(self) -> list[TokenRequest]:
        """Returns every token request answered so far."""
        return request_log.read(self._options.requests_file)

    def presented_twice(self) -> int:
        """Counts the refresh tokens that reached the server more than once.

        A repeat inside the grace, or after a refused client secret, counts as well: `requests`
        tells them apart by their answers.
        """
        return request_log.presented_twice(self.requests())


@contextmanager
def _running(options: Options, start_seconds: float) -> Iterator[Ready]:
    """Runs the server and yields its ready line; leaving stops it."""
    options.directory.mkdir(parents=True, exist_ok=True)
    log_file = options.directory / "authserver.log"
    command = [sys.executable, "-m", __package__, *options.arguments()]
    # The test run may turn warnings into errors; the toolkit's own are not its business.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONWARNINGS"}
    with (
        log_file.open("a") as log,
        subprocess.Popen(
            command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        try:
            yield _ready(process, log_file, start_seconds)
        finally:
            _stop(process)


def _ready(process: subprocess.Popen[str], log_file: Path, start_seconds: float) -> Ready:
    """Waits for the ready line, or tells why it did not come."""
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], start_seconds)
    line = process.stdout.readline() if readable else ""
    if not line:
        said = "\n".join(log_file.read_text().splitlines()[-20:])
        state = "ended" if readable else f"was not ready within {start_seconds:g} s"
        message = f"The authorization server {state}. Its log ends with:\n{said}"
        raise RuntimeError(message)
    return Ready(**json.loads(line))


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()

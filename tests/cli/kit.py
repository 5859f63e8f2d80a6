"""Runs the command line for tests: in this process, or as a process of its own where it counts."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from refresher.cli.app import build
from tests.processes import AT_HOME, OURS
from tests.warm import Warm

COMMAND = [sys.executable, "-m", "refresher"]
_numbers = count(1)
LIMIT_SECONDS = 200  # no assumption: only against hanging


@dataclass(frozen=True)
class Ran:
    """What a command printed, and its exit code."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.stdout)

    @property
    def lines(self) -> list[Any]:
        """The JSON documents on stdout, one a line."""
        return [json.loads(line) for line in self.stdout.splitlines()]

    def refused(self, *parts: str, code: int = 2) -> None:
        """Asserts that this ended in one sentence with all `parts` in it, and no traceback."""
        sentences = [line for line in self.stderr.splitlines() if line.startswith("refresher: ")]
        assert self.code == code, (self.code, self.stderr)
        assert len(sentences) == 1, self.stderr
        assert "Traceback" not in self.stderr + self.stdout
        for part in parts:
            assert part in sentences[0], sentences[0]


@dataclass
class Cli:
    """The command line, with an environment of its own."""

    folder: Path
    warm: Warm
    env: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: object, stdin: str | None = None) -> Ran:
        """Runs a command in this process, and leaves this process's logging as it is."""
        texts = [str(argument) for argument in arguments]
        with pytest.MonkeyPatch.context() as patch:
            # Else all that is logged from here on would go to the runner's stream, which is closed.
            patch.setattr("refresher.runtime.log.configure", lambda settings: None)
            result = CliRunner().invoke(
                build(), texts, input=stdin, env=self.env, prog_name="refresher"
            )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    def process(self, *arguments: object, stdin: bytes = b"", **env: str) -> Ran:
        """Runs a command as a process of its own, as people do."""
        number = next(_numbers)  # several may run at the same time
        ends = {end: self.folder / f".{end}-{number}" for end in ("stdin", "stdout", "stderr")}
        ends["stdin"].write_bytes(stdin)
        environment = self.environment(env)
        started = self.warm.start(
            ["refresher", *map(str, arguments)], environment, folder=self.folder, **ends
        )
        code = started.wait(LIMIT_SECONDS)
        return Ran(code, ends["stdout"].read_text(), ends["stderr"].read_text())

    @contextmanager
    def running(self, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
        """Starts a command as a process; whatever happens to the test, the process ends with it."""
        command = [*COMMAND, *map(str, arguments)]
        with subprocess.Popen(
            command,
            env=self.environment({}),
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """Returns this test's environment: the machine's, without what concerns refresher."""
        machine = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
        return machine | AT_HOME | self.env | dict(more)

    def file(self, name: str, rows: list[Any]) -> Path:
        """Writes JSON Lines; a text or bytes stands for itself."""
        path = self.folder / name
        path.write_bytes(b"".join(_line(row) + b"\n" for row in rows))
        return path

    def connect(self, *external_ids: str, **fields: object) -> None:
        """Imports connections, by default of an hour, and asserts that all are taken."""
        rows = [row(external_id, **fields) for external_id in external_ids]
        ran = self("connections", "import", self.file("connect.jsonl", rows))
        assert ran.code == 0, ran.stderr

    def show(self, connection: str) -> Any:
        """Returns a connection as `show` tells it."""
        return self("connections", "show", connection, "--json").json


def row(external_id: str, **fields: object) -> dict[str, object]:
    """Returns one connection as it is imported; a field of None is left out."""
    whole = {
        "organization_id": "org",
        "provider": "acme",
        "external_id": external_id,
        "access_token": f"access-of-{external_id}",
        "refresh_token": f"refresh-of-{external_id}",
        "expires_in": 3600,
        **fields,
    }
    return {name: value for name, value in whole.items() if value is not None}


def _line(row: Any) -> bytes:
    if isinstance(row, bytes):
        return row
    return (row if isinstance(row, str) else json.dumps(row)).encode()

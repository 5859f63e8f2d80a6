"""Runs servers that we did not write as programs of their own.

A server prints one line of JSON when it listens, and ends with its standard input, which ends with us.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FETCHED = HERE / "node_modules" / ".fetched"
STOP_SECONDS = 20.0


@contextmanager
def running(program: str, log: Path) -> Iterator[dict[str, Any]]:
    """Runs a program of Node's that stands in this folder; yields what its first line tells."""
    assert FETCHED.exists(), "OAuth servers out of npm are not there: `make foreign`"
    command = ["node", str(HERE / program)]
    environment = {name: text for name, text in os.environ.items() if name != "NODE_OPTIONS"}
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=errors, text=True,
        ) as process,
    ):  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line, f"{program} did not start: {log.read_text()[-2_000:]}"
            yield json.loads(line)
        finally:
            process.stdin.close()
            process.stdout.close()
            process.wait(STOP_SECONDS)

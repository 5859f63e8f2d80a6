"""Runs servers that we did not write as programs of their own: Node's, and Python's on WSGI.

A server prints one line of JSON when it listens, and ends with its standard input, which ends with us.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

HERE = Path(__file__).parent
PROJECT = HERE.parent.parent
FETCHED = HERE / "node_modules" / ".fetched"
STOP_SECONDS = 20.0


@contextmanager
def running(program: str, log: Path, *arguments: Path | str) -> Iterator[dict[str, Any]]:
    """Runs `name.mjs` or the module `name` of this folder; yields what its first line tells."""
    if program.endswith(".mjs"):
        assert FETCHED.exists(), "OAuth servers out of npm are not there: `make foreign`"
        command = ["node", str(HERE / program)]
    else:
        command = [sys.executable, "-m", f"{__package__}.{program}"]
    command += map(str, arguments)
    ours = {"NODE_OPTIONS", "PYTHONWARNINGS"}
    environment = {name: text for name, text in os.environ.items() if name not in ours}
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


class _Quiet(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        """Says nothing: requests carry secrets."""


def serve(application: Any, told: Callable[[str], dict[str, object]]) -> None:
    """Serves a WSGI application until standard input ends; `told` makes the line of its URL."""
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Quiet)
    url = f"http://127.0.0.1:{server.port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(json.dumps({"url": url, **told(url)}) + "\n")
    sys.stdout.flush()
    sys.stdin.read()

"""Starts Python processes from one that has the libraries imported already.

A scheduler or a worker imports for a second of processor time before it does anything, and the tests
start hundreds of them. So a process that has imported all that reads no settings forks, and the child
runs `python -m …` as if it had been started so: in a session and an environment of its own, its output
in a file.

`Warm` is the side inside pytest; run as a program, this file is the other side. The two talk in lines
of JSON over a socket, whose end means that pytest has ended.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

LIBRARIES = (
    "alembic.command",
    "apscheduler.schedulers.background",
    "coverage",
    "cryptography.hazmat.primitives.ciphers.aead",
    "dramatiq.cli",
    "dramatiq.brokers.redis",
    "fastapi.applications",
    "httpx",
    "jinja2",
    "orjson",
    "psycopg",
    "pydantic_settings",
    "redis.asyncio",
    "rich.live",
    "sqlalchemy.dialects.postgresql.psycopg",
    "starlette.applications",
    "structlog",
    "typer",
    "uvicorn",
)
"""Without what reads the environment when it is imported (prometheus_client), or starts threads
(pyreqwest)."""
OURS = (
    "refresher.cli.app",
    "refresher.cli.connections",
    "refresher.cli.token",
    "refresher.refresh.dispatch",
    "refresher.notify.webhook_channel",
    "refresher.notify.mail_channel",
)
"""What reads no settings when it is imported, unlike `runtime.broker` and what stands above it. Not
while coverage is measured, which would miss the lines that an import runs."""


class Started:
    """A process that was forked for us, with the part of `subprocess.Popen` that the tests use."""

    def __init__(self, warm: Warm, pid: int) -> None:
        self._warm = warm
        self.pid = pid

    def poll(self) -> int | None:
        """Returns the exit code (negative: the signal that ended it), None while it runs."""
        return self._warm.exit_code(self.pid, 0.0)

    def wait(self, timeout: float) -> int:
        """Waits for its end; raises `subprocess.TimeoutExpired`."""
        code = self._warm.exit_code(self.pid, timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
        return code

    def terminate(self) -> None:
        """Sends SIGTERM, unless it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)


class Warm:
    """The process that forks, started at the first use; safe to use from several threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._exits: dict[int, int] = {}
        self._born: dict[int, int] = {}
        self._numbers = count(1)
        self._socket: socket.socket | None = None
        self._popen: subprocess.Popen[bytes] | None = None

    def start(
        self,
        module: Sequence[str],
        env: Mapping[str, str],
        stdout: Path,
        *,
        stderr: Path | None = None,
        stdin: Path = Path(os.devnull),
        folder: Path | None = None,
        network: Path | None = None,
    ) -> Started:
        """Runs `python -m module…`; without `stderr` both outputs go to one file.

        `network` is the file of the network namespace that it is to be in.
        """
        number = next(self._numbers)
        order = {
            "number": number,
            "argv": list(module),
            "env": dict(env),
            "stdin": str(stdin),
            "stdout": str(stdout),
            "stderr": stderr and str(stderr),
            "folder": str(folder or Path.cwd()),
            "nice": os.nice(0),
            "network": network and str(network),
        }
        with self._changed:
            if self._socket is None:
                self._open()
            assert self._socket is not None
            self._socket.sendall(json.dumps(order).encode() + b"\n")
            if not self._changed.wait_for(lambda: number in self._born, timeout=60):
                raise RuntimeError("the process that forks does not answer")
            return Started(self, self._born.pop(number))

    def exit_code(self, pid: int, timeout: float) -> int | None:
        """Returns how `pid` ended, None when it has not within `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: pid in self._exits, timeout=timeout)
            return self._exits.get(pid)

    def close(self) -> None:
        """Ends it; what it has started goes on."""
        if self._socket is not None and self._popen is not None:
            self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
            self._popen.wait(timeout=60)
            self._socket = self._popen = None

    def _open(self) -> None:
        ours, theirs = socket.socketpair()
        unmeasured = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
        also_ours = ["with-ours"] if len(unmeasured) == len(os.environ) else []
        self._popen = subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno()), *also_ours],
            env=unmeasured,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()
        self._socket = ours
        threading.Thread(target=self._listen, args=(ours,), name="warm", daemon=True).start()

    def _listen(self, ours: socket.socket) -> None:
        with suppress(OSError), ours.makefile() as lines:
            for line in lines:
                said = json.loads(line)
                with self._changed:
                    if "code" in said:
                        self._exits[said["pid"]] = said["code"]
                    else:
                        self._exits.pop(said["pid"], None)  # a number may come again
                        self._born[said["number"]] = said["pid"]
                    self._changed.notify_all()


def main() -> None:
    """Serves until the socket ends; in each child it returns to run what was asked for."""
    sys.path[0] = str(Path.cwd())
    for name in LIBRARIES + (OURS if sys.argv[2:] else ()):
        with suppress(ImportError):
            importlib.import_module(name)
    order = _serve(socket.socket(fileno=int(sys.argv[1])))
    if order is not None:
        _become(order)
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _serve(theirs: socket.socket) -> dict[str, Any] | None:
    """Returns an order in the child that is to carry it out, None when there are no more."""
    wake, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    reader = theirs.makefile("rb", buffering=0)
    with selectors.DefaultSelector() as selector:
        selector.register(theirs, selectors.EVENT_READ)
        selector.register(wake, selectors.EVENT_READ)
        while True:
            ready = [key.fd for key, _ in selector.select()]
            if wake in ready:
                os.read(wake, 4096)
                _tell_of_ends(theirs)
            if theirs.fileno() not in ready:
                continue
            line = reader.readline()
            if not line:
                return None
            order: dict[str, Any] = json.loads(line)
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for end in (wake, woken):
                    os.close(end)
                reader.close()
                theirs.close()
                return order
            theirs.sendall(json.dumps({"number": order["number"], "pid": pid}).encode() + b"\n")


def _tell_of_ends(theirs: socket.socket) -> None:
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            theirs.sendall(json.dumps({"pid": pid, "code": code}).encode() + b"\n")


def _become(order: dict[str, Any]) -> None:
    """Makes this process what an interpreter is that was just started with `-m`."""
    os.setsid()
    if order["network"]:
        from tests.chaos import namespaces  # noqa: PLC0415  for few

        namespaces.enter(Path(order["network"]))
    _redirect(0, order["stdin"], os.O_RDONLY)
    _redirect(1, order["stdout"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    if order["stderr"]:
        _redirect(2, order["stderr"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    else:
        os.dup2(1, 2)
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(order["folder"])
    time.tzset()
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, order["nice"])
    sys.argv = order["argv"]
    sys.orig_argv = [sys.executable, "-m", *order["argv"]]  # with which `refresher up` starts again
    sys.path[0] = order["folder"]
    if "coverage" in sys.modules:
        sys.modules["coverage"].process_startup()


def _redirect(number: int, path: str, flags: int) -> None:
    file = os.open(path, flags | os.O_CLOEXEC, 0o644)
    os.dup2(file, number)
    os.close(file)


if __name__ == "__main__":
    main()

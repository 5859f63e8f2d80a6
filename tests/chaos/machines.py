"""Machines of their own for the scheduler, the workers and the web process: see `wire.py`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.chaos import namespaces
from tests.chaos.wire import LINKS, Passed, address
from tests.guard import Guard

ROOT = Path(__file__).resolve().parents[2]
SLOW_SECONDS, LOSS = 0.1, 0.01
"""One way; there and back are twice that."""
PLACES = ("scheduler", "worker-1", "worker-2", "web")
SLOW = "worker-2"
ANSWER_SECONDS = 5.0
_numbers = count(1)


class Machine:
    """One namespace, kept by the process that carries its packets."""

    def __init__(self, guard: Guard, number: int, *, delay_seconds: float, loss: float) -> None:
        self.address = address("out", number)
        self.is_slow = delay_seconds > 0
        order = {"number": number, "delay_seconds": delay_seconds, "loss": loss}
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.wire", json.dumps(order)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        guard.watch(self._popen.pid)
        self._guard = guard
        self.namespace = Path(f"/proc/{self._popen.pid}/ns/net")
        assert self._popen.stdout is not None
        assert self._popen.stdout.readline() == "ready\n"

    def pull(self, links: Sequence[str] = LINKS) -> None:
        """Pulls these cables, and plugs in the others."""
        self._order(links)

    def mend(self) -> Passed:
        """Plugs all in; returns what passed since they were pulled."""
        return self._order(())

    def dropped(self) -> int:
        """Returns how many packets were lost in all, as far as no cable was pulled lately."""
        return self._order(()).dropped

    def ask(self, port: int, path: str, token: str) -> Any | None:
        """Returns what a process answers on this machine itself, as JSON; None for anything else."""
        link = HTTPConnection(self.address, port, timeout=ANSWER_SECONDS)
        try:
            with namespaces.within(self.namespace):
                link.connect()
            link.request("GET", path, headers={"authorization": f"Bearer {token}"})
            return json.loads(link.getresponse().read())
        except (OSError, HTTPException, ValueError):
            return None
        finally:
            link.close()

    def close(self) -> None:
        """Ends the namespace with its last process."""
        self._popen.kill()
        self._popen.communicate()
        self._guard.forget(self._popen.pid)

    def _order(self, pulled: Sequence[str]) -> Passed:
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._popen.stdin.write(json.dumps(list(pulled)) + "\n")
        self._popen.stdin.flush()
        return Passed(**json.loads(self._popen.stdout.readline()))


class Machines(dict[str, Machine]):
    """A machine for each place; one of them at the end of a slow line that loses packets."""

    def __init__(self, guard: Guard) -> None:
        super().__init__()
        for place in PLACES:
            slow = place == SLOW
            self[place] = Machine(
                guard,
                next(_numbers),
                delay_seconds=SLOW_SECONDS if slow else 0.0,
                loss=LOSS if slow else 0.0,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for machine in self.values():
            machine.close()

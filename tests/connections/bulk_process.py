"""Works a bulk job off, and is killed with -9 before each of its statements in turn.

A process that forks: each child begins where the last one was killed, and is killed one statement
later, until one comes to the end of the job without so many statements.
"""

from __future__ import annotations

import os
import signal
import sys
from itertools import count
from typing import Any

from sqlalchemy import event

from refresher.catalogue import Catalogue
from refresher.connections import bulk, bulk_work
from refresher.runtime.whoever import whoever
from refresher.store import binary
from refresher.store.pool import Pool


def work_off(url: str, job_id: int, kill_at: int) -> None:
    """Works the job off; never comes to the statement, or the commit, of this number."""
    numbers, database = count(), Pool(url)

    def step(*_: object) -> None:
        if next(numbers) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    plain = binary.answer

    def answer(*given: Any) -> Any:
        step()
        return plain(*given)

    binary.answer = answer  # type: ignore[assignment]
    for name in ("before_cursor_execute", "commit"):
        event.listen(database.engine, name, step)
    bulk_work.BATCH = 3  # type: ignore[attr-defined]  # smaller than there are
    while bulk.find(database, whoever("cli"), job_id).ended_at is None:
        bulk_work.work(database, Catalogue({}, {}), job_id)


def main(url: str, job_id: int) -> None:
    """Prints how many children were killed."""
    for kill_at in count():
        child = os.fork()
        if child == 0:
            work_off(url, job_id, kill_at)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            sys.stdout.write(f"killed {kill_at}, then {os.WEXITSTATUS(status)}\n")
            return


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

"""A process of an application: many threads that all want the same connection's token.

    python -m tests.client.asking CONNECTION_ID THREADS CALLS FOLDER

Says "ready", begins when the file `begin` appears in FOLDER, and prints the fingerprints it was served.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from refresher.client import Refresher
from refresher.settings import load
from tests.waiting import wait_until


def main() -> None:
    """Asks with so many threads, so many times."""
    connection, threads, calls, folder = (
        sys.argv[1],
        int(sys.argv[2]),
        int(sys.argv[3]),
        sys.argv[4],
    )
    with (
        Refresher(database_url=load().database) as refresher,
        ThreadPoolExecutor(threads) as pool,
    ):
        print("ready", flush=True)  # noqa: T201  that is how it tells
        wait_until((Path(folder) / "begin").exists, 40)
        asked = [pool.submit(refresher.token, connection) for _ in range(calls)]
        print(*sorted({each.result().fingerprint for each in asked}), "done", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()

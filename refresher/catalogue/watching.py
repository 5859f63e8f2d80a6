"""Notices that the user's file changed under a running process, for whoever misses an entry.

Nothing watches a file whose entries are all there: one that changes is read at the next start. An entry
that is missing or wrong is looked for at most once a second, and costs a `stat` each time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from refresher.catalogue.entries import Catalogue
from refresher.errors import CatalogueError

LOOK_SECONDS = 1.0
Stamp = tuple[int, ...]
"""Where a file is, when it changed, and how long it is."""


def stamp(path: Path) -> Stamp | None:
    """Returns what changes with a file's content, None while it is away.

    Also where a link leads to another file (as mounted secrets are exchanged), or one takes its place.
    """
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


class Reader:
    """Reads a file again after it changed; one that is no use now is left for the next change."""

    def __init__(self, path: Path, read: Callable[[], Catalogue]) -> None:
        self._path, self._read = path, read
        self._seen = stamp(path)
        self._looked_at = time.monotonic()
        self._lock = threading.Lock()

    def __call__(self) -> Catalogue | None:
        """Returns what stands there, None where that is nothing new."""
        with self._lock:
            now = time.monotonic()
            if now < self._looked_at + LOOK_SECONDS:
                return None
            self._looked_at, before, self._seen = now, self._seen, stamp(self._path)
            if self._seen in {None, before}:
                return None
        try:
            return self._read()
        except CatalogueError as error:
            import structlog  # noqa: PLC0415  seldom used here, and large

            told = "the providers file is wrong: all stays as it is"
            structlog.get_logger().error(told, why=str(error))
            return None

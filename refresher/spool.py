"""Keeps sealed token pairs that could not be committed before the process had to stop.

In Redis where there is one, since a container's disk goes with it; else, or when Redis is away too, in
a file of mode 0600. Only sealed values get here. `recovery.py` writes them to Postgres later.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

import structlog

from refresher.settings import Settings

if TYPE_CHECKING:
    import redis

log = structlog.get_logger()
KEY = "refresher:spool"


class Spool:
    """A list of texts that survives this process."""

    def __init__(self, settings: Settings) -> None:
        self._file = settings.data_directory / "spool.jsonl"
        self._redis: redis.Redis | None = None
        self._trouble: type[Exception] = OSError
        if settings.redis_url is not None:
            import redis  # noqa: PLC0415  a quarter of a second, for those who have one
            from redis.backoff import NoBackoff  # noqa: PLC0415
            from redis.retry import Retry  # noqa: PLC0415

            self._trouble = redis.RedisError
            self._redis = redis.Redis.from_url(
                settings.redis,
                socket_connect_timeout=2,
                socket_timeout=2,
                # A sweep asks twice a second, and a stop cannot wait: there is the file.
                retry=Retry(NoBackoff(), 1),
            )

    def put(self, entries: Sequence[str]) -> str:
        """Keeps entries and returns where: "redis" or the file's name."""
        if self._redis is not None:
            try:
                self._redis.rpush(KEY, *entries)
            except self._trouble as error:
                log.warning("redis does not take the spool", why=type(error).__name__)
            else:
                return "redis"
        self._write(self._file, entries)
        return str(self._file)

    def set_aside(self, entry: str) -> None:
        """Keeps an entry that cannot be stored where a person may look at it: `spool.unreadable`."""
        self._write(self._file.with_suffix(".unreadable"), [entry])

    def entries(self) -> list[str]:
        """Returns what is kept, the oldest first."""
        found: list[str] = []
        if self._file.exists():
            with _locked(self._file, "r") as file:
                found += [line.rstrip("\n") for line in file if line.strip()]
        if self._redis is not None:
            try:
                kept = self._redis.lrange(KEY, 0, -1)
                found += [e if isinstance(e, str) else e.decode() for e in kept]
            except self._trouble as error:
                log.debug("redis does not answer; its spool waits", why=type(error).__name__)
        return found

    def in_file(self) -> int:
        """Returns how many entries are kept on this machine's disk."""
        if not self._file.exists():
            return 0
        with _locked(self._file, "r") as file:
            return sum(1 for line in file if line.strip())

    def in_redis(self) -> int | None:
        """Returns how many entries are kept in Redis; None without one, or when it is away."""
        try:
            return None if self._redis is None else int(self._redis.llen(KEY))
        except self._trouble:
            return None

    def remove(self, entry: str) -> None:
        """Forgets one entry, once Postgres has it."""
        if self._file.exists():
            with _locked(self._file, "r+") as file:
                kept = [line for line in file if line.rstrip("\n") != entry]
                file.seek(0)
                file.writelines(kept)
                file.truncate()
        if self._redis is not None:
            try:
                self._redis.lrem(KEY, 0, entry)
            except self._trouble as error:
                log.debug("redis does not answer; its spool waits", why=type(error).__name__)

    def _write(self, file: Path, entries: Sequence[str]) -> None:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(file, "a") as opened:
            opened.writelines(f"{entry}\n" for entry in entries)
            opened.flush()
            os.fsync(opened.fileno())


@contextmanager
def _locked(path: Path, mode: Literal["a", "r", "r+"]) -> Iterator[IO[str]]:
    """Opens the file for one process at a time, readable by its owner only."""

    def private(name: str, flags: int) -> int:
        return os.open(name, flags, 0o600)

    with open(path, mode, opener=private, encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file

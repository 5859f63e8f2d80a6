"""Keeps sealed replies that Postgres does not take, until it does or a person drops them.

In Redis where there is one, since a container's disk goes with it; else, or when Redis is away too, in
a file of mode 0600. Only sealed values get here. `recovery.py` writes them to Postgres later.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal
from uuid import UUID

import structlog

from refresher.rules.installation import PREFIX, namespace
from refresher.settings import Settings

if TYPE_CHECKING:
    import redis

log = structlog.get_logger()
KEY = "refresher:spool"
"""Where entries lay before an installation had a name; what is ours of them is still found."""
UNREADABLE = ".unreadable"
FIRST_REST_SECONDS, LONGEST_REST_SECONDS = 1.0, 30.0


class Spool:
    """A list of texts that survives this process."""

    def __init__(self, settings: Settings) -> None:
        self._file = settings.data_directory / "spool.jsonl"
        self._name: UUID | None = None
        self._mark_file = settings.data_directory / "high-water.json"
        self._redis: redis.Redis | None = None
        self._in_redis: list[str] = []
        self._resting: dict[str, tuple[float, float]] = {}
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

    def named(self, installation: UUID) -> None:
        """Has what is kept in Redis carry an installation's name: no other one takes it."""
        self._name = installation

    def put(self, entries: Sequence[str]) -> str:
        """Keeps entries and returns where: "redis" or the file's name."""
        if self._redis is not None:
            try:
                self._redis.rpush(self._key, *entries)
            except self._trouble as error:
                log.warning("redis does not take the spool", why=type(error).__name__)
            else:
                return "redis"
        self._write(self._file, entries)
        return str(self._file)

    def set_aside(self, entry: str) -> None:
        """Keeps an entry that cannot be read apart from the others, until a person looks at it."""
        self._write(self._file.with_suffix(UNREADABLE), [entry])
        self.remove([entry], aside=False)

    def entries(self) -> list[str]:
        """Returns what is kept, the oldest first.

        While Redis is away, with what it held when it was last asked.
        """
        return list(dict.fromkeys([*_lines(self._file), *self.entries_in_redis()]))

    def entries_in_redis(self) -> list[str]:
        """Returns those of them that Redis keeps, or kept when it was last asked."""
        if self._redis is not None:
            with suppress(self._trouble):  # what is there waits for it
                kept = [e for key in self._keys() for e in self._redis.lrange(key, 0, -1)]
                self._in_redis = [e if isinstance(e, str) else e.decode() for e in kept]
        return self._in_redis

    def aside(self) -> list[str]:
        """Returns what was set aside."""
        return _lines(self._file.with_suffix(UNREADABLE))

    def rests(self, entry: str) -> bool:
        """Whether an entry was refused a moment ago, so that its next try is not yet."""
        return time.monotonic() < self._resting.get(entry, (0.0, 0.0))[0]

    def rest(self, entry: str) -> None:
        """Notes that an entry was refused: it rests for a second, then for longer, up to 30."""
        before = self._resting.get(entry, (0.0, FIRST_REST_SECONDS / 2))[1]
        seconds = min(before * 2, LONGEST_REST_SECONDS)
        self._resting[entry] = (time.monotonic() + seconds, seconds)

    def in_file(self) -> int:
        """Returns how many entries are kept on this machine's disk, those set aside too."""
        return len(_lines(self._file)) + len(self.aside())

    def in_redis(self) -> int | None:
        """Returns how many entries are kept in Redis; None without one, or when it is away."""
        try:
            if self._redis is None:
                return None
            return sum(int(self._redis.llen(key)) for key in self._keys())
        except self._trouble:
            return None

    def remove(self, entries: Sequence[str], *, aside: bool = True) -> None:
        """Forgets entries, once Postgres has them or nobody wants them."""
        if not entries:
            return
        gone = set(entries)
        files = [self._file, *([self._file.with_suffix(UNREADABLE)] if aside else [])]
        for entry in gone:
            self._resting.pop(entry, None)
        try:
            for file in files:
                _cut(file, gone)
        except OSError as error:  # an entry that stays is found to be stored already
            log.warning("the spool's file cannot be changed", why=error.strerror)
        if self._redis is not None:
            with suppress(self._trouble), self._redis.pipeline(transaction=False) as pipe:
                for entry in gone:
                    for key in self._keys():
                        pipe.lrem(key, 0, entry)
                pipe.execute()

    @property
    def _key(self) -> str:
        return KEY if self._name is None else f"{namespace(self._name)}:spool"

    def _keys(self) -> list[str]:
        """Returns where to look: without a name, wherever anybody's entries may lie."""
        if self._name is not None or self._redis is None:
            return [self._key, KEY]
        found = list(self._redis.scan_iter(match=f"{PREFIX}*:spool"))
        return [KEY, *(key if isinstance(key, str) else key.decode() for key in found)]

    def mark(self, installation: UUID) -> int:
        """Returns the highest number that was noted of this installation's history; 0 without any.

        In Redis where there is one, since a container's disk goes with it, and in a file in any case.
        """
        found = _marks(self._mark_file).get(installation.hex, 0)
        if self._redis is not None:
            with suppress(self._trouble):
                found = max(
                    found, int(self._redis.get(f"{namespace(installation)}:high-water") or 0)
                )
        return found

    def put_mark(self, installation: UUID, number: int) -> None:
        """Notes such a number; a disk that takes nothing is no reason to stop."""
        if self._redis is not None:
            with suppress(self._trouble):
                self._redis.set(f"{namespace(installation)}:high-water", number)
        with suppress(OSError):
            self._mark_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _locked(self._mark_file, "a") as file:
                file.truncate(0)
                file.write(json.dumps({installation.hex: number}))

    def _write(self, file: Path, entries: Sequence[str]) -> None:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(file, "a") as opened:
            opened.writelines(f"{entry}\n" for entry in entries)
            opened.flush()
            os.fsync(opened.fileno())


def _lines(file: Path) -> list[str]:
    if not file.exists():
        return []
    with _locked(file, "r") as opened:
        return [line.rstrip("\n") for line in opened if line.strip()]


def _cut(file: Path, gone: set[str]) -> None:
    if not file.exists():
        return
    with _locked(file, "r+") as opened:
        kept = [line for line in opened if line.rstrip("\n") not in gone]
        opened.seek(0)
        opened.writelines(kept)
        opened.truncate()


def _marks(file: Path) -> dict[str, int]:
    """Returns the numbers of this file by installation; one that cannot be read tells nothing."""
    with suppress(OSError, ValueError), _locked(file, "r") as opened:
        return {str(name): int(number) for name, number in json.load(opened).items()}
    return {}


@contextmanager
def _locked(path: Path, mode: Literal["a", "r", "r+"]) -> Iterator[IO[str]]:
    """Opens the file for one process at a time, readable by its owner only."""

    def private(name: str, flags: int) -> int:
        return os.open(name, flags, 0o600)

    with open(path, mode, opener=private, encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file

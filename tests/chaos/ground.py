"""What a deployment under chaos stands on: a Postgres and a Redis of its own, free to be broken.

Each fault brings its own ground, so that faults may run beside each other.
"""

from __future__ import annotations

from itertools import count
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

from tests.guard import Guard
from tests.ports import LOOPBACK
from tests.processes import Spawner
from tests.services import PostgresServer, RedisServer, migrate

TEMPLATE = "refresher_template"
_MIGRATING = Lock()  # Alembic's context is one a process


class Ground:
    """Two servers and a folder; `database()` and `redis_url()` hand out fresh parts of them."""

    def __init__(self, guard: Guard, folder: Path, *, address: str = LOOPBACK) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.guard = guard
        self.postgres = PostgresServer(guard, address=address)
        self.redis = RedisServer(guard, address=address)
        self.spawn = Spawner(guard, folder)
        self.tablespace = "pg_default"
        self._numbers = count(1)

    def __enter__(self) -> Self:
        self.postgres.start()
        self.redis.start()
        with _MIGRATING:
            migrate(self.postgres.create_database(TEMPLATE))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.spawn.close()
        self.redis.close()
        self.postgres.close()

    def database(self) -> str:
        """Returns the URL of a fresh, migrated database."""
        name = f"chaos_{next(self._numbers)}"
        return self.postgres.create_database(name, TEMPLATE, self.tablespace)

    def redis_url(self) -> str:
        """Returns the URL of a Redis database that nobody else uses."""
        return self.redis.url(next(self._numbers))

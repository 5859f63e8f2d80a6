"""Which other installations use the same Redis database: each leaves its card there and reads theirs.

With names in all keys they do each other no harm, but for what empties or fills Redis. Not so a copy of
our own database, such as a restored backup: it has our name, so the two take each other's messages.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast
from uuid import UUID

import orjson

from refresher.errors import RedisUnavailable
from refresher.rules.installation import PREFIX
from refresher.settings import Settings

if TYPE_CHECKING:
    import redis

CARDS = f"{PREFIX}installations"
LOOK_SECONDS = 10.0
FRESH_SECONDS = 60.0
"""A card that is older tells of nobody who works at this moment."""
KEPT_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another installation at work; `is_copy` tells that it has our own name."""

    installation: str
    host: str
    is_copy: bool

    @property
    def sentence(self) -> str:
        """What is to be said of it."""
        if self.is_copy:
            return (
                f"a copy of this installation's database works on the same Redis, from {self.host}: "
                "they take each other's messages; give one of them another Redis database "
                "(REFRESHER_REDIS_DB) and a name of its own (docs/databases.md)"
            )
        return (
            f"another installation ({self.installation[:12]}, on {self.host}) uses the same Redis "
            "database: give one of them another (REFRESHER_REDIS_DB)"
        )


class Neighbours:
    """Looks around in Redis on behalf of one installation; connects at the first look."""

    def __init__(self, settings: Settings, installation: UUID, place: str) -> None:
        """`place` tells our database from a copy of it."""
        self._settings = settings
        self._name, self._place = installation.hex, place
        self._made: redis.Redis | None = None

    def introduce(self) -> None:
        """Leaves our card, with the time; forgets cards of long ago. Raises `RedisUnavailable`."""
        card = orjson.dumps({"host": socket.gethostname(), "seen_at": time.time()})
        with self._asking() as client:
            if client is not None:
                client.hset(CARDS, f"{self._name}/{self._place}", card)
                old = [name for name, card in _cards(client) if _age(card) > KEPT_SECONDS]
                if old:
                    client.hdel(CARDS, *old)

    def met(self) -> list[Neighbour]:
        """Returns who else has worked there within a minute. Raises `RedisUnavailable`."""
        with self._asking() as client:
            cards = _cards(client) if client is not None else []
        return [self._read(name, card) for name, card in cards if self._is_other(name, card)]

    def _is_other(self, name: str, card: Mapping[str, object]) -> bool:
        return name != f"{self._name}/{self._place}" and _age(card) < FRESH_SECONDS

    def _read(self, name: str, card: Mapping[str, object]) -> Neighbour:
        installation = name.partition("/")[0]
        return Neighbour(installation, str(card["host"]), installation == self._name)

    @contextmanager
    def _asking(self) -> Iterator[redis.Redis | None]:
        """Yields a client, None where there is no Redis at all."""
        if self._settings.redis_url is None:
            yield None
            return
        import redis  # noqa: PLC0415  a quarter of a second, for those who have one

        if self._made is None:
            self._made = redis.Redis.from_url(
                self._settings.redis, socket_connect_timeout=2, socket_timeout=2
            )
        try:
            yield self._made
        except redis.RedisError as error:
            raise RedisUnavailable(f"redis does not answer: {type(error).__name__}") from error


def _cards(client: redis.Redis) -> list[tuple[str, Mapping[str, object]]]:
    """Returns every card that can be read, by installation."""
    found = cast("dict[bytes, bytes]", client.hgetall(CARDS))  # this client decodes nothing
    return [(name.decode(), orjson.loads(card)) for name, card in sorted(found.items())]


def _age(card: Mapping[str, object]) -> float:
    return time.time() - float(str(card["seen_at"]))

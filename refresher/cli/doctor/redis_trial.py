"""Tries in Redis whatever we ask of it, on keys of its own, and tells what this user may not do.

The commands are those of Dramatiq's script, of the markers, of the spool and of the cards by which
installations know each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha1
from typing import Any
from uuid import uuid4

import redis

from refresher.rules.installation import PREFIX

SECONDS = "60"
SCRIPT = "return 1"
WRITING_SCRIPT = f"return redis.call('set', KEYS[1], '1', 'EX', {SECONDS})"
_COMMAND = re.compile(r"'([a-z|]+)' command")


def lacking(client: redis.Redis) -> list[str]:
    """Returns what is not permitted: commands by name, or our keys.

    Raises `redis.RedisError` for whatever else is the matter, such as a replica.
    """
    prefix = f"{PREFIX}doctor:{uuid4().hex}"
    found: list[str] = []
    for command in _trials(prefix):
        try:
            client.execute_command(*command)  # type: ignore[no-untyped-call]  # redis-py's own
        except redis.ResponseError as error:
            if (what := _not_permitted(error, command[0])) is None:
                raise
            found.append(what)
    return list(dict.fromkeys(found))


def _trials(prefix: str) -> Iterator[tuple[str, ...]]:
    text, queue, table, names, times = (f"{prefix}:{kind}" for kind in "tqhsz")
    digest = sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()
    yield "SET", text, "1", "NX", "EX", SECONDS
    for one in ("RPUSH", "a"), ("LLEN",), ("LINDEX", "0"), ("LRANGE", "0", "-1"), ("LPOP",):
        yield one[0], queue, *one[1:]
    yield "LREM", queue, "0", "a"
    yield "HSET", table, "f", "1"
    for name in "HGET", "HMGET", "HEXISTS":
        yield name, table, "f"
    yield from (("HLEN", table), ("HGETALL", table), ("HDEL", table, "f"))
    yield from (("SADD", names, "a"), ("SCARD", names), ("SMEMBERS", names), ("SREM", names, "a"))
    yield "ZADD", times, "1", "a"
    yield from (("ZRANGEBYSCORE", times, "0", "1"), ("ZREM", times, "a"))
    yield from (
        ("EVAL", WRITING_SCRIPT, "1", text),
        ("SCRIPT LOAD", SCRIPT),
        ("EVALSHA", digest, "0"),
    )
    yield "DEL", text, queue, table, names, times


def _not_permitted(error: redis.ResponseError, command: str) -> str | None:
    """Returns what of a command is not permitted; None when the error says something else."""
    said: Any = str(error)
    if "executing the script" in said:  # as Redis 6 says what 7 says by name
        return f"keys that begin with {PREFIX}" if "keys" in said else "SET"
    if not isinstance(error, redis.exceptions.NoPermissionError) and "permission" not in said:
        # A script that was not loaded, since that is not permitted either.
        return command if isinstance(error, redis.exceptions.NoScriptError) else None
    if "key" in said and not _COMMAND.search(said):
        return f"keys that begin with {PREFIX}"
    named = _COMMAND.search(said)
    return (named[1] if named else command).upper().replace("|", " ")

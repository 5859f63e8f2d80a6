"""Checks Redis, where the transport is redis: reachable, ours alone, and keeping what it is given.

Redis is a hint: whatever is wrong here costs time, never a token. What we ask of it is tried on keys of
their own: the commands of Dramatiq's script, of the markers, of the spool and of the cards by which
installations know each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha1
from itertools import islice
from typing import Any
from uuid import uuid4

import redis

from refresher.errors import SettingsError
from refresher.insight.doctor import Finding, fail, ok, warn
from refresher.rules.installation import PREFIX
from refresher.rules.masking import masked_url
from refresher.settings import Settings

MOST_KEYS = 1_000
OURS = ("dramatiq:", "refresher:")
SECONDS = "60"
SCRIPT = "return 1"
WRITING_SCRIPT = f"return redis.call('set', KEYS[1], '1', 'EX', {SECONDS})"
_COMMAND = re.compile(r"'([a-z|]+)' command")


def check(settings: Settings) -> Iterator[Finding]:
    """Yields findings on Redis."""
    try:
        url = settings.redis
        client = redis.Redis.from_url(url, socket_connect_timeout=5, socket_timeout=5)
    except SettingsError:
        yield fail(
            "redis",
            "REDIS_URL is not set, and the transport is redis",
            "set REDIS_URL, or REFRESHER_INTEGRATION_REFRESH__TRANSPORT to in_process",
        )
        return
    except ValueError as error:
        yield fail(
            "redis", f"REDIS_URL is no URL of Redis: {_first_sentence(error)}", "put it right"
        )
        return
    with client:
        try:
            yield from _look(client, masked_url(url))
        except redis.RedisError as error:
            message = f"{masked_url(url)} cannot be used: {_first_sentence(error)}"
            yield fail("redis", message, "start Redis, or put REDIS_URL right")


def _look(client: redis.Redis, where: str) -> Iterator[Finding]:
    client.ping()
    yield ok("redis", f"{where} answers")
    yield _tried(client)
    memory, stats = _info(client, "memory"), _info(client, "stats")
    policy = str(memory.get("maxmemory_policy", "unknown"))
    limited = bool(memory.get("maxmemory"))
    if limited and policy not in {"noeviction", "unknown"}:
        yield warn(
            "redis memory",
            f"maxmemory-policy is {policy}, and {stats.get('evicted_keys', 0)} keys were dropped so "
            "far: a dropped message means a late refresh",
            "set maxmemory-policy to noeviction",
        )
    elif not memory:
        yield ok("redis memory", "cannot be told: this user may not ask (INFO)")
    else:
        yield ok("redis memory", f"nothing is evicted (maxmemory-policy {policy})")
    yield _shared(client)


def _tried(client: redis.Redis) -> Finding:
    """Does once what messages, marks and the spool need: a key is written and a script is run."""
    try:
        missing = lacking(client)
    except redis.ReadOnlyError:
        return fail(
            "redis writes",
            "it is a read-only replica: nothing can be dispatched through it",
            "point REDIS_URL at the primary",
        )
    except redis.RedisError as error:
        return fail("redis writes", f"it refuses: {_first_sentence(error)}", "see what Redis says")
    if not missing:
        return ok("redis writes", "a key was written, and a script was run")
    return fail(
        "redis writes",
        f"this user has no permission for {', '.join(missing)}",
        'allow that: docs/databases.md, "Redis", has the whole rule',
    )


def _info(client: redis.Redis, section: str) -> dict[str, object]:
    try:
        found = client.info(section)
    except redis.ResponseError:  # not permitted, or a proxy that knows no such command
        return {}
    return found if isinstance(found, dict) else {}


def _shared(client: redis.Redis) -> Finding:
    try:
        keys = [
            key.decode("utf-8", "replace") for key in islice(client.scan_iter(count=500), MOST_KEYS)
        ]
    except redis.ResponseError:
        return ok("redis database", "whose keys are in it cannot be told: this user may not SCAN")
    foreign = sum(not key.startswith(OURS) for key in keys)
    if not foreign:
        return ok("redis database", "no keys but refresher's are in it")
    return warn(
        "redis database",
        f"{foreign} of the first {len(keys)} keys are not refresher's: somebody else uses it too",
        "give refresher a database of its own: REFRESHER_REDIS_DB",
    )


def _first_sentence(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__


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

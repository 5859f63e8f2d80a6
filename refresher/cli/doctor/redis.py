"""Checks Redis, where the transport is redis: reachable, ours alone, and keeping what it is given.

Redis is a hint: whatever is wrong here costs time, never a token.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import redis

from refresher.cli.doctor import redis_trial
from refresher.cli.doctor.finding import Finding, fail, ok, warn
from refresher.cli.settings import masked_url
from refresher.errors import SettingsError
from refresher.settings import Settings

MOST_KEYS = 1_000
OURS = ("dramatiq:", "refresher:")


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
        lacking = redis_trial.lacking(client)
    except redis.ReadOnlyError:
        return fail(
            "redis writes",
            "it is a read-only replica: nothing can be dispatched through it",
            "point REDIS_URL at the primary",
        )
    except redis.RedisError as error:
        return fail("redis writes", f"it refuses: {_first_sentence(error)}", "see what Redis says")
    if not lacking:
        return ok("redis writes", "a key was written, and a script was run")
    return fail(
        "redis writes",
        f"this user has no permission for {', '.join(lacking)}",
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

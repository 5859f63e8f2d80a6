"""What Redis must permit, and how `doctor` tells what it does not."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis

from refresher.insight.doctor import redis as redis_check
from refresher.runtime.cipher import new_key
from tests.guard import Guard
from tests.processes import Spawner
from tests.services import RedisServer
from tests.waiting import wait_until
from tests.world import World

DOCUMENTED = "~refresher:* +@read +@write +@scripting +@connection +select -@dangerous"
"""The rule of docs/databases.md."""


@pytest.fixture
def limited(redis_url: str) -> Iterator[Any]:
    """Returns what makes a user with a rule, and gives the URL by which it comes in."""
    admin = redis.Redis.from_url(redis_url)

    def make(rule: str) -> str:
        admin.execute_command("ACL", "SETUSER", "limited", "reset", "on", ">p@ss", *rule.split())
        parts = urlsplit(redis_url)
        return parts._replace(netloc=f"limited:p%40ss@{parts.netloc}").geturl()

    yield make
    admin.execute_command("ACL", "DELUSER", "limited")
    admin.close()


def doctor(spawn: Spawner, database_url: str, redis_url: str) -> dict[str, tuple[str, str]]:
    """Runs `refresher doctor`; returns level and message of each check."""
    command = spawn(
        "-m", "refresher", "doctor", "--json",
        env={
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "REFRESHER_ENCRYPTION_KEYS": new_key(),
        },
    )  # fmt: skip
    command.wait()
    findings = json.loads(command.output)["findings"]
    return {one["check"]: (one["level"], one["message"]) for one in findings}


def test_the_documented_rule_is_enough(limited: Any, database_url: str, spawn: Spawner) -> None:
    """A user who may do no more is told nothing wrong; INFO is not among what is needed."""
    found = doctor(spawn, database_url, limited(DOCUMENTED))
    told = {check: found[check][0] for check in found if check.startswith(("redis", "neigh"))}
    assert set(told.values()) == {"ok"}, found
    assert "INFO" in found["redis memory"][1]
    assert DOCUMENTED in Path("docs/databases.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_documented_rule_lets_messages_through(
    limited: Any, database_url: str, spawn: Spawner
) -> None:
    """A scheduler and a worker of such a user refresh."""
    environment = {
        "DATABASE_URL": database_url,
        "REDIS_URL": limited(DOCUMENTED),
        "REFRESHER_ENCRYPTION_KEYS": (key := new_key()),
        "PORT": "0",
    }
    world = World(database_url, encryption_keys=key)
    spawn("-m", "dramatiq", "refresher.actors", "-p", "1", "-t", "1", env=environment)
    spawn("-m", "refresher.scheduler", env=environment)
    world.connect(expires_in=0)
    begun = "select count(*) as n from refresh_event"
    wait_until(lambda: world.one(begun).n, reason=spawn.outputs)
    assert "NoPermission" not in spawn.outputs()
    world.close()


@pytest.mark.parametrize(
    ("rule", "lacks"),
    [
        ("~refresher:* +@all -eval -evalsha", ["EVAL", "EVALSHA"]),
        ("~refresher:* +@all -zadd -hset", ["HSET", "ZADD"]),
        ("~refresher:* +@read +@connection +select +@scripting", ["SET", "RPUSH", "DEL"]),
        ("~dramatiq:* +@all", ["keys that begin with refresher:"]),
    ],
)
def test_what_is_not_permitted_is_named(limited: Any, rule: str, lacks: list[str]) -> None:
    """Each command that the user lacks, and keys that are not his."""
    with redis.Redis.from_url(limited(rule)) as client:
        assert set(lacks) <= set(redis_check.lacking(client))


def test_a_trial_leaves_nothing(redis_url: str) -> None:
    """Where all is permitted it says nothing, and every key of it is gone."""
    with redis.Redis.from_url(redis_url) as client:
        assert redis_check.lacking(client) == []
        assert client.dbsize() == 0


def test_a_replica_is_told(
    guard: Guard, redis_server: RedisServer, database_url: str, spawn: Spawner
) -> None:
    """It answers, and nothing could ever be dispatched through it."""
    replica = RedisServer(guard)
    replica.start()
    with redis.Redis.from_url(replica.url()) as client:
        client.replicaof("127.0.0.1", redis_server.port)
        level, message = doctor(spawn, database_url, replica.url())["redis writes"]
    replica.close()
    assert level == "fail"
    assert "read-only replica" in message

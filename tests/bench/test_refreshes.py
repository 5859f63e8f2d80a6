"""`python -m bench.refreshes` for real, small and quick, on both transports; and what it refuses."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psycopg
import pytest

from bench.refreshes.plan import Plan, check, in_flight_for
from bench.refreshes.report import cost_of
from refresher.errors import SettingsError
from tests.processes import OURS
from tests.services import plain

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
KEYS = {
    *("connections", "refreshed", "refreshes_per_second", "seconds"),
    *("lateness_seconds", "lateness_note", "cpu_microseconds_per_refresh", "due_per_second"),
    *(
        "units",
        "order",
        "peak_memory_megabytes",
        "statements_per_refresh",
        "transactions_per_refresh",
        "errors",
    ),
    *("transport", "sender", "latency_seconds", "processes", "threads", "in_flight"),
    *("database_settings", "machine"),
}
KINDS = {
    "redis": {"scheduler", "workers", "postgres", "redis", "provider"},
    "in_process": {"scheduler", "postgres", "provider"},
}


def bench(*arguments: str, env: Mapping[str, str] | None = None):
    """Runs the command as its user does."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
    return subprocess.run(
        [sys.executable, "-m", "bench.refreshes", *arguments],
        cwd=ROOT,
        env={**inherited, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )


def refused(ran, *parts: str) -> None:
    """Asserts one sentence on stderr with all `parts`, and nothing else."""
    assert ran.returncode == 2, ran.stderr
    assert ran.stdout == ""
    assert [line for line in ran.stderr.splitlines() if "Traceback" in line] == []
    assert len(ran.stderr.splitlines()) == 1, ran.stderr
    for part in parts:
        assert part in ran.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("transport", "order"), [("redis", "shuffled"), ("in_process", "heap")])
def test_a_small_run_refreshes_all_and_tells_what_it_cost(transport, order):
    """Each transport refreshes every connection and prints one JSON object with all its keys."""
    # Given settings of the user's own, which must not send the run elsewhere
    env = {"DATABASE_URL": "postgresql://no.invalid/x", "REDIS_URL": "redis://no.invalid"}
    # When
    ran = bench(
        "--connections", "300", "--transport", transport, "--order", order, "--json", env=env
    )
    # Then
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert set(told) == KEYS
    assert told["order"] == order
    cost = told["cpu_microseconds_per_refresh"]
    # So short a run may end before the system has counted any time of the provider.
    units = pytest.approx(cost["total"] / cost["provider"], abs=0.01) if cost["provider"] else None
    assert told["units"] == units
    assert (told["connections"], told["refreshed"], told["errors"]) == (300, 300, {})
    assert told["transport"] == transport
    assert set(told["cpu_microseconds_per_refresh"]) == KINDS[transport] | {"total"}
    assert set(told["peak_memory_megabytes"]) == KINDS[transport]
    assert min(told["peak_memory_megabytes"].values()) > 0
    assert set(told["lateness_seconds"]) == {"p50", "p99", "max"}
    assert told["database_settings"]["synchronous_commit"] == "on"
    assert 0 < told["transactions_per_refresh"] <= told["statements_per_refresh"]


@pytest.mark.slow
def test_a_database_of_the_users_own_is_left_as_it_was(bare_database_url, redis_url):
    """A run on --database-url and --redis-url works, and leaves no row behind."""
    # When
    ran = bench(
        *("--connections", "60", "--due-per-second", "50", "--for-seconds", "1", "--json"),
        *("--database-url", plain(bare_database_url), "--redis-url", redis_url),
    )
    # Then
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["refreshed"] == 50
    with psycopg.connect(plain(bare_database_url)) as db:
        rows = "select (select count(*) from connection) + (select count(*) from app)"
        assert db.execute(rows).fetchone() == (0,)


def test_a_database_in_use_is_refused(bare_database_url):
    """A database with anybody's table in it is refused by name, and stays as it is."""
    # Given
    with psycopg.connect(plain(bare_database_url), autocommit=True) as db:
        db.execute("create table customers (id int); insert into customers values (1)")
    # When
    ran = bench("--database-url", plain(bare_database_url))
    # Then
    refused(ran, "--database-url holds data already (customers)")
    with psycopg.connect(plain(bare_database_url)) as db:
        assert db.execute("select count(*) from customers").fetchone() == (1,)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--connections", "0"], ["--connections is 0", "20,000,000"]),
        (["--latency", "-1"], ["--latency is -1"]),
        (["--latency", "nan"], ["--latency is nan"]),
        (["--transport", "carrier"], ["--transport is carrier", "redis or in_process"]),
        (["--order", "none"], ["--order is none", "heap or shuffled"]),
        (["--sender", "curl"], ["--sender is curl", "httpx"]),
        (["--threads", "0"], ["--threads is 0"]),
        (["--due-per-second", "0"], ["--due-per-second is 0"]),
        (
            ["--due-per-second", "500", "--for-seconds", "60"],
            ["takes 30,000 connections, and --connections is 20,000"],
        ),
        (["--connections", "many"], ["'--connections'"]),
    ],
)
def test_wrong_use_is_one_sentence(arguments, parts):
    """Each option that cannot be met is refused by its name, with what would do, exit code 2."""
    refused(bench(*arguments), *parts)


def test_where_the_old_command_went_is_told():
    """`refresher bench`, as it was called once, is refused with its new name."""
    # When
    ran = subprocess.run(
        [sys.executable, "-m", "refresher", "bench", "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    # Then
    refused(ran, "no command bench any more", "python -m bench.refreshes")


def test_redis_is_of_no_use_in_process():
    """--redis-url with the transport in_process is a contradiction, not a silent waste."""
    with pytest.raises(SettingsError, match="--redis-url"):
        check(Plan(transport="in_process", processes=1, redis_url="redis://here"))


@pytest.mark.parametrize(
    ("latency", "processes", "expected"),
    [(0.0, 2, 200), (0.02, 1, 200), (0.2, 2, 1000), (0.2, 1, 2000), (10.0, 1, 10_000)],
)
def test_a_slow_provider_gets_more_requests_under_way(latency, processes, expected):
    """A process has as many requests under way as 10,000 a second need, at least the default."""
    assert in_flight_for(latency, processes) == expected


def test_the_cost_is_told_by_kind_and_in_total():
    """CPU seconds become microseconds a refresh, and add up."""
    assert cost_of({"a": 0.5, "b": 0.25}, 1000) == {"a": 500.0, "b": 250.0, "total": 750.0}

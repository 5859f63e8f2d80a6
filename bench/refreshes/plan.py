"""What a benchmark is asked to do, checked: a wish it cannot meet is one sentence with the option."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from refresher.errors import RefresherError, SettingsError

Transport = Literal["redis", "in_process"]
SenderName = Literal["auto", "httpx", "pyreqwest"]
Order = Literal["heap", "shuffled"]
MOST_CONNECTIONS = 20_000_000
MOST_PROCESSES, MOST_THREADS, MOST_IN_FLIGHT = 64, 256, 10_000
MOST_LATENCY_SECONDS = 10.0
"""Below the 20 s after which a request is given up."""
IN_FLIGHT_AT_A_TIME = 200
AIM_PER_SECOND = 10_000


class BenchFailed(RefresherError):
    """One of the benchmark's processes did not do its part."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A benchmark's options. What is None is chosen, or started for this run alone.

    With `due_per_second` only as many connections fall due as `for_seconds` at that rate take, one
    after the other; the rest are scheduled for tomorrow. Without, all fall due at one instant:
    `heap` has them claimed in the order in which they are stored, `shuffled` as production does,
    where rows that are due together lie anywhere.
    """

    connections: int = 20_000
    due_per_second: float | None = None
    for_seconds: float = 30.0
    latency_seconds: float = 0.0
    order: Order = "heap"
    transport: Transport = "redis"
    processes: int = 2
    threads: int = 4
    in_flight: int | None = None
    sender: SenderName = "auto"
    database_url: str | None = None
    redis_url: str | None = None

    @property
    def wanted(self) -> int:
        """How many refreshes the measured time has."""
        if self.due_per_second is None:
            return self.connections
        return max(1, round(self.due_per_second * self.for_seconds))


def check(plan: Plan) -> Plan:
    """Returns the plan, complete; raises `SettingsError`, one sentence, for a wish it cannot meet."""
    _within("connections", plan.connections, 1, MOST_CONNECTIONS)
    _within("latency", plan.latency_seconds, 0, MOST_LATENCY_SECONDS)
    _within("processes", plan.processes, 1, MOST_PROCESSES)
    _within("threads", plan.threads, 1, MOST_THREADS)
    if plan.in_flight is not None:
        _within("in-flight", plan.in_flight, 1, MOST_IN_FLIGHT)
    if plan.due_per_second is not None:
        _check_rate(plan, plan.due_per_second)
    if plan.transport == "in_process" and plan.redis_url is not None:
        raise SettingsError("--redis-url is of no use with --transport in_process: leave one out")
    chosen = in_flight_for(plan.latency_seconds, plan.processes)
    return plan if plan.in_flight is not None else replace(plan, in_flight=chosen)


def _check_rate(plan: Plan, due_per_second: float) -> None:
    _within("due-per-second", due_per_second, 0.1, AIM_PER_SECOND)
    _within("for-seconds", plan.for_seconds, 1, 3_600)
    if plan.wanted > plan.connections:
        raise SettingsError(
            f"--due-per-second {due_per_second:g} for --for-seconds {plan.for_seconds:g} takes "
            f"{plan.wanted:,} connections, and --connections is {plan.connections:,}: raise that, "
            "or lower one of them"
        )


def in_flight_for(latency_seconds: float, processes: int) -> int:
    """Returns how many requests each process must have under way for 10,000 a second in all.

    200, the default of REFRESHER_MAX_IN_FLIGHT, up to 20 ms of latency in one process; 1,000 at
    200 ms in two.
    """
    needed = round(AIM_PER_SECOND * latency_seconds / processes)
    return min(MOST_IN_FLIGHT, max(IN_FLIGHT_AT_A_TIME, needed))


def _within(option: str, given: float, least: float, most: float) -> None:
    if not least <= given <= most:
        raise SettingsError(f"--{option} is {given:g}: give a number from {least:,} to {most:,}")

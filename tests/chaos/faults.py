"""The table's lines, in its order: what is done, how often, what it must show, and who does it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from tests.chaos import (
    answers,
    cables,
    consents,
    databases,
    freezes,
    hooks,
    kills,
    outage,
    queues,
    refusals,
    replies,
    secret,
    stops,
    unread,
)
from tests.chaos.machines import PLACES
from tests.chaos.row import Bench, Row
from tests.chaos.wire import LINKS


@dataclass(frozen=True, slots=True)
class Fault:
    """One line to be: `seconds` is about what it takes, so that the long ones start first."""

    name: str
    title: str
    must_show: str
    times: int
    seconds: float
    run: Callable[[Bench], Row]
    cuts: bool = False
    """Whether it needs network namespaces."""


def all_faults() -> list[Fault]:
    """Returns every line in the order of the table."""
    return [*_kills(), *_points(), *OTHERS, *CABLES]


GRACE = kills.GRACE_SECONDS


def _kills() -> Iterator[Fault]:
    yield Fault(
        "kill-worker",
        "kill -9 a worker at random, grace 10 s",
        "0 lost",
        100,
        340,
        partial(kills.kill_workers_at_random, grace_seconds=GRACE),
    )
    yield Fault(
        "kill-worker-strict",
        "kill -9 a worker at random, no grace",
        "lost only with the reply in flight, told as interrupted within 5 s",
        100,
        340,
        partial(kills.kill_workers_at_random, grace_seconds=0),
    )


def _points() -> Iterator[Fault]:
    for grace_seconds in (GRACE, 0.0):
        for point in (*kills.SCHEDULER_POINTS, *kills.WORKER_POINTS):
            may_lose = not grace_seconds and point in kills.REPLY_IN_FLIGHT
            grace = "grace 10 s" if grace_seconds else "no grace"
            yield Fault(
                f"kill-at-{point}" + ("" if grace_seconds else "-strict"),
                f'kill -9 at "{point}", {grace}',
                "told as interrupted within 5 s" if may_lose else "0 lost",
                20,
                75,
                partial(kills.kill_at, point=point, grace_seconds=grace_seconds),
            )


OTHERS = (
    Fault(
        "kill-scheduler",
        "kill -9 the scheduler",
        "0 lost, no token expires",
        50,
        150,
        kills.kill_schedulers,
    ),
    Fault(
        "freeze",
        "SIGSTOP a worker past its lease, then SIGCONT",
        "0 double-spent, newest pair stored",
        10,
        90,
        freezes.freeze_workers,
    ),
    Fault(
        "freeze-strict",
        'SIGSTOP at "begun" past the lease, then SIGCONT, no grace',
        "0 double-spent, newest pair stored",
        10,
        100,
        freezes.freeze_before_sending,
    ),
    Fault(
        "postgres",
        "Postgres immediate stop and start, no grace",
        "0 lost, 95 % of the former rate within 30 s",
        20,
        120,
        databases.restart_postgres,
    ),
    Fault(
        "read-only",
        "Postgres read-only with 100 replies in hand, workers killed every second time, no grace",
        "0 lost, at most 5 log lines a second, /health 200",
        10,
        150,
        partial(refusals.refuse, fault=refusals.read_only),
    ),
    Fault(
        "disk-full",
        "Postgres' disk full with 100 replies in hand, workers killed every second time, no grace",
        "0 lost, at most 5 log lines a second, /health 200",
        10,
        150,
        refusals.disk_full,
    ),
    Fault(
        "unread",
        "unreadable answers: 100 in hand, Postgres read-only, workers killed, then reread, no grace",
        "0 lost, no refresh token presented twice, every answer read again",
        10,
        250,
        unread.unreadable_answers,
    ),
    Fault(
        "sessions",
        "Postgres sessions ended, 5 a second for 60 s, no grace",
        "0 lost",
        1,
        70,
        databases.end_sessions,
    ),
    Fault(
        "redis-flush",
        "Redis FLUSHALL, no grace",
        "0 lost, dispatching again within 5 s",
        20,
        50,
        queues.flush_redis,
    ),
    Fault(
        "redis-kill",
        "Redis kill -9 and start, no grace",
        "0 lost, dispatching again within 5 s",
        20,
        80,
        queues.kill_redis,
    ),
    Fault(
        "twice",
        "every message delivered twice and reordered, no grace",
        "0 double-spent",
        1,
        40,
        queues.deliver_twice,
    ),
    Fault(
        "webhook-kill",
        "kill -9 a worker between sending a webhook and marking it",
        "0 webhooks lost, what comes twice has its id",
        50,
        250,
        hooks.kill_between_send_and_mark,
    ),
    Fault(
        "kill-connect",
        "kill -9 the web process at each of four steps of a consent",
        "no code sent twice, nothing half stored, what is held connects, guards end within 70 s",
        80,
        250,
        consents.kill_web,
    ),
    Fault(
        "sigterm",
        "SIGTERM during load (deploy), no grace",
        "0 unknown outcomes",
        20,
        60,
        stops.stop_cleanly,
    ),
    Fault(
        "replies",
        "a fifth of all replies dropped after the rotation, grace 30 s",
        "0 lost",
        1,
        35,
        replies.drop_replies,
    ),
    Fault(
        "outage",
        "provider down for seven simulated days, then back",
        "0 parked, requests under the bound",
        1,
        70,
        outage.provider_down,
    ),
    Fault(
        "secret",
        "wrong client secret for 500 connections",
        "1 alert, 0 parked, all resume when mended",
        1,
        35,
        secret.refuse_the_secret,
    ),
    Fault(
        "answers",
        "generated token answers",
        "no crash; a refresh token that came is stored",
        10_000,
        60,
        answers.generated_answers,
    ),
)


def _pull(
    name: str, what: str, grace_seconds: float, places: Sequence[str], links: Sequence[str]
) -> Fault:
    grace = "grace 60 s" if grace_seconds else "no grace"
    run = partial(cables.pull, places=places, links=links, grace_seconds=grace_seconds)
    must = "0 lost, at work again within 20 s of the cable, /health 200 meanwhile"
    return Fault(name, f"cable pulled for 30 s: {what}, {grace}", must, 1, 90, run, cuts=True)


CABLES = (
    _pull("cut-worker", "a worker", 60.0, ("worker-1",), LINKS),
    _pull("cut-worker-data", "a worker from Postgres and Redis", 0.0, ("worker-1",), ("data",)),
    _pull("cut-scheduler", "the scheduler", 0.0, ("scheduler",), LINKS),
    _pull("cut-web", "the web process", 0.0, ("web",), LINKS),
    _pull("cut-data", "Postgres and Redis from everybody", 0.0, PLACES, ("data",)),
    Fault(
        "bad-line",
        "a worker alone, 200 ms from all else, 1 % of packets lost, no grace",
        "0 lost, no token expires",
        1,
        90,
        cables.bad_line,
        cuts=True,
    ),
)

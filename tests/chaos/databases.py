"""Postgres stopped without a checkpoint and started again; its sessions ended at random."""

from __future__ import annotations

import random
import time

import psycopg

from tests.chaos.deployment import Deployment, Plan
from tests.chaos.recovery import moment, recover
from tests.chaos.row import Bench, Row
from tests.services import plain
from tests.waiting import wait_until

RATE_WINDOW_SECONDS = 3.0
RATE_BACK_WITHIN_SECONDS = 30.0
RATE_BACK_SHARE = 0.95
KILLS_A_SECOND = 5


def restart_postgres(bench: Bench) -> Row:
    """Crashes Postgres and starts it again after up to three seconds, again and again."""
    dice = random.Random(bench.title)
    # No grace: a reply that was in hand when Postgres went away must not need one.
    with Deployment(bench.ground, Plan(connections=300, grace_seconds=0)) as deployment:
        time.sleep(bench.seconds(12, 6))
        usual = _rate(deployment, bench.seconds(12, 6) - 1)
        recoveries, rate_back, broken = [], [], []
        for _ in range(bench.times):
            time.sleep(dice.random())
            recoveries.append(restart(deployment, away_seconds=3 * dice.random()))
            rate_back.append(_rate_back_after(deployment, usual))
            bench.advance()
        if max(rate_back) > RATE_BACK_WITHIN_SECONDS:
            broken.append(f"the former rate was back only after {max(rate_back):.0f} s")
        note = f"{usual:.0f}/s before; 95 % of it again after {max(rate_back):.1f} s at most"
        return bench.conclude(deployment, recoveries, note=note, broken=broken)


def restart(deployment: Deployment, *, away_seconds: float) -> float:
    """Crashes Postgres, starts it later; returns the seconds from its return to recovery."""
    in_flight = moment(deployment)
    deployment.ground.postgres.immediate_stop()
    time.sleep(away_seconds)
    deployment.ground.postgres.start()
    back = moment(deployment)
    seconds = recover(deployment, in_flight)
    return max(0.0, seconds - (back.at - in_flight.at).total_seconds())


def end_sessions(bench: Bench) -> Row:
    """Ends five of the deployment's sessions a second, drawn by lot, for a minute."""
    seconds = bench.seconds(60, 6)
    with Deployment(bench.ground, Plan(connections=300, grace_seconds=0)) as deployment:
        in_flight = moment(deployment)
        ended = _end_sessions(deployment, int(seconds * KILLS_A_SECOND), bench)
        seconds_to_recover = recover(deployment, moment(deployment))
        recover(deployment, in_flight)
        note = f"{ended} sessions ended in {seconds:.0f} s"
        return bench.conclude(deployment, [seconds_to_recover], note=note)


def _end_sessions(deployment: Deployment, number: int, bench: Bench) -> int:
    url = plain(deployment.services.settings.database)
    ended = 0
    with psycopg.connect(url, autocommit=True, application_name="chaos") as db:
        for _ in range(number):
            row = db.execute(_END_ONE).fetchone()
            ended += bool(row and row[0])
            time.sleep(1 / KILLS_A_SECOND)
    bench.advance()
    return ended


_END_ONE = """
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() order by random() limit 1
"""
_RATE = """
    select count(*) / cast(:seconds as float8) from refresh_event
    where kind = 'refreshed' and occurred_at > clock_timestamp() - :seconds * interval '1 second'
"""


def _rate(deployment: Deployment, seconds: float) -> float:
    return deployment.number(_RATE, seconds=seconds)


def _rate_back_after(deployment: Deployment, usual: float) -> float:
    """Returns how long it takes until the last seconds' rate is the former one again."""
    began = time.monotonic()
    wait_until(
        lambda: _rate(deployment, RATE_WINDOW_SECONDS) >= RATE_BACK_SHARE * usual,
        2 * RATE_BACK_WITHIN_SECONDS,
        lambda: f"{_rate(deployment, RATE_WINDOW_SECONDS):.0f}/s of {usual:.0f}/s",
    )
    return time.monotonic() - began

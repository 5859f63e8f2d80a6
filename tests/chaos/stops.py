"""SIGTERM during load, as each deploy sends it: what is in flight is finished, the rest goes back."""

from __future__ import annotations

import random
import time

from tests.chaos.deployment import Deployment, Member, Plan
from tests.chaos.recovery import moment, recover
from tests.chaos.row import Bench, Row

EXIT_SLACK_SECONDS = 3.0
"""Dramatiq looks once a second whether its processes have ended."""


def stop_cleanly(bench: Bench) -> Row:
    """Stops workers and schedulers in turn, without grace at the provider, and starts them again."""
    dice = random.Random(bench.title)
    with Deployment(bench.ground, Plan(connections=300, grace_seconds=0)) as deployment:
        recoveries, stops, broken = [], [], []
        for n in range(bench.times):
            time.sleep(dice.random())
            stopping = deployment.members[n % len(deployment.members)]
            since = moment(deployment)
            stops.append(stop(stopping))
            recoveries.append(recover(deployment, since))
            bench.advance()
        if unknown := deployment.number(_UNKNOWN):
            broken.append(f"{unknown:.0f} outcomes unknown")
        limit = deployment.services.settings.shutdown_seconds + EXIT_SLACK_SECONDS
        if max(stops) > limit:
            broken.append(f"a stop took {max(stops):.1f} s, the limit is {limit:g} s")
        note = f"stopped within {max(stops):.1f} s, {unknown:.0f} outcomes unknown"
        return bench.conclude(deployment, recoveries, note=note, broken=broken)


def stop(member: Member) -> float:
    """Sends SIGTERM, waits for a clean exit, starts anew; returns how long the exit took."""
    began = time.monotonic()
    member.process.terminate()
    code = member.process.wait(60)
    took = time.monotonic() - began
    assert code == 0, f"exit code {code}: {member.process.output[-2000:]}"
    member.restart()
    return took


_UNKNOWN = """
    select count(*) from refresh_event
    where (kind = 'swept' and reason = 'outcome unknown') or kind in ('transient', 'malformed')
"""

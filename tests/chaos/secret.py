"""A client secret that the provider refuses, for five hundred connections, and its mending.

They are of several organizations. Each may be held before the app is: people must hear of it once.
"""

from __future__ import annotations

from datetime import datetime

from tests.chaos.deployment import CLIENT_SECRET, Deployment, Plan
from tests.chaos.recovery import moment
from tests.chaos.row import Bench, Row
from tests.waiting import wait_until

PLAN = Plan(
    connections=500,
    organizations=4,
    lifetime_seconds=20.0,
    grace_seconds=0,
    settings={"app_probe_interval_seconds": 1, "app_probe_max_seconds": 2},
)
PROBES = 4
"""How many refusals the app must live through before its secret is mended."""


def refuse_the_secret(bench: Bench) -> Row:
    """Refuses the app's secret under load until several probes have failed, then accepts it again."""
    with Deployment(bench.ground, PLAN) as deployment:
        wait_until(lambda: refreshed_since(deployment, None) > PLAN.connections / 5, 30)
        deployment.provider.set_client_secret("another-secret")
        wait_until(lambda: deployment.number(_REFUSALS) >= PROBES, 60)
        deployment.provider.set_client_secret(CLIENT_SECRET)
        mended = moment(deployment)
        wait_until(lambda: refreshed_since(deployment, mended.at) == PLAN.connections, 60)
        first = deployment.rows(_FIRST_TO_RESUME, since=mended.at)[0][0]
        refused = deployment.provider.summary().refused["invalid_client"]
        alerts = int(deployment.number(_ALERTS))
        bench.advance()
        broken = [] if alerts == 1 else [f"{alerts} alerts instead of one"]
        note = f"1 alert, {refused} requests refused, all {PLAN.connections} resumed"
        seconds = (first - mended.at).total_seconds()
        return bench.conclude(deployment, [seconds], note=note, broken=broken)


def refreshed_since(deployment: Deployment, since: datetime | None) -> int:
    """Returns how many connections were refreshed since an instant, or ever."""
    return int(deployment.number(_REFRESHED_SINCE, since=since))


_ALERTS = "select count(*) from outbox where kind = 'app.misconfigured'"
_REFUSALS = "select max(refusals) from pause where scope = 'app' and organization_id is null"
_REFRESHED_SINCE = """
    select count(distinct connection_id) from refresh_event
    where kind = 'refreshed' and occurred_at > coalesce(cast(:since as timestamptz), '-infinity')
"""
_FIRST_TO_RESUME = """
    select min(occurred_at) from refresh_event where kind = 'refreshed' and occurred_at > :since
"""

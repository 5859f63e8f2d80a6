"""Replies that never arrive although the provider has rotated: asked for again within its grace."""

from __future__ import annotations

import time

from tests.chaos.deployment import Deployment, Plan
from tests.chaos.row import Bench, Row
from tests.waiting import wait_until

# All have expired and are due at once, and the usual wait after a failure is far longer than the grace.
PLAN = Plan(
    connections=300,
    lifetime_seconds=600.0,
    grace_seconds=30.0,
    first_expiry=(0.0, 0.0),
    faults={"drop_after_commit": {"probability": 0.2}},
    # Three hundred at once may be slow on a busy machine, which is no dropped reply: a connection that
    # is not made in time would be tried again only after the usual wait, and twenty in a row would
    # pause the provider.
    settings={
        "attempt_interval_seconds": 120,
        "http_connect_seconds": 10,
        "http_total_seconds": 15,
        "lease_seconds": 30,
        "attempt_timeout_seconds": 60,
        "shutdown_seconds": 25,
    },
)
LIMIT_SECONDS = 90.0
"""A deadline against hanging. What must be quick shows in "lost": who asks after the grace has lost."""


def drop_replies(bench: Bench) -> Row:
    """Has the provider rotate and then drop the connection, for every fifth request."""
    with Deployment(bench.ground, PLAN) as deployment:
        began = time.monotonic()
        wait_until(
            lambda: not deployment.number(_WAITING),
            LIMIT_SECONDS,
            lambda: "\n".join(map(str, deployment.rows(_WHY_THEY_WAIT))),
        )
        took = time.monotonic() - began
        dropped = deployment.provider.summary().dropped_answers
        bench.advance()
        note = f"{dropped} replies dropped after the provider had rotated"
        return bench.conclude(deployment, [took], note=note)


_WAITING = """
    select count(*) from connection c where c.status = 'active' and not exists (
        select 1 from refresh_event e where e.connection_id = c.id and e.kind = 'refreshed')
"""
_WHY_THEY_WAIT = """
    select e.connection_id, e.occurred_at, e.kind, e.reason, e.next_due_at from refresh_event e
    join connection c on c.id = e.connection_id where c.status = 'active' and not exists (
        select 1 from refresh_event f where f.connection_id = c.id and f.kind = 'refreshed')
    order by e.id limit 20
"""

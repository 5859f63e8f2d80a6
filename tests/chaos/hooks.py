"""kill -9 of workers between sending a webhook and marking it: nothing is lost, ids stay."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from refresher.notify import endpoints
from refresher.notify.endpoints import WantedEndpoint
from refresher.outbound.egress import Egress
from refresher.rules.access import Actor
from refresher.rules.notices import Kind
from refresher.runtime.checkpoints import Point
from refresher.store import outbox
from tests.chaos.deployment import Deployment, Plan
from tests.chaos.kills import kill
from tests.chaos.row import Bench, Row
from tests.notify.webhooks.receiver import Receiver
from tests.waiting import wait_until

PLAN = Plan(connections=20, settings={"sender": "httpx", "webhook_delivery__transport": "redis"})
POINT: Point = "webhook_answered"
LIMIT_SECONDS = 60.0


def kill_between_send_and_mark(bench: Bench) -> Row:
    """Kills a worker that has the receiver's answer in its hands, again and again."""
    with _receiver() as receiver, Deployment(bench.ground, PLAN) as deployment:
        _add(deployment, receiver.url)
        ids = [row[0] for row in deployment.rows("select id from connection order by id")]
        happened: list[str] = []
        recoveries = []
        for n in range(bench.times):
            deployment.triggers.arm(POINT)
            happened += [_happen(deployment, ids[(n + m) % len(ids)]) for m in range(5)]
            wait_until(
                lambda: deployment.triggers.taken(POINT),
                LIMIT_SECONDS,
                lambda: f"nobody was killed: {_open_ones(deployment)}",
            )
            taken = deployment.triggers.taken(POINT)
            assert taken is not None
            kill(deployment, deployment.member(taken.group_id))
            deployment.triggers.let_go(POINT)
            recoveries.append(_recovered(deployment))
            bench.advance()
        note, broken = _told(receiver, happened)
        return bench.conclude(deployment, recoveries, note=note, broken=broken)


def _recovered(deployment: Deployment) -> float:
    """Waits until everything has arrived; returns how long that took."""
    began = time.monotonic()
    open_ = "select count(*) from webhook_delivery where state < 3"
    planned = "select count(*) from outbox_pending where consumer = 'webhook'"
    wait_until(
        lambda: not deployment.number(planned) and not deployment.number(open_),
        LIMIT_SECONDS,
        lambda: f"still open: {_open_ones(deployment)}",
    )
    return time.monotonic() - began


def _open_ones(deployment: Deployment) -> list[tuple[object, ...]]:
    """Returns the first messages that have not arrived, for who must find out why."""
    rows = deployment.rows(
        "select d.id, d.state, d.starts, d.attempt, d.reason, d.begun_token = d.lease_token, "
        "d.due_at - refresher_now() as due, d.lease_until - refresher_now() as lease, "
        "w.stopped_at - refresher_now() as stopped, e.failures, e.disabled_at, e.paused_until "
        "from webhook_delivery d join webhook_endpoint e on e.id = d.endpoint_id "
        "left join worker w on w.id = d.holder_id where d.state < 3 order by d.id limit 3"
    )
    return [tuple(map(str, row)) for row in rows]


def _told(receiver: Receiver, happened: list[str]) -> tuple[str, list[str]]:
    """Returns the line's note, and what is not as promised."""
    lost = set(happened) - set(receiver.ids)
    twice = len(receiver.ids) - len(set(receiver.ids))
    note = f"{len(happened)} webhooks, {len(lost)} lost, {twice} came twice with their id"
    by_connection: dict[str, list[str]] = {}
    for received in receiver.received:
        first = by_connection.setdefault(str(received.data.get("connection_id")), [])
        if received.id not in first:
            first.append(received.id)
    disordered = [c for c, came in by_connection.items() if came != _in_order(came, happened)]
    broken = [f"{len(lost)} webhooks lost"] if lost else []
    broken += [f"{len(disordered)} connections out of order"] if disordered else []
    broken += [] if twice else ["nothing came twice: the kills missed"]
    return note, broken


def _in_order(came: list[str], happened: list[str]) -> list[str]:
    known = {id_: n for n, id_ in enumerate(happened)}
    ours = sorted((i for i in came if i in known), key=known.__getitem__)
    return ours if len(ours) == len(came) else came


def _happen(deployment: Deployment, connection_id: UUID) -> str:
    with deployment.services.database.transaction() as db:
        news = outbox.News(("connection", str(connection_id)), Kind.RECOVERED, {})
        (id_,) = outbox.append(db, [news])
    return str(id_)


def _add(deployment: Deployment, url: str) -> None:
    services, egress = deployment.services, Egress(loopback=True)
    wanted, by = WantedEndpoint(url, ["*"]), Actor("cli:chaos")
    endpoints.add(services.database, services.cipher, egress, wanted, by)
    egress.close()


@contextmanager
def _receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    try:
        yield receiver
    finally:
        receiver.close()

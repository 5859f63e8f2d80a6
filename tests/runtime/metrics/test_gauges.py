"""The deployment's gauges: what they tell, and that they stay cheap."""

import json
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from refresher.notify import delivery
from refresher.notify.mail_channel import MAIL
from refresher.rules.connection import ParkReason
from refresher.rules.notices import Kind
from refresher.rules.outcomes import Reply
from refresher.store import gauges, inspection, outbox, recipients, token_lives, workers
from refresher.store.gauges import Gauges
from tests.notify.webhooks.kit import add, claim, deliver, happen
from tests.ports import free_port
from tests.runtime.metrics.kit import open_meter, scrape
from tests.services import PostgresServer
from tests.waiting import wait_until
from tests.world import START, World


def look(world: World) -> Gauges:
    """Returns the gauges now."""
    with world.services.database.transaction() as db:
        return gauges.read(db, has_lock=True)


def test_an_empty_deployment_is_all_zeros(world: World) -> None:
    """Without connections nothing is late, dead, parked or paused; no shortest life is claimed."""
    open_meter(world)
    seen = scrape(world)
    for name in ("overdue_rows", "oldest_overdue_seconds", "expired_tokens", "quarantined_pairs"):
        assert seen.has(name)
        assert seen(name) == 0
    assert not seen.has("least_life_seconds")
    assert all(seen.has(name) for name in ("rows", "parked_rows", "breaker_open", "processes"))
    assert seen("parked_rows", reason="crash_loop") == 0
    assert seen("database_up") == 1


def test_rows_that_wait_longer_make_the_gauges_rise(world: World) -> None:
    """Due rows that nobody takes are overdue by the time that passes, until they are refreshed."""
    open_meter(world)
    world.connect("c1", expires_in=10)
    world.connect("c2", expires_in=3600)
    world.pass_time(100)
    seen = scrape(world)
    assert seen("overdue_rows") == 1
    assert 90 <= seen("oldest_overdue_seconds") <= 100
    assert seen("expired_tokens") == 1
    assert seen("least_life_seconds") == pytest.approx(-90)
    world.tick()
    seen = scrape(world)
    assert seen("oldest_overdue_seconds") == seen("expired_tokens") == 0
    assert seen("least_life_seconds") == pytest.approx(3500)


def test_expired_tokens_in_backoff_are_found_far_behind_the_next_due_rows(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows after a failure or in a pause are looked at by themselves, however many are due before."""
    monkeypatch.setattr(token_lives, "MOST_OPENED", 2)
    world.connect("failing", expires_in=60)
    world.pass_time(59)
    world.script.answer = lambda _request: Reply(503)
    assert world.tick()["transient"] == 1
    for n in range(4):
        world.connect(f"c{n}", expires_in=100)
    world.pass_time(10)
    world.run("update refresh_schedule set due_at = due_at + interval '1 day' where attempt > 0")
    assert look(world).expired_tokens == 1
    world.run("update refresh_schedule set attempt = 0, postponed_by = 'provider:acme'"
              " where attempt > 0")  # fmt: skip
    assert look(world).expired_tokens == 1


def test_states_reasons_pauses_and_processes(world: World) -> None:
    """Rows by state, parked rows by reason, breakers by provider, processes by role and life."""
    open_meter(world)
    ids = [world.connect(f"c{n}", expires_in=0 if n == 0 else 3600) for n in range(4)]
    world.claim()
    world.run(
        "update refresh_schedule set state = 2, parked_reason = 'crash_loop' "
        "where connection_id = :id", id=ids[1],
    )  # fmt: skip
    world.hold("provider", "acme", sort="silent", seconds=30)
    world.hold("provider", "meta", sort="limited", seconds=60)
    world.hold("app", "acme/default", sort="refused", seconds=20)
    with world.services.database.session() as db:
        key = workers.register(db, uuid4(), role="worker", host="here", process_id=1)
        assert workers.take_lock(db, key)
        workers.register(db, uuid4(), role="worker", host="here", process_id=2)
        seen = scrape(world)
    assert [seen("rows", state=s) for s in ("idle", "leased", "parked")] == [2, 1, 1]
    assert seen("parked_rows", reason="crash_loop") == 1
    assert len([k for k in seen.samples if k[0] == "refresher_parked_rows"]) == len(ParkReason)
    assert [seen("breaker_open", provider=p) for p in ("acme", "meta", "paced")] == [1, 0, 0]
    assert seen("pause_left_seconds", scope="provider", provider="meta") == pytest.approx(60, abs=1)
    assert seen("pause_left_seconds", scope="app", provider="acme") == pytest.approx(20, abs=1)
    assert seen("processes", role="worker", state="alive") == 1
    assert seen("processes", role="worker", state="missing") == 1
    assert seen("processes", role="scheduler", state="alive") == 0


def test_the_queue_and_the_spool_are_told(world: World) -> None:
    """Depth and age of the queue, and pairs in the spool's file, stand in the scrape."""
    open_meter(world)
    seen = scrape(world)
    assert (seen("queue_messages"), seen("queue_age_seconds")) == (3, 1.5)
    assert seen("spooled_pairs") == 0
    assert seen("tick_age_seconds") == 0.5


def test_a_worker_tells_nothing_about_the_deployment(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    """Only the roles that are meant to read Postgres for a scrape."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    open_meter(world, role="worker")
    seen = scrape(world)
    assert seen.has("build_info")
    assert not seen.has("rows")
    assert not seen.has("database_up")


def test_gauges_are_read_once_for_scrapes_that_come_together(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten scrapes within the cache's time cost one look at the database."""
    looks: list[int] = []
    real = gauges.read

    def counted(db: object, *, has_lock: bool) -> Gauges:
        looks.append(1)
        return real(db, has_lock=has_lock)  # type: ignore[arg-type]

    monkeypatch.setattr(gauges, "read", counted)
    open_meter(world, cache_seconds=60)
    for _ in range(10):
        scrape(world)
    assert len(looks) == 1


def test_a_database_that_is_away_is_told_and_nothing_else(
    world: World, postgres: PostgresServer
) -> None:
    """While Postgres is away the scrape answers: database_up is 0, its gauges are absent."""
    open_meter(world)
    scrape(world)
    postgres.immediate_stop()
    try:
        seen = scrape(world)
        assert seen("database_up") == 0
        assert seen.has("database_up")
        assert not seen.has("rows")
    finally:
        postgres.start()
    wait_until(lambda: scrape(world)("database_up") == 1, 20)


def test_the_age_of_what_is_to_be_told_rises_until_it_is_told(world: World) -> None:
    """What is unread and mails and webhooks that wait make it rise; sent or held ones do not."""
    open_meter(world)
    one = world.connect()
    with world.services.database.transaction() as db:
        recipients.add(db, "org", "ann@example.com", {})
    add(world, f"http://127.0.0.1:{free_port()}/hooks")
    assert scrape(world)("outbox_oldest_seconds") == 0
    happen(world, one, Kind.RECONNECT_REQUIRED, cause="invalid_grant")
    world.pass_time(100)
    assert scrape(world)("outbox_oldest_seconds") == pytest.approx(100, abs=1)
    # Read by both flows: a mail and a webhook stand there, and nobody could take them
    delivery.plan(world.services, MAIL)
    claimed = claim(world)
    assert world.rows("select 1 from outbox_pending") == []
    world.pass_time(50)
    assert scrape(world)("outbox_oldest_seconds") == pytest.approx(50, abs=1)
    world.run("update mail set state = 2, ended_at = refresher_now()")
    assert scrape(world)("outbox_oldest_seconds") == pytest.approx(50, abs=1), "the webhook"
    deliver(world.services, claimed)
    world.pass_time(7)
    assert scrape(world)("outbox_oldest_seconds") == pytest.approx(57, abs=1), "it is tried again"
    world.run("update webhook_delivery set state = 2, lease_until = null")
    assert scrape(world)("outbox_oldest_seconds") == 0


def test_no_look_reads_a_whole_table(world: World) -> None:
    """On tables with statistics, every statement uses an index or stops at its limit."""
    world.run(
        "insert into connection (id, organization_id, provider, external_id, expires_at) "
        "select gen_random_uuid(), 'o', 'acme', n::text, :now from generate_series(1, 30000) n",
        now=START + timedelta(hours=1),
    )
    world.run(
        "insert into refresh_schedule (connection_id, due_at) "
        "select id, :now from connection", now=START + timedelta(hours=1),
    )  # fmt: skip
    world.run("analyze")
    _much_to_tell(world)
    values = {"most": 100, "reasons": list(ParkReason), "consumers": list(outbox.CONSUMERS)}
    looks = (
        *(gauges._SCHEDULE, gauges._PARKED, token_lives._LIVES, gauges._OUTBOX, gauges._OVERDUE),
        inspection._OF_ALL,
    )
    for statement in looks:
        names = set(text(statement).compile().params)
        plan = world.one(
            f"explain (analyze, format json) {statement}",
            **{name: values[name] for name in names},
        )[0]
        assert _most_rows(plan[0]["Plan"]) <= 300, json.dumps(plan, indent=1)
    assert look(world).idle >= 29_000, "an estimate stands in for a count that was cut off"


def _much_to_tell(world: World) -> None:
    """Leaves 20,000 entries that nobody has read, and as many webhooks that are to be sent."""
    add(world, f"http://127.0.0.1:{free_port()}/hooks")
    world.run(
        "with o as (insert into outbox (id, sequence, kind, payload, occurred_at) "
        "  select gen_random_uuid(), n, 'app.recovered', '{}', refresher_now() "
        "  from generate_series(1, 20000) n returning id, sequence), "
        "p as (insert into outbox_pending select c, id from o cross join "
        "  unnest(array['mail', 'webhook']) c) "
        "insert into webhook_delivery (endpoint_id, event_id, subject, sequence) "
        "select e.id, o.id, 'x', o.sequence from o cross join webhook_endpoint e"
    )
    world.run("analyze")


def _most_rows(node: dict[str, object]) -> float:
    """Returns the most rows that any node of a plan reads, discarded ones included."""
    own = float(node["Actual Rows"]) + float(node.get("Rows Removed by Filter", 0))  # type: ignore[arg-type]
    below: list[dict[str, object]] = node.get("Plans", [])  # type: ignore[assignment]
    return max([own, *map(_most_rows, below)])

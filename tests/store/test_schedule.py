"""Claim, begin, release: the fences of `store/schedule.py` on real Postgres."""

import json
import re
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from refresher.rules.connection import Claim
from refresher.store import leases, marking, schedule, state_changes
from refresher.store.reload import reload
from tests.services import PARTITIONS
from tests.world import START, World

ME = uuid4()


def claim(world: World, limit: int = 10, lease_seconds: float = 60) -> list[Claim]:
    """Claims due rows in a transaction of its own."""
    with world.services.database.transaction() as db:
        return schedule.claim_due(db, limit=limit, lease_seconds=lease_seconds, holder_id=ME)


def test_only_due_rows_are_claimed_the_longest_due_first(world: World) -> None:
    """A claim takes what is due, oldest first, no more than asked for."""
    late, later = world.connect("late", expires_in=10), world.connect("later", expires_in=20)
    world.connect("fresh", expires_in=360_000)
    world.pass_time(30)
    assert [c.connection_id for c in claim(world, limit=1)] == [late]
    assert [c.connection_id for c in claim(world)] == [later]
    assert claim(world) == []


def test_two_claimers_never_take_the_same_row(world: World) -> None:
    """A row that another scheduler's open transaction is claiming is passed over, not waited for."""
    ids = {world.connect(f"c{n}", expires_in=0) for n in range(4)}
    with world.services.database.transaction() as one, world.services.database.transaction() as two:
        first = schedule.claim_due(one, limit=2, lease_seconds=60, holder_id=ME)
        second = schedule.claim_due(two, limit=10, lease_seconds=60, holder_id=ME)
    assert {c.connection_id for c in first} | {c.connection_id for c in second} == ids
    assert {c.connection_id for c in first} & {c.connection_id for c in second} == set()


def test_lease_tokens_only_grow(world: World) -> None:
    """Each claim of a row has a higher token, also after a release."""
    world.connect(expires_in=0)
    (first,) = claim(world)
    with world.services.database.transaction() as db:
        assert schedule.release(db, [first]) == 1
    (second,) = claim(world)
    assert second.lease_token > first.lease_token
    with world.services.database.transaction() as db:
        assert schedule.release(db, [first]) == 0, "a stale claim cannot be released"


def test_a_stale_claim_reloads_nothing(world: World) -> None:
    """A message about a claim that is over finds no row."""
    world.connect(expires_in=0)
    (stale,) = claim(world)
    with world.services.database.transaction() as db:
        schedule.release(db, [stale])
    (held,) = claim(world)
    with world.services.database.transaction() as db:
        assert [row.claim for row in reload(db, [stale, held])] == [held]


def test_two_deliveries_of_one_message_cannot_both_begin(world: World) -> None:
    """Only the first begin passes."""
    id_ = world.connect(expires_in=0)
    claims = claim(world)
    with world.services.database.transaction() as db:
        rows = reload(db, claims)
    for passed in ({id_}, set()):
        with world.services.database.transaction() as db:
            assert marking.begin(db, rows, holder_id=ME) == passed
    assert world.row(id_).starts == 1


def test_a_connection_that_changed_since_the_reload_is_not_begun(world: World) -> None:
    """The guard holds up to the request: paused, deleted, reconnected in between means no."""
    changes = {
        "paused": lambda db, id_: state_changes.stop(db, id_, "paused"),
        "disabled": lambda db, id_: state_changes.stop(db, id_, "disabled"),
        "deleted": lambda db, id_: state_changes.stop(db, id_, "deleted"),
        "version": lambda db, id_: db.execute(
            text("update connection set credential_version = 99 where id = :id"), {"id": id_}
        ),
        "mid-oauth": lambda db, id_: db.execute(
            text("update connection set in_between_steps = true where id = :id"), {"id": id_}
        ),
    }
    ids = {name: world.connect(name, expires_in=0) for name in changes}
    claims = claim(world)
    with world.services.database.transaction() as db:
        rows = reload(db, claims)
        for name, change in changes.items():
            change(db, ids[name])
    with world.services.database.transaction() as db:
        assert marking.begin(db, rows, holder_id=ME) == set()


def test_a_row_can_be_claimed_by_its_id_before_it_is_due(world: World) -> None:
    """To refresh now goes through the same door, and finds a leased row closed."""
    id_ = world.connect()
    with world.services.database.transaction() as db:
        assert schedule.claim_these(db, [id_], lease_seconds=9, holder_id=ME) == [Claim(id_, 1)]
        assert schedule.claim_these(db, [id_], lease_seconds=9, holder_id=ME) == []


def test_a_row_of_an_older_version_learns_its_provider(world: World) -> None:
    """An import writes the provider beside the due time; a row without one gets it when claimed."""
    known, old = world.connect("known", expires_in=60), world.connect("old", expires_in=60)
    world.run(f"update refresh_schedule set provider = null where connection_id = '{old}'")
    assert providers(world) == {known: "acme", old: None}
    world.pass_time(60)
    assert {c.connection_id: c.provider for c in claim(world)} == {known: "acme", old: "acme"}
    assert providers(world) == {known: "acme", old: "acme"}


def test_rows_in_flight_are_counted_by_provider(world: World) -> None:
    """Those too that a process of an older version has claimed, which writes no provider."""
    world.connect("1", expires_in=60), world.connect("2", expires_in=60)
    world.pass_time(60)
    claim(world)
    world.run("update refresh_schedule set provider = null where connection_id = "
              "(select connection_id from refresh_schedule limit 1)")  # fmt: skip
    with world.services.database.transaction() as db:
        assert leases.leased_by_provider(db) == {"acme": 2}


def providers(world: World) -> dict[UUID, str | None]:
    """Returns the provider that stands in each row of the schedule."""
    with world.services.database.transaction() as db:
        rows = db.execute(text("select connection_id, provider from refresh_schedule"))
        return {row[0]: row[1] for row in rows}


def test_the_next_due_time_is_told_in_seconds(world: World) -> None:
    """The scheduler learns how long it may sleep; with nothing scheduled, nothing is told."""
    with world.services.database.transaction() as db:
        assert schedule.next_due_in_seconds(db) is None
    id_ = world.connect()
    with world.services.database.transaction() as db:
        seconds = schedule.next_due_in_seconds(db)
    assert seconds == (world.row(id_).due_at - START).total_seconds()


def test_a_claim_costs_nothing_while_nothing_is_due(world: World) -> None:
    """With 200,000 future rows, asking for due ones reads 10 buffers of each index at most."""
    schedule_for_later(world, 200_000)
    plan = explained_claim(world)
    assert "due_at_idx" in json.dumps(plan)
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] <= 10 * PARTITIONS


@pytest.mark.parametrize("expects", ["few", "many"])
def test_a_claim_reads_what_is_due_and_not_the_table(world: World, expects: str) -> None:
    """Of 20,000 rows, a claim goes to its own by their place, however many the planner expects."""
    schedule_for_later(world, 20_000)
    world.run(
        "update refresh_schedule set due_at = refresher_now() where connection_id in "
        "(select connection_id from refresh_schedule limit 500)"
    )
    if expects == "many":
        world.run("analyze refresh_schedule, connection")
    plan = explained_claim(world)
    assert plan["Actual Rows"] == 500
    assert "Tid Scan" in json.dumps(plan)
    assert not re.search("Seq Scan|Hash|Merge Join|refresh_schedule_pkey", json.dumps(plan))


def schedule_for_later(world: World, count: int) -> None:
    """Schedules rows for the 30 days that come, with statistics as autovacuum would make them."""
    for first in range(1, count + 1, 10_000):  # a busy machine answers each in time
        world.run(
            "with new as (insert into connection (id, organization_id, provider, external_id) "
            "select gen_random_uuid(), 'o', 'acme', n::text "
            "from generate_series(cast(:first as int), cast(:last as int)) n "
            "returning id) insert into refresh_schedule (connection_id, due_at) select id, "
            "refresher_now() + random() * interval '30 days' + interval '1 minute' from new",
            first=first,
            last=min(first + 9_999, count),
        )
    world.run("analyze refresh_schedule, connection")


def explained_claim(world: World) -> dict[str, Any]:
    """Claims up to 500 rows and returns the plan, with what it read."""
    with world.services.database.transaction() as db:
        plan = db.execute(
            text(f"explain (analyze, buffers, format json) {schedule.CLAIM_DUE.text}"),
            {"limit": 500, "lease_seconds": 60, "holder_id": ME, "since": None},
        ).scalar_one()
    found = plan if isinstance(plan, list) else json.loads(plan)
    top: dict[str, Any] = found[0]["Plan"]
    return top


def test_a_claim_that_goes_on_leaves_out_what_lies_below(world: World) -> None:
    """From a due time on, a claim and the look at the next due row see nothing that is older."""
    early, late = world.connect("early", expires_in=10), world.connect("late", expires_in=20)
    world.pass_time(30)
    since = world.row(late).due_at
    with world.services.database.transaction() as db:
        claimed = schedule.claim_due(db, limit=9, lease_seconds=60, holder_id=ME, since=since)
        assert [c.connection_id for c in claimed] == [late]
        assert schedule.next_due_in_seconds(db, since=since) is None
        assert (schedule.next_due_in_seconds(db) or 0) < 0
    assert [c.connection_id for c in claim(world)] == [early]

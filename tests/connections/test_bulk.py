"""A bulk job does what its preview said, to each once, and to nobody else."""

from uuid import UUID

import pytest

from refresher.connections import api_keys, bulk, bulk_work, lifecycle
from refresher.connections.bulk import BulkRefused, NoSuchJob
from refresher.rules.access import Actor
from refresher.rules.bulk import Deed, LeftOut
from refresher.rules.bulk_plan import OrderFault, PlanFault, Selection
from refresher.rules.bulk_words import JobState
from refresher.rules.providers import Slot
from tests.connections.bulk import ANN, audited, begin, choose, look, new_key, work_off
from tests.world import World


def reasons(world: World, id_: UUID) -> list[str]:
    """The reasons of a connection's events, the oldest first."""
    sql = "select reason from refresh_event where connection_id = :id order by id"
    return [row.reason for row in world.rows(sql, id=id_)]


def end_grant(world: World, id_: UUID) -> None:
    """Has the provider have said that a grant is dead."""
    world.run(
        "update connection set status = 'reconnect_required', status_cause = 'invalid_grant', "
        "updated_at = refresher_now() where id = :id",
        id=id_,
    )
    world.run(
        "update refresh_schedule set state = 2, parked_reason = 'reconnect_required' "
        "where connection_id = :id",
        id=id_,
    )


def test_all_that_match_are_done_once_and_written_down(world: World) -> None:
    """One event and one line of the audit each, which name the key and the job."""
    key = new_key(world)
    ids = {world.connect(f"c{n}") for n in range(7)}
    other = world.connect("m1", provider="meta")
    seen = look(world, Deed.PAUSE, key.actor, provider="acme")
    assert (seen.number, seen.providers, seen.left_out) == (7, {"acme": 7}, {})
    assert {row.id for row in seen.sample} == ids

    job = work_off(world, bulk.begin(world.services.database, key.actor, seen.plan))

    assert (job.state, job.total, job.done, job.skipped) == (JobState.DONE, 7, 7, 0)
    assert {world.row(id_).parked_reason for id_ in ids} == {"paused"}
    assert world.row(other).state == 0
    assert sorted(audited(world)) == sorted(("paused", id_, f"bulk:{job.id}") for id_ in ids)
    assert reasons(world, min(ids))[-1] == f"by API key {key.id} (bulk {job.id})"
    assert world.events(min(ids)).count("paused") == 1


def test_a_plan_that_is_sent_twice_makes_one_job(world: World) -> None:
    """And a number that is another one, none."""
    world.connect()
    plan = look(world, Deed.DELETE).plan
    database = world.services.database
    with pytest.raises(BulkRefused, match="the number is missing: it is 1") as refused:
        bulk.begin(database, ANN, plan)
    assert refused.value.reason is OrderFault.NOT_TYPED
    with pytest.raises(BulkRefused, match="it is 1 now"):
        bulk.begin(database, ANN, plan, 2)
    assert bulk.begin(database, ANN, plan, 1).id == bulk.begin(database, ANN, plan, 1).id
    assert len(bulk.recent(database, ANN)) == 1


def test_a_signed_plan_is_its_makers_and_of_a_quarter_of_an_hour(world: World) -> None:
    """Whoever else brings it, or comes later, looks again."""
    world.connect()
    services, plan = world.services, look(world, Deed.PAUSE).plan
    text = bulk.signed(services.cipher, plan, ANN)
    assert bulk.opened(services.database, services.cipher, text, ANN) == plan
    with pytest.raises(BulkRefused) as refused:
        bulk.opened(services.database, services.cipher, text, Actor("cli:bob"))
    assert refused.value.reason is PlanFault.ANOTHERS
    world.pass_time(901)
    with pytest.raises(BulkRefused, match="older than 15 minutes"):
        bulk.opened(services.database, services.cipher, text, ANN)


def test_a_filter_that_matches_nothing_makes_no_job(world: World) -> None:
    """It is said, and nothing begins."""
    world.connect()
    with pytest.raises(BulkRefused, match="nothing is paused"):
        begin(world, Deed.PAUSE, provider="nobody")


def test_a_job_whose_rows_are_all_gone_ends(world: World) -> None:
    """All of them are left out, as gone or changed; so is what was never there."""
    database = world.services.database
    one, two = world.connect("a"), world.connect("b")
    job = choose(world, Deed.PAUSE, one, two, UUID(int=1))
    world.pass_time(1)
    lifecycle.delete(database, ANN, one)
    lifecycle.delete(database, ANN, two)
    ended = work_off(world, job)
    assert (ended.state, ended.done, ended.skipped) == (JobState.DONE, 0, 2)
    assert ended.left_out == {LeftOut.GONE: 2}


def test_what_comes_or_changes_later_is_not_touched(world: World) -> None:
    """A new one, one that somebody changed, and one that reconnected; what refreshed itself is done."""
    database = world.services.database
    changed, refreshed, again = (world.connect(name) for name in ("changed", "refreshed", "again"))
    job = begin(world, Deed.DISABLE, provider="acme", typed=3)
    world.pass_time(1)
    new = world.connect("new")
    lifecycle.change(database, ANN, changed, {"name": "another"})
    world.run(
        "update refresh_schedule set due_at = refresher_now() where connection_id = :id",
        id=refreshed,
    )
    world.tick()
    assert world.events(refreshed)[-1] == "refreshed"
    world.connect("again", access_token="other", refresh_token="other")

    ended = work_off(world, job)

    assert (ended.done, ended.left_out) == (1, {LeftOut.CHANGED: 2})
    off = {id_ for id_ in (new, changed, refreshed, again) if world.row(id_).state == 2}
    assert off == {refreshed}


def test_resuming_is_spread_and_each_tries_once(world: World) -> None:
    """No provider gets more than half of its rate; who shares a grant, or waits for nothing, stays."""
    dead = [world.connect(f"p{n:02}", provider="paced") for n in range(11)]
    for id_ in dead:
        end_grant(world, id_)
    sharing = world.connect(
        "sharing", provider="paced", root_external_id="p00", access_token=None, refresh_token=None,
        expires_in=None,
    )  # fmt: skip
    fine = world.connect("fine", provider="paced")
    seen = look(world, Deed.RESUME, health="reconnect_required")
    assert (seen.number, seen.spread_seconds) == (11, 11 / 5)
    assert seen.left_out == {LeftOut.SHARES_GRANT: 1}

    job = work_off(world, bulk.begin(world.services.database, ANN, seen.plan), pass_time=False)

    assert (job.done, job.skipped) == (11, 1)
    assert sharing not in dead
    rows = world.rows(
        "select extract(epoch from due_at - refresher_now())::float8 as due from refresh_schedule "
        "where connection_id = any(:ids) order by due_at",
        ids=dead,
    )
    assert [round(row.due, 1) for row in rows] == [n / 5 for n in range(11)]
    assert world.events(fine).count("resumed") == 0


def test_a_bulk_refresh_only_makes_rows_due(world: World) -> None:
    """In their turn, never later than they were; what is paused or under way is left out."""
    database = world.services.database
    soon, later, paused = world.connect("soon"), world.connect("later"), world.connect("paused")
    lifecycle.pause(database, ANN, paused)
    due_at = world.row(later).due_at
    world.run(
        "update refresh_schedule set due_at = refresher_now() where connection_id = :id", id=soon
    )
    job = work_off(world, begin(world, Deed.REFRESH, provider="acme"), pass_time=False)
    assert (job.done, job.left_out) == (2, {LeftOut.STOPPED: 1})
    assert world.row(later).due_at < due_at
    assert world.events(later)[-1] == "refresh_asked"
    world.pass_time(1)
    world.tick()
    assert world.events(later)[-1] == "refreshed"


def test_while_others_are_late_a_job_makes_few_rows_due(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next batch comes ten seconds later; what is due by itself goes first."""
    monkeypatch.setattr(bulk_work, "BATCH", 2)
    late = world.connect("late", provider="meta")
    for n in range(4):
        world.connect(f"c{n}")
    world.run(
        "update refresh_schedule set due_at = refresher_now() - interval '11 seconds' "
        "where connection_id = :id",
        id=late,
    )
    job = begin(world, Deed.REFRESH, provider="acme")
    assert work_off(world, job, pass_time=False).done == 2
    world.pass_time(9)
    assert work_off(world, job, pass_time=False).done == 2
    world.pass_time(1)
    assert work_off(world, job, pass_time=False).done == 4


def test_those_that_share_a_grant_are_deleted_before_it(world: World) -> None:
    """All chosen: all go; a root whose sibling was not chosen stays."""
    bare = {"access_token": None, "refresh_token": None, "expires_in": None}
    root = world.connect("root")
    sibling = world.connect("sibling", root_external_id="root", **bare)
    assert look(world, Deed.DELETE).number == 2
    kept = choose(world, Deed.DELETE, sibling, typed=1)
    work_off(world, kept)
    other = world.connect("sibling", root_external_id="root", **bare)
    services = world.services
    seen = bulk.preview(
        services.database, services.catalogue, ANN, Deed.DELETE, Selection(ids=(root,))
    )
    assert seen.left_out == {LeftOut.HOLDS_GRANT: 1}
    done = work_off(world, begin(world, Deed.DELETE, typed=2, provider="acme"))
    assert (done.done, done.skipped) == (2, 0)
    assert world.rows("select 1 from connection where deleted_at is null") == []
    assert {world.events(id_).count("deleted") for id_ in (root, other)} == {1, 2}


def test_a_slot_goes_where_its_connection_goes(world: World) -> None:
    """Paused and resumed with it, with an event of its own, and counted with it."""
    world.describe("acme", slots={"user": Slot(("authed_user",))})
    user = {"access_token": "user-1", "refresh_token": "user-r", "expires_in": 3600}
    main = world.connect("main", slots={"user": user})
    slot = world.one("select id from connection where slot_of = :id", id=main).id
    paused = work_off(world, choose(world, Deed.PAUSE, main))
    assert (paused.done, world.row(slot).parked_reason) == (1, "paused")
    assert work_off(world, begin(world, Deed.RESUME, provider="acme")).done == 1
    assert world.events(slot)[-2:] == ["paused", "resumed"]


@pytest.mark.parametrize("narrowed", [False, True])
def test_a_key_that_loses_its_right_ends_its_job(world: World, narrowed: bool) -> None:
    """At the next batch, which does nothing; the job says why."""
    key, database = new_key(world), world.services.database
    id_ = world.connect()
    job = begin(world, Deed.PAUSE, key.actor)
    if narrowed:
        world.run("update api_key set organization_id = 'other' where id = :id", id=key.id)
    else:
        api_keys.revoke(database, key.id, by=ANN)
    ended = work_off(world, job)
    assert (ended.state, ended.done, world.row(id_).state) == (JobState.STOPPED, 0, 0)
    why = (
        "its API key belongs to another organization now" if narrowed else "its API key is revoked"
    )
    assert ended.why == why


def test_a_bound_key_has_its_own_connections_and_jobs(world: World) -> None:
    """What is another organization's does not exist, chosen by id or not."""
    key, database = new_key(world, "org").actor, world.services.database
    mine, theirs = world.connect("a"), world.connect("b", organization_id="other")
    services = world.services
    chosen = Selection(ids=(mine, theirs), organization_id="other")
    seen = bulk.preview(database, services.catalogue, key, Deed.PAUSE, chosen)
    assert (seen.number, seen.left_out) == (1, {LeftOut.GONE: 1})
    job = work_off(world, bulk.begin(database, key, seen.plan))
    assert (world.row(mine).state, world.row(theirs).state) == (2, 0)
    assert bulk.find(database, key, job.id).done == 1
    of_all = begin(world, Deed.RESUME)
    with pytest.raises(NoSuchJob):
        bulk.find(database, key, of_all.id)
    with pytest.raises(NoSuchJob):
        bulk.stop(database, key, of_all.id)
    assert [one.id for one in bulk.recent(database, key)] == [job.id]


def test_a_stopped_job_does_no_more(world: World) -> None:
    """What it did stays; stopping it again changes nothing."""
    database = world.services.database
    ids = [world.connect(f"c{n}") for n in range(3)]
    job = begin(world, Deed.PAUSE)
    assert bulk_work.work(database, world.services.catalogue)  # gathers
    stopped = bulk.stop(database, ANN, job.id)
    assert (stopped.state, stopped.why, stopped.total) == (JobState.STOPPED, "by cli:ann", 3)
    assert not bulk_work.work(database, world.services.catalogue)
    assert bulk.stop(database, Actor("cli:bob"), job.id).why == "by cli:ann"
    told = world.rows("select key_id, action, subject from audit order by id")
    assert [tuple(row) for row in told] == [
        ("cli:ann", "bulk_begun", f"bulk:{job.id} pause"),
        ("cli:ann", "bulk_stopped", f"bulk:{job.id}"),
    ]
    assert {world.row(id_).state for id_ in ids} == {0}


def test_jobs_are_forgotten_after_a_month(world: World) -> None:
    """What they did stands in events and audit."""
    world.connect()
    job = work_off(world, begin(world, Deed.PAUSE))
    world.pass_time(29 * 86_400)
    bulk_work.forget_old(world.services)
    assert bulk.find(world.services.database, ANN, job.id).done == 1
    world.pass_time(2 * 86_400)
    bulk_work.forget_old(world.services)
    with pytest.raises(NoSuchJob, match="no bulk job has the number 1"):
        bulk.find(world.services.database, ANN, job.id)

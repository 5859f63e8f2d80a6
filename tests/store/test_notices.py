"""Notices against a real Postgres: what is told is written with the change that caused it."""

from refresher.notify import watch
from refresher.refresh.steps import refresh
from refresher.rules.outcomes import Reply
from refresher.runtime import checkpoints
from refresher.store import oauth_apps, state_changes
from tests.store.news import answer, fail_after_expiry, kinds, told
from tests.world import World, refused


def test_a_dead_grant_is_told_once(world: World) -> None:
    """The word of the provider is written with the end of the grant, with the cause and no secret."""
    id_ = world.connect(expires_in=0, name="Ann's calendar")
    answer(world, refused("invalid_grant"))
    world.tick()
    (entry,) = told(world)
    assert (entry.kind, entry.organization_id, entry.connection_id, entry.sequence) == (
        "connection.reconnect_required", "org", id_, 1,
    )  # fmt: skip
    assert entry.payload == {
        "connection_id": str(id_),
        "organization_id": "org",
        "provider": "acme",
        "external_id": "c1",
        "name": "Ann's calendar",
        "cause": "invalid_grant",
    }


def test_a_resumed_connection_that_is_still_dead_is_not_told_again(world: World) -> None:
    """Once for each change of state, not for each failure."""
    id_ = world.connect(expires_in=0)
    answer(world, refused("invalid_grant"))
    world.tick()
    for _ in range(3):
        with world.services.database.transaction() as db:
            state_changes.resume(db, id_)
        world.pass_time(1_000)
        world.tick()
    assert kinds(world) == ["connection.reconnect_required"]


def test_a_reconnect_is_told_as_recovered(world: World) -> None:
    """Whoever heard that it broke hears that it is well, in the transaction of the reconnect."""
    id_ = world.connect(expires_in=0)
    answer(world, refused("invalid_grant"))
    world.tick()
    world.connect(in_between_steps=True)
    assert kinds(world) == ["connection.reconnect_required"], "the dance is not finished"
    world.connect()
    _, entry = told(world)
    assert (entry.kind, entry.sequence, entry.connection_id) == ("connection.recovered", 2, id_)
    assert entry.payload["was"] == "reconnect_required"
    world.connect()
    assert len(kinds(world)) == 2


def test_a_connection_that_resumes_and_refreshes_is_told_as_recovered(world: World) -> None:
    """A provider that took its word back: the refresh that succeeds tells it, not the resuming."""
    id_ = world.connect(expires_in=0)
    answer(world, refused("invalid_grant"))
    world.tick()
    with world.services.database.transaction() as db:
        state_changes.resume(db, id_)
    assert kinds(world) == ["connection.reconnect_required"]
    world.script.answer = world.script.rotate
    world.tick()
    assert kinds(world)[1:] == ["connection.recovered"]


def test_what_never_was_in_trouble_writes_nothing(world: World) -> None:
    """A refresh that succeeds, and one that fails in time, leave every table of notices empty."""
    world.connect("well", expires_in=0)
    world.tick()
    world.connect("later", expires_in=3600)
    answer(world, Reply(503, {}, b""))
    world.pass_time(3000)
    world.tick()
    watch.tell(world.services)
    for table in ("outbox", "outbox_pending", "notice", "grant_end"):
        assert world.rows(f"select 1 from {table}") == [], table


def test_a_token_that_expired_in_trouble_is_told_and_its_recovery_too(world: World) -> None:
    """While the provider fails nobody hears of it until the token has really expired."""
    id_ = world.connect(expires_in=100)
    answer(world, Reply(503, {}, b""))
    world.pass_time(90)
    world.tick()
    watch.tell(world.services)
    assert kinds(world) == []
    world.pass_time(20)
    for _ in range(3):
        watch.tell(world.services)
    (entry,) = told(world)
    assert (entry.kind, entry.payload["cause"]) == (
        "connection.refresh_delayed", "provider_failing",
    )  # fmt: skip
    assert entry.payload["expired_at"] == world.row(id_).expires_at.isoformat()
    world.script.answer = world.script.rotate
    world.pass_time(500)
    world.tick()
    assert kinds(world) == ["connection.refresh_delayed", "connection.recovered"]


def test_a_delayed_connection_that_dies_is_told_at_once(world: World) -> None:
    """Worse news are not held back by the quiet time."""
    fail_after_expiry(world)
    answer(world, refused("invalid_grant"))
    world.pass_time(500)
    world.tick()
    assert kinds(world) == ["connection.refresh_delayed", "connection.reconnect_required"]


def test_a_refused_app_is_told_to_operators_and_its_recovery_too(world: World) -> None:
    """One notice for the app, whatever the number of its connections, and none to their owners."""
    for n in range(5):
        world.connect(f"c{n}", expires_in=0)
    answer(world, refused("invalid_client", 401))
    world.tick()
    (entry,) = told(world)
    assert (entry.kind, entry.app_key, entry.organization_id, entry.connection_id) == (
        "app.misconfigured", "acme/default", None, None,
    )  # fmt: skip
    assert entry.payload == {"app": "acme/default", "provider": "acme", "cause": "invalid_client"}
    world.script.answer = world.script.rotate
    for _ in range(3):
        world.pass_time(130)
        world.tick()
    (entry,) = told(world)
    assert (entry.kind, entry.payload["was"]) == ("app.recovered", "misconfigured")


def test_an_app_that_is_stored_anew_is_well_when_it_stands_for_a_minute(world: World) -> None:
    """A new secret that is wrong again is no recovery; one with nothing to refresh is, in a while."""

    def store() -> None:
        with world.services.database.transaction() as db:
            oauth_apps.put(db, "acme", "default", "app-id", None)

    for name in ("c1", "c2"):
        world.connect(name, expires_in=3600)
    world.run("update refresh_schedule set due_at = refresher_now()")
    answer(world, refused("invalid_client", 401))
    world.tick()
    store()
    world.pass_time(10)
    world.tick()  # refused again
    world.pass_time(80)
    watch.tell(world.services)
    assert kinds(world) == ["app.misconfigured"]
    store()
    world.pass_time(61)
    watch.tell(world.services)
    assert kinds(world) == ["app.misconfigured", "app.recovered"]


def test_a_provider_that_flaps_is_damped_and_ends_with_the_truth(world: World) -> None:
    """Twenty failures and recoveries in ten minutes: four notices, and the last one is what is so."""
    for name in ("c1", "c2"):
        world.connect(name, expires_in=3600)
    sql = "update refresh_schedule set due_at = refresher_now(), state = 0"
    for _ in range(20):
        answer(world, refused("invalid_client", 401))
        world.run(sql)
        world.tick()
        world.pass_time(15)
        watch.tell(world.services)
        world.run("update pause set until = refresher_now()")
        world.script.answer = world.script.rotate
        world.run(sql)
        world.tick()
        world.pass_time(15)
        watch.tell(world.services)
    world.pass_time(600)
    watch.tell(world.services)
    assert kinds(world) == ["app.misconfigured", "app.recovered"] * 2
    assert world.one("select state, told, look_at from notice")[:] == ("well", "well", None)


def test_trouble_that_was_held_back_and_stands_is_told_later(world: World) -> None:
    """Damping delays a notice; it never swallows one that is still so."""
    world.connect(expires_in=0)
    answer(world, refused("invalid_grant"))
    world.tick()
    world.connect()
    world.run("update refresh_schedule set due_at = refresher_now()")
    world.tick()
    assert kinds(world) == ["connection.reconnect_required", "connection.recovered"]
    world.pass_time(299)
    watch.tell(world.services)
    assert len(kinds(world)) == 2
    world.pass_time(2)
    watch.tell(world.services)
    assert kinds(world)[2:] == ["connection.reconnect_required"]
    assert told(world)[-1].payload["cause"] == "invalid_grant"


def test_a_deleted_connection_is_told_of_no_more(world: World) -> None:
    """What waits to be told is dropped when its connection goes."""
    id_ = world.connect(expires_in=0)
    answer(world, refused("invalid_grant"))
    world.tick()
    world.connect()
    world.run("update refresh_schedule set due_at = refresher_now()")
    world.tick()
    with world.services.database.transaction() as db:
        state_changes.stop(db, id_, "deleted")
    world.pass_time(400)
    watch.tell(world.services)
    assert len(kinds(world)) == 2


def test_nothing_is_told_that_was_not_committed(world: World) -> None:
    """A transaction that rolls back takes its notice along; the one that follows tells it once."""
    world.connect(expires_in=0)
    answer(world, refused("invalid_grant"))
    claims = world.claim()

    def fail(point: str) -> None:
        if point == "committing":
            checkpoints.install(None)
            raise RuntimeError(point)

    checkpoints.install(fail)
    assert refresh(world.services, claims)["revoked"] == 1  # the outcome is kept, and tried again
    assert kinds(world) == ["connection.reconnect_required"]

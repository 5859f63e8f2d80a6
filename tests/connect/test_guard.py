"""A connection whose account is being connected again: what is served, refreshed and told meanwhile."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from refresher.errors import TokenUnavailable
from refresher.notify import watch
from refresher.refresh.on_demand import OnDemand
from refresher.rules.connect import Outcome, Problem, Trouble
from refresher.store import connect_steps
from tests.connect.sessions import exchange, hold, make
from tests.notify.mail.kit import break_connections
from tests.world import World, refused


@pytest.fixture
def on_demand(world: World) -> Iterator[OnDemand]:
    """What serves tokens in this process."""
    made = OnDemand(world.services)
    yield made
    made.close()


def kinds(world: World) -> list[str]:
    """What people were told."""
    return [row.kind for row in world.rows("select kind from outbox order by id")]


def asked(world: World, on_demand: OnDemand, connection_id: UUID) -> TokenUnavailable:
    """Returns why there is no token at the moment; nothing is asked of the provider."""
    with pytest.raises(TokenUnavailable) as caught:
        on_demand.fresh_token(connection_id, wait_seconds=5)
    with pytest.raises(TokenUnavailable) as again:
        on_demand.refresh_now(connection_id, wait_seconds=5)
    assert again.value.code == caught.value.code
    assert world.script.asked == []
    return caught.value


def test_a_token_with_life_left_is_served_on(world: World, on_demand: OnDemand) -> None:
    """Nobody who has a good one waits for a person."""
    id_ = world.connect()
    exchange(world, make(world, id_))
    served = on_demand.fresh_token(id_, wait_seconds=1)
    assert served.access_token.reveal() == "access-of-c1"
    assert on_demand.fresh_token(id_, min_ttl_seconds=7_200, wait_seconds=1).stale


@pytest.mark.parametrize("parked", [None, "mid_oauth", "reconnect_required"])
def test_who_has_none_is_told_that_one_is_near(
    world: World, on_demand: OnDemand, parked: str | None
) -> None:
    """Not that its steps are unfinished: `still_refreshing`, with a time; the row is not parked."""
    id_ = world.connect()
    session = make(world, id_)
    attempt = exchange(world, session)
    world.pass_time(3_601)
    world.run("update connect_session set exchange_until = refresher_now() + interval '9 s'")
    if parked:
        world.run("update refresh_schedule set state = 2, parked_reason = :why", why=parked)
    error = asked(world, on_demand, id_)
    assert (error.code, error.retry_after_seconds) == ("still_refreshing", 1.0)
    assert world.row(id_).parked_reason == parked
    assert hold(world, session, attempt)
    if parked != "reconnect_required":
        world.script.answer = world.script.rotate
        assert on_demand.refresh_now(id_, wait_seconds=20).outcome == "refreshed"


def test_who_stopped_it_keeps_it_stopped(world: World, on_demand: OnDemand) -> None:
    """A consent under way ends neither pause nor what an application set itself."""
    paused, own = world.connect("a"), world.connect("b", in_between_steps=True)
    world.run("update connection set paused_at = refresher_now() where id = :id", id=paused)
    world.run(
        "update refresh_schedule set state = 2, parked_reason = 'paused' where connection_id = :id",
        id=paused,
    )
    exchange(world, make(world, paused))
    world.run("update connection set expires_at = refresher_now()")
    assert asked(world, on_demand, paused).code == "paused"
    assert asked(world, on_demand, own).code == "mid_oauth"


def test_what_an_application_says_meanwhile_counts(world: World) -> None:
    """It registers the connection in the midst of its own steps: the flag is not ours any more."""
    id_ = world.connect()
    session = make(world, id_)
    attempt = exchange(world, session)
    world.connect(in_between_steps=True, access_token=None, refresh_token=None, expires_in=None)
    assert hold(world, session, attempt)
    assert world.one("select in_between_steps as it from connection").it


def test_the_slots_of_a_connection_are_held_back_with_it(world: World) -> None:
    """One consent is for all of its tokens."""
    id_ = world.connect()
    slot = world.connect("c1-user")
    sql = "update connection set slot = 'user', slot_of = :id, external_id = 'c1' where id = :slot"
    world.run(sql, id=id_, slot=slot)
    session = make(world, id_)
    attempt = exchange(world, session)
    flags = "select in_between_steps as it from connection"
    assert [row.it for row in world.rows(flags)] == [True, True]
    assert hold(world, session, attempt)
    assert [row.it for row in world.rows(flags)] == [False, False]


def test_the_end_of_the_old_grant_alarms_nobody(world: World) -> None:
    """A refresh that was in flight hears `invalid_grant`, for the consent ended the old grant."""
    id_ = world.connect(expires_in=0)
    session = make(world, id_)

    def consent(*_: object) -> object:
        exchange(world, session)
        return refused("invalid_grant")

    world.script.answer = consent  # type: ignore[assignment]
    assert world.tick()["revoked"] == 1
    assert world.row(id_).status == "reconnect_required"
    assert kinds(world) == []
    world.pass_time(59)
    watch.tell(world.services)
    assert kinds(world) == []
    with world.services.database.transaction() as db:
        connect_steps.reopen(db, session.id, Trouble(Problem.OUTCOME_UNKNOWN, "no answer"))
    world.pass_time(2)
    watch.tell(world.services)
    assert kinds(world) == ["connection.reconnect_required"]


def test_a_dead_grant_is_told_as_ever(world: World) -> None:
    """A session that is merely open, or that has ended, holds no notice back."""
    id_ = world.connect("open")
    make(world, id_)
    ended = make(world, id_)
    with world.services.database.transaction() as db:
        connect_steps.end(db, ended.id, Outcome.CANCELLED)
    break_connections(world, "other")
    world.run("update refresh_schedule set due_at = refresher_now()")
    world.script.answer = lambda _: refused("invalid_grant")
    world.tick()
    assert kinds(world).count("connection.reconnect_required") == 2

"""Looking back: what the events tell of a moment is what the tables held then."""

from collections import Counter
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

import pytest

from refresher.rules.history import Moment, Untold, state_at
from refresher.store import events, marking, state_changes
from refresher.store.reload import reload
from refresher.store.standing import ConnectionStanding, standing_of
from tests.cli.observing.chaos import Chaos
from tests.world import World, refused

SEED, STEPS, MOMENTS = 7, 960, 1_000


def standing_now(world: World, id_: UUID) -> ConnectionStanding:
    """Returns how a connection stands at the end."""
    with world.services.database.transaction() as db:
        standing = standing_of(db, id_)
    assert standing is not None
    return standing


def differences(copy: Moment, told: Moment | Untold) -> object:
    """Returns what is told otherwise than it was, for the one who must find out why."""
    if isinstance(told, Untold):
        return told
    was, told_as = asdict(copy), asdict(told)
    return {n: (was[n], told_as[n]) for n in was if was[n] != told_as[n]}


def look_back(
    world: World, id_: UUID, at: datetime, standing: ConnectionStanding
) -> Moment | Untold:
    """Returns what the events and today's rows tell of a moment."""
    with world.services.database.transaction() as db:
        around = events.around(db, id_, at)
    return state_at(
        at,
        past=around.past,
        later=around.later,
        now=standing.moment,
        created_at=standing.created_at,
    )


@pytest.mark.slow
def test_a_thousand_moments_of_a_chaotic_run_are_told_as_they_were(world: World) -> None:
    """`inspect --at` agrees with a copy of the tables that was taken at that moment."""
    # Given copies of the tables from a run in which everything happens
    chaos = Chaos(world, SEED)
    chaos.run(STEPS)
    kinds = Counter(r.kind for r in world.rows("select kind from refresh_event"))
    assert set(kinds) >= {
        "imported", "reconnected", "refreshed", "fenced", "rate_limited", "transient", "malformed",
        "misconfigured", "revoked", "parked", "postponed", "swept", "released", "paused", "resumed",
    }, kinds  # fmt: skip
    moments = [(at, id_, copy[id_]) for at, copy in chaos.copies for id_ in copy]
    states = Counter(copy.state for _, _, copy in moments)
    assert min(states[s] for s in ("idle", "leased", "parked")) > 100, states
    # When any of these moments is looked back at, up to the instant before the next step
    dice, wrong = Random(SEED), []
    standing = {id_: standing_now(world, id_) for id_ in chaos.ids.values()}
    for at, id_, copy in dice.sample(moments, MOMENTS):
        told = look_back(world, id_, at + timedelta(seconds=dice.uniform(0, 0.2)), standing[id_])
        if told != copy:
            wrong.append(differences(copy, told))
    # Then it is told as it was
    assert wrong == []


def test_a_connection_that_is_paused_while_its_refresh_runs_has_started_it_once(
    world: World,
) -> None:
    """The pause's event is no end of the lease, which goes on and tells its start by itself."""
    id_ = world.connect("ann", expires_in=0)
    (claim,) = world.claim()
    with world.services.database.transaction() as db:
        rows = reload(db, [claim])
        assert marking.begin(db, rows, holder_id=world.services.holder_id) == {id_}
    world.pass_time(1.0)
    with world.services.database.transaction() as db:
        state_changes.stop(db, id_, "paused")
    now = world.services.database.simulated_now
    assert now is not None
    standing = standing_now(world, id_)
    assert standing.moment.starts == 1
    assert look_back(world, id_, now, standing) == standing.moment


def test_a_row_that_its_provider_s_rate_holds_back_is_told_as_held_back(world: World) -> None:
    """Only the first postponement in a row is an event; the due time is that of the first one."""
    for n in range(30):
        world.connect(f"p{n}", provider="paced", expires_in=0)
    world.claim()
    world.pass_time(0.1)
    world.claim()
    rows = world.rows("select connection_id as id from refresh_schedule where state = 0")
    assert rows
    for row in rows:
        assert world.events(row.id) == ["imported", "postponed"]
        now = world.services.database.simulated_now
        assert now is not None
        standing = standing_now(world, row.id)
        told = look_back(world, row.id, now, standing)
        assert isinstance(told, Moment)
        assert told.postponed_by == "rate:paced"
        assert replace(told, due_at=None) == replace(standing.moment, due_at=None)


def test_a_refusal_that_becomes_the_app_s_pause_is_told_as_held_back(world: World) -> None:
    """The grant that was refused first waits for the pause that the second one begins."""
    world.script.answer = lambda _request: refused("invalid_client", 401)
    first, second = (
        world.connect(name, organization_id=f"org-{name}", expires_in=left)
        for name, left in (("ann", 0), ("bob", 5))
    )
    for _ in range(2):
        world.tick()
        world.pass_time(10.0)
    assert world.events(second)[:2] == ["imported", "misconfigured"]
    now = world.services.database.simulated_now
    assert now is not None
    standing = standing_now(world, first)
    assert standing.moment.postponed_by == "app:acme/default"
    assert look_back(world, first, now, standing) == standing.moment

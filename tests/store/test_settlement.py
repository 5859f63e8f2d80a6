"""The fences of `store/settlement.py`: what a late, stale or double writer may and may not do."""

from dataclasses import replace

from refresher.refresh.attempt import Attempt, as_settlement
from refresher.rules.connection import Claim
from refresher.rules.outcomes import Reply
from refresher.store import marking
from refresher.store.reload import reload
from refresher.store.settlement import Settled, Settlement, settle
from tests.world import World, granted, refused

LONG_AGO = 0.0


def begun(world: World, claims: list[Claim]) -> list[Attempt]:
    """Reloads and begins claims, as a worker does before it sends."""
    with world.services.database.transaction() as db:
        rows = reload(db, claims)
    with world.services.database.transaction() as db:
        passed = marking.begin(db, rows, holder_id=world.services.holder_id)
    provider = world.services.catalogue["acme"]
    return [Attempt(r, provider, LONG_AGO) for r in rows if r.connection.id in passed]


def answered(world: World, attempt: Attempt, reply: Reply) -> Settlement:
    """Returns what a reply comes to, as if it had taken no time."""
    made = as_settlement(world.services.cipher, world.services.policy, attempt, reply)
    return replace(made, elapsed_seconds=0.1)


def write(world: World, *settlements: Settlement) -> Settled:
    """Writes settlements in a transaction of their own."""
    with world.services.database.transaction() as db:
        return settle(db, settlements, lead_share=0.2)


def release_by_force(world: World) -> None:
    """Makes leased rows due again, as a sweep does that takes their holder for dead."""
    world.run("update refresh_schedule set state = 0, due_at = refresher_now(), lease_until = null")


def test_a_fresh_pair_is_stored_and_the_row_is_due_before_its_expiry(world: World) -> None:
    """Tokens, version, due time and event are written together."""
    id_ = world.connect(expires_in=0)
    (attempt,) = begun(world, world.claim())
    settled = write(
        world,
        answered(world, attempt, granted(access_token="new", refresh_token="r2", expires_in=3600)),
    )
    row = world.row(id_)
    assert settled.written == {id_}
    assert (world.token(id_), world.token(id_, "refresh_token")) == ("new", "r2")
    assert (row.state, row.credential_version, row.begun_token, row.starts) == (0, 2, 0, 0)
    assert 600 < (row.expires_at - row.due_at).total_seconds() < 840, "a fifth of an hour, jittered"
    assert world.events(id_) == ["imported", "refreshed"]


def test_an_answer_without_a_refresh_token_keeps_the_stored_one(world: World) -> None:
    """M2: absent, null and empty never replace a stored token."""
    absences: list[dict[str, str | None]] = [{}, {"refresh_token": None}, {"refresh_token": ""}]
    for n, missing in enumerate(absences):
        id_ = world.connect(f"c{n}", expires_in=0)
        (attempt,) = begun(world, world.claim())
        write(world, answered(world, attempt, granted(access_token="a", expires_in=9, **missing)))
        assert world.token(id_, "refresh_token") == f"refresh-of-c{n}"


def test_a_stale_holder_never_overwrites_a_newer_pair(world: World) -> None:
    """M1: the slower of two writers is fenced off, and its pair kept in quarantine."""
    # Given a holder that stalled, and another that was given its row
    id_ = world.connect(expires_in=0)
    (slow,) = begun(world, world.claim())
    release_by_force(world)
    (quick,) = begun(world, world.claim())
    # When both come back, the slow one last
    write(
        world,
        answered(world, quick, granted(access_token="quick", refresh_token="q", expires_in=60)),
    )
    late = write(
        world, answered(world, slow, granted(access_token="slow", refresh_token="s", expires_in=60))
    )
    # Then the newer pair stands, and the other is not lost
    assert late.fenced == {id_}
    assert world.token(id_) == "quick"
    assert world.one("select count(*) as n from quarantine").n == 1
    assert world.events(id_)[-1] == "fenced"


def test_a_pair_is_stored_although_the_lease_was_lost(world: World) -> None:
    """Only the version guards tokens: a rotated pair that comes late is still the live one."""
    id_ = world.connect(expires_in=0)
    (slow,) = begun(world, world.claim())
    release_by_force(world)
    (other,) = world.claim()
    settled = write(
        world, answered(world, slow, granted(access_token="late", refresh_token="r", expires_in=60))
    )
    assert world.token(id_) == "late"
    assert settled.written == frozenset(), "the row is another's by now, and stays so"
    assert world.row(id_).lease_token == other.lease_token
    assert world.row(id_).state == 1


def test_invalid_grant_ends_a_connection_only_while_its_version_stands(world: World) -> None:
    """M3: when the stored pair has moved on, the refusal was about an older one."""
    id_ = world.connect(expires_in=0)
    (slow,) = begun(world, world.claim())
    release_by_force(world)
    (quick,) = begun(world, world.claim())
    write(
        world,
        answered(world, slow, granted(access_token="a2", refresh_token="r2", expires_in=3600)),
    )
    settled = write(world, answered(world, quick, refused("invalid_grant")))
    row = world.row(id_)
    assert settled.fenced == {id_}
    assert (row.status, row.state) == ("active", 0)
    assert row.due_at < row.expires_at


def test_a_quarantined_pair_is_adopted_when_the_stored_one_proves_dead(world: World) -> None:
    """M1: the pair that could not be stored may be the only live one."""
    # Given a row whose stored pair is "quick", and a quarantined "slow"
    id_ = world.connect(expires_in=0)
    (slow,) = begun(world, world.claim())
    release_by_force(world)
    (quick,) = begun(world, world.claim())
    write(
        world,
        answered(world, quick, granted(access_token="quick", refresh_token="q", expires_in=60)),
    )
    write(
        world, answered(world, slow, granted(access_token="slow", refresh_token="s", expires_in=60))
    )
    # When the provider says that the stored one is dead
    world.pass_time(60)
    (attempt,) = begun(world, world.claim())
    settled = write(world, answered(world, attempt, refused("invalid_grant")))
    # Then the other is taken into use, at once
    assert settled.adopted == {id_}
    assert world.token(id_, "refresh_token") == "s"
    assert world.row(id_).status == "active"
    world.pass_time(1)
    assert [c.connection_id for c in world.claim()] == [id_]


def test_a_reconnect_wins_over_a_refresh_in_flight(world: World) -> None:
    """O15: the pair of the new grant stands; the old grant's pair is never adopted either."""
    id_ = world.connect(expires_in=0)
    (slow,) = begun(world, world.claim())
    world.connect(access_token="reconnected", refresh_token="new-grant", expires_in=3600)
    settled = write(world, answered(world, slow, granted(access_token="old", expires_in=3600)))
    assert settled.fenced == {id_}
    assert world.token(id_) == "reconnected"
    world.pass_time(3600)
    (attempt,) = begun(world, world.claim())
    assert write(world, answered(world, attempt, refused("invalid_grant"))).adopted == frozenset()
    assert world.row(id_).status == "reconnect_required"


def test_a_dead_grant_after_an_unknown_outcome_is_told_as_interrupted(world: World) -> None:
    """O1: a person who must reconnect because we died in between is told so."""
    id_ = world.connect(expires_in=0)
    begun(world, world.claim())
    world.run("update refresh_schedule set state = 0, lease_until = null, unknown_outcomes = 1")
    (again,) = begun(world, world.claim())
    write(world, answered(world, again, refused("invalid_grant")))
    assert world.row(id_).status_cause == "interrupted"


def test_one_batch_writes_different_outcomes(world: World) -> None:
    """Each row stands for itself in the one transaction of a batch."""
    ids = [world.connect(f"c{n}", expires_in=0) for n in range(4)]
    attempts = {a.row.connection.id: a for a in begun(world, world.claim())}
    replies = [
        granted(access_token="a", expires_in=60),
        refused("invalid_grant"),
        Reply(503),
        Reply(429),
    ]
    write(
        world,
        *(answered(world, attempts[i], r) for i, r in zip(ids, replies, strict=True)),
    )
    rows = [world.row(i) for i in ids]
    assert [r.state for r in rows] == [0, 2, 0, 0]
    assert [r.attempt for r in rows] == [0, 0, 1, 0], "a rate limit counts no attempt"
    assert rows[1].parked_reason == "reconnect_required"

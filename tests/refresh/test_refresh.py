"""The story of `refresh.py`: one test per outcome, guard and fence, on real Postgres.

The provider's lines come from a script; the clock stands still unless a test moves it.
"""

from refresher.refresh.steps import refresh
from refresher.store import oauth_apps, serving
from tests.world import World, granted


def stop(world: World, id_: object, how: str) -> None:
    """Pauses, disables or deletes behind the schedule's back, after the claim."""
    column = {"paused": "paused_at", "disabled": "disabled_at", "deleted": "deleted_at"}[how]
    world.run(f"update connection set {column} = refresher_now() where id = :id", id=id_)


def test_a_due_row_becomes_a_fresh_token(world: World) -> None:
    """The whole idea: due, refreshed, stored, due again before the new end."""
    id_ = world.connect(expires_in=0)
    assert world.tick() == {"refreshed": 1, "stale": 0}
    assert (world.token(id_), world.token(id_, "refresh_token")) == ("access-1", "refresh-1")
    assert world.tick() == {"stale": 0}
    world.pass_time(3600)
    assert world.tick()["refreshed"] == 1
    assert world.script.asked[1].parameters["refresh_token"] == "refresh-1"


def test_nothing_is_asked_before_the_row_is_due(world: World) -> None:
    """An idle connection costs nothing."""
    world.connect(expires_in=3600)
    world.pass_time(2000)
    world.tick()
    assert world.script.asked == []


def test_an_expired_token_is_refreshed_all_the_same(world: World) -> None:
    """M6: there is no "too late" for a grant with a refresh token."""
    id_ = world.connect(expires_in=60)
    world.pass_time(86_400 * 30)
    assert world.tick()["refreshed"] == 1
    assert world.events(id_)[-1] == "refreshed"


def test_an_expired_token_that_is_its_own_grant_needs_a_person(world: World) -> None:
    """M6: a long-lived exchange cannot start from a dead token, so nothing is even sent."""
    id_ = world.connect(provider="meta", refresh_token=None, expires_in=100)
    world.pass_time(101)
    world.tick()
    row = world.row(id_)
    assert (row.state, row.parked_reason, row.status) == (
        2,
        "reconnect_required",
        "reconnect_required",
    )
    assert world.script.asked == []


def test_a_long_lived_token_is_exchanged_for_the_next_one(world: World) -> None:
    """The access token itself is presented, from half its life on."""
    id_ = world.connect(provider="meta", refresh_token=None, expires_in=100)
    world.script.answer = lambda _: granted(access_token="next", expires_in=5_184_000)
    world.pass_time(60)
    world.tick()
    assert world.token(id_) == "next"
    assert dict(world.script.asked[0].parameters)["access_token"] == "access-of-c1"
    row = world.row(id_)
    assert 0.4 < (row.due_at - row.expires_at).total_seconds() / -5_184_000 < 0.6


def test_a_second_delivery_does_nothing(world: World) -> None:
    """A message that comes twice costs a reload, never a second request."""
    world.connect(expires_in=0)
    claims = world.claim()
    refresh(world.services, claims)
    assert refresh(world.services, claims) == {"stale": 1}
    assert len(world.script.asked) == 1


def test_a_claim_that_was_begun_and_lost_is_not_begun_again_by_a_duplicate(world: World) -> None:
    """Only the sweep, which knows whether the holder lives, may make such a row due."""
    world.connect(expires_in=0)
    claims = world.claim()
    world.run("update refresh_schedule set begun_token = lease_token, begun_at = refresher_now()")
    assert refresh(world.services, claims) == {"stale": 1}
    assert world.script.asked == []


def test_a_broken_row_does_not_hold_the_others(world: World) -> None:
    """O21: undecryptable, of an unknown provider, with a wrong host: each parks alone."""
    good = world.connect("good", expires_in=0)
    sealed, unknown = world.connect("sealed", expires_in=0), world.connect("unknown", expires_in=0)
    world.run("update connection set refresh_token = :t where id = :id", t=b"x" * 60, id=sealed)
    world.run("update connection set provider = 'gone' where id = :id", id=unknown)
    assert world.tick() == {"refreshed": 1, "parked": 2, "stale": 0}
    assert world.row(good).state == 0
    assert world.row(sealed).parked_reason == "undecryptable"
    assert world.row(unknown).parked_reason == "unknown_provider"


def test_a_missing_app_parks_and_an_app_that_comes_resumes(world: World) -> None:
    """Connections may be imported before the app is configured."""
    world.run("delete from app")
    id_ = world.connect(expires_in=0)
    assert world.row(id_).parked_reason == "app_not_configured"
    with world.services.database.transaction() as db:
        oauth_apps.put(db, "acme", "default", "app-id", None)
    assert world.tick()["refreshed"] == 1


def test_a_rescued_refresh_token_is_stored_without_an_access_token(world: World) -> None:
    """An odd answer that carries the next refresh token must not lose it."""
    id_ = world.connect(expires_in=0)
    world.script.answer = lambda _: granted(refresh_token="rotated", odd=[1, 2])
    assert world.tick()["malformed"] == 1
    assert world.token(id_, "refresh_token") == "rotated"
    assert world.token(id_) == "access-of-c1"
    world.script.answer = world.script.rotate
    world.pass_time(121)
    assert world.tick()["refreshed"] == 1
    assert world.script.asked[-1].parameters["refresh_token"] == "rotated"


def test_an_answer_without_expires_in_is_refreshed_again_by_the_last_lifetime(world: World) -> None:
    """M7: one refresh is not enough; an expiry once known never becomes "none"."""
    id_ = world.connect(expires_in=0)
    world.tick()
    world.script.answer = lambda _: granted(access_token="x", refresh_token="y")
    world.pass_time(3600)
    world.tick()
    row = world.row(id_)
    assert row.expires_at is not None
    assert 3500 < (row.expires_at - world.services.database.simulated_now).total_seconds() < 3601


def test_siblings_share_their_roots_token(world: World) -> None:
    """M11: stored once, at the root; a sibling has no schedule of its own and nothing to sync."""
    root = world.connect("root", expires_in=0)
    sibling = world.connect(
        "page", root_external_id="root", access_token=None, refresh_token=None, expires_in=None
    )
    world.tick()
    with world.services.database.transaction() as db:
        token = serving.stored(db, (sibling, None))
    assert token is not None
    assert token.root_id == root
    assert token.access_token is not None
    opened = world.services.cipher.open(token.access_token, root, "access_token")
    assert opened.reveal() == "access-1"
    assert world.rows("select 1 from refresh_schedule where connection_id = :id", id=sibling) == []


def test_a_lease_with_too_little_time_left_is_not_sent(world: World) -> None:
    """A message that waited too long in its queue goes back, and nothing is counted."""
    id_ = world.connect(expires_in=0)
    claims = world.claim()
    world.pass_time(world.services.settings.lease_seconds - 1)
    assert refresh(world.services, claims)["unsent"] == 1
    assert world.script.asked == []
    row = world.row(id_)
    assert (row.state, row.attempt, row.unknown_outcomes) == (0, 0, 0)

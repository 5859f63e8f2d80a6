"""The story of `refresh.py`: one test per outcome, guard and fence, on real Postgres.

The provider's lines come from a script; the clock stands still unless a test moves it.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from refresher.refresh import refresh
from refresher.rules.outcomes import Reply
from refresher.store import apps, connections
from tests.world import World, granted, refused


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """Real services on a fresh database."""
    made = World(database_url)
    yield made
    made.close()


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


@pytest.mark.parametrize("how", ["deleted", "disabled", "paused"])
def test_a_connection_that_was_stopped_after_the_claim_is_not_refreshed(
    world: World, how: str
) -> None:
    """The stored row counts, not what the claim remembered; the row says why it is parked."""
    id_ = world.connect(expires_in=0)
    claims = world.claim()
    stop(world, id_, how)
    refresh(world.services, claims)
    assert world.script.asked == []
    assert (world.row(id_).state, world.row(id_).parked_reason) == (2, how)


def test_a_connection_in_the_middle_of_its_oauth_dance_waits(world: World) -> None:
    """Half-connected accounts are never refreshed."""
    id_ = world.connect(expires_in=0, in_between_steps=True)
    world.tick()
    assert world.row(id_).parked_reason == "mid_oauth"
    world.connect(expires_in=0)
    assert world.tick()["refreshed"] == 1


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"refresh_token": None}, "nothing_to_refresh_with"),
        ({"expires_in": None}, None),  # acme documents no lifetime: nothing tells when
    ],
)
def test_what_cannot_be_refreshed_is_parked_with_its_reason(
    world: World, fields: dict[str, Any], reason: str | None
) -> None:
    """Every row is idle with a due time, leased, or parked with a reason."""
    id_ = world.connect(**fields)
    assert world.row(id_).parked_reason == (reason or "no_expiry")


def test_a_dead_grant_is_parked_at_once_after_one_request(world: World) -> None:
    """M3: one invalid_grant, one event, and no second request."""
    id_ = world.connect(expires_in=0)
    world.script.answer = lambda _: refused("invalid_grant")
    assert world.tick()["revoked"] == 1
    row = world.row(id_)
    assert (row.status, row.status_cause) == ("reconnect_required", "invalid_grant")
    world.pass_time(86_400)
    world.tick()
    assert len(world.script.asked) == 1
    assert world.events(id_) == ["imported", "revoked"]


def test_reconnecting_resumes_a_parked_row(world: World) -> None:
    """The same import again is a reconnect: new tokens, active, due."""
    id_ = world.connect(expires_in=0)
    world.script.answer = lambda _: refused("invalid_grant")
    world.tick()
    world.connect(refresh_token="second-grant", expires_in=0)
    world.script.answer = world.script.rotate
    assert world.tick()["refreshed"] == 1
    assert world.script.asked[-1].parameters["refresh_token"] == "second-grant"
    assert world.events(id_) == ["imported", "revoked", "reconnected", "refreshed"]


@pytest.mark.parametrize(
    "trouble",
    [
        Reply(500),
        Reply(503, body=b"<html>down</html>"),
        Reply(failure="timeout"),
        Reply(failure="connect", sent=False),
        Reply(200, body=b"not json at all"),
        Reply(200, body=b"{}"),
        Reply(302, {"location": "https://elsewhere.example"}),
        Reply(400, body=b'{"error": "temporarily_unavailable"}'),
        Reply(403, body=b"forbidden by a firewall"),
    ],
    ids=lambda reply: str(reply.failure or reply.status),
)
def test_trouble_that_passes_never_ends_a_connection(world: World, trouble: Reply) -> None:
    """M3: through 30 days of it the connection stays active, and then it is refreshed."""
    id_ = world.connect(expires_in=100)
    world.script.answer = lambda _: trouble
    for _ in range(30):
        world.pass_time(86_400)
        world.tick()
    assert (world.row(id_).status, world.row(id_).state) == ("active", 0)
    assert world.row(id_).attempt == 30
    world.script.answer = world.script.rotate
    world.pass_time(86_400)
    assert world.tick()["refreshed"] == 1
    assert world.row(id_).attempt == 0


def test_three_attempts_fit_into_what_is_left_of_the_life(world: World) -> None:
    """M12: the waits shrink to fit a short lead: three attempts, and a fourth, before the end."""
    id_ = world.connect(expires_in=100)
    world.script.answer = lambda _: Reply(503)
    world.pass_time(81)
    asked_at = []
    for second in range(82, 100):
        world.pass_time(1)
        if world.tick()["transient"]:
            asked_at.append(second)
    assert len(asked_at) == 4
    assert world.row(id_).attempt == 4


def test_a_rate_limit_counts_no_attempt_and_pauses_the_provider(world: World) -> None:
    """M5: Retry-After holds for every connection of the provider, and for no other's."""
    ids = [world.connect(f"c{n}", expires_in=0) for n in range(3)]
    other = world.connect("m", provider="meta", refresh_token=None, expires_in=10)
    claims = world.claim()
    world.script.answer = lambda _: Reply(429, {"Retry-After": "120"})
    refresh(world.services, claims[:1])
    refresh(world.services, claims[1:])
    assert len(world.script.asked) == 1
    assert all(world.row(i).attempt == 0 and world.row(i).state == 0 for i in ids)
    # When the pause is over, spread over its end
    world.script.answer = world.script.rotate
    world.pass_time(9)
    world.tick()
    assert len(world.script.asked) == 2, "meta is not held"
    assert world.events(other)[-1] == "refreshed"
    world.pass_time(110)
    assert world.tick() == {"stale": 0}
    world.pass_time(1 + 12)
    assert world.tick()["refreshed"] == 3


def test_a_wrong_app_secret_pauses_the_app_and_breaks_nothing(world: World) -> None:
    """M4: every connection of the app waits, one probes, and all resume when it is put right."""
    ids = [world.connect(f"c{n}", expires_in=0) for n in range(50)]
    world.script.answer = lambda _: refused("invalid_client", 401)
    claims = world.claim()
    refresh(world.services, claims[:1])
    refresh(world.services, claims[1:])
    assert len(world.script.asked) == 1
    # When an hour passes, a probe goes out at the end of each pause: 1, 2, 4, 8, 15, 15 … minutes
    for _ in range(60 * 6):
        world.pass_time(10)
        world.tick()
    assert 5 <= len(world.script.asked) <= 9
    assert {world.row(i).status for i in ids} == {"active"}
    # When the secret is put right, all resume without a reconnect
    with world.services.database.transaction() as db:
        apps.put(db, "acme", "default", "app-id", None)
    world.script.answer = world.script.rotate
    world.pass_time(5)
    assert world.tick()["refreshed"] == 50


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
        apps.put(db, "acme", "default", "app-id", None)
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
        token = connections.stored_token(db, sibling)
    assert token is not None
    assert token.owner_id == root
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


def test_a_provider_that_answers_nobody_is_left_alone(world: World) -> None:
    """The breaker opens after 20 failures in a row, one row probes, and all resume together."""
    # Given a provider that is down, with sixty connections
    ids = [world.connect(f"c{n}", expires_in=0) for n in range(60)]
    world.script.answer = lambda _: Reply(failure="timeout")
    claims = world.claim()
    refresh(world.services, claims[:25])
    # When the others come, they wait for the pause, and it costs them no attempt
    refresh(world.services, claims[25:])
    assert len(world.script.asked) == 25
    assert [world.row(c.connection_id).attempt for c in claims[25:]] == [0] * 35
    # When it is down for six hours, it is asked by one probe a pause
    for _ in range(6 * 60):
        world.pass_time(60)
        world.tick()
    assert len(world.script.asked) < 25 + 6 * 60 / 10 + 15
    # Then a probe that succeeds brings all of them back
    world.script.answer = world.script.rotate
    for _ in range(12):
        world.pass_time(60)
        world.tick()
    world.pass_time(3600)
    world.tick()
    assert {world.row(i).attempt for i in ids} == {0}

"""Guards, dead grants, and trouble that passes, over weeks of a simulated clock."""

from typing import Any

import pytest

from refresher.refresh.steps import refresh
from refresher.rules.outcomes import Reply
from refresher.store import oauth_apps
from tests.world import World, refused


def stop(world: World, id_: object, how: str) -> None:
    """Pauses, disables or deletes behind the schedule's back, after the claim."""
    column = {"paused": "paused_at", "disabled": "disabled_at", "deleted": "deleted_at"}[how]
    world.run(f"update connection set {column} = refresher_now() where id = :id", id=id_)


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


@pytest.mark.slow
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


def test_a_rate_limit_told_to_two_counts_no_attempt_and_pauses_the_provider(world: World) -> None:
    """M5: Retry-After holds for every connection of the provider, and for no other's."""
    ids = [world.connect(f"c{n}", expires_in=0) for n in range(4)]
    other = world.connect("m", provider="meta", refresh_token=None, expires_in=10)
    claims = world.claim()
    world.script.answer = lambda _: Reply(429, {"Retry-After": "120"})
    for n in range(4):
        refresh(world.services, claims[n : n + 1])
    assert len(world.script.asked) == 2
    assert all(world.row(i).attempt == 0 and world.row(i).state == 0 for i in ids)
    # When the pause is over, one probes, and its success brings the others
    world.script.answer = world.script.rotate
    world.pass_time(9)
    world.tick()
    assert len(world.script.asked) == 3, "meta is not held"
    assert world.events(other)[-1] == "refreshed"
    world.pass_time(110)
    assert world.tick() == {"stale": 0}
    world.pass_time(1 + 12)
    assert world.tick()["refreshed"] == 1
    world.pass_time(5)
    assert world.tick()["refreshed"] == 3


def test_a_wrong_app_secret_pauses_the_app_and_breaks_nothing(world: World) -> None:
    """M4: every connection of the app waits, one probes, and all resume when it is put right."""
    ids = [world.connect(f"c{n}", expires_in=0) for n in range(50)]
    world.script.answer = lambda _: refused("invalid_client", 401)
    claims = world.claim()
    for n in range(2):
        refresh(world.services, claims[n : n + 1])
    refresh(world.services, claims[2:])
    assert len(world.script.asked) == 3, "one that was not told so doubts it at once"
    # When an hour passes, a probe goes out at the end of each pause (1, 2, 4, 8, 15, 15 … minutes), and
    # now and then one within it
    for _ in range(60 * 2):
        world.pass_time(30)
        world.tick()
    assert 5 <= len(world.script.asked) <= 18
    assert {world.row(i).status for i in ids} == {"active"}
    # When the secret is put right, all resume without a reconnect
    with world.services.database.transaction() as db:
        oauth_apps.put(db, "acme", "default", "app-id", None)
    world.script.answer = world.script.rotate
    world.pass_time(5)
    assert world.tick()["refreshed"] == 50


@pytest.mark.slow
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
    # Then the first probe that succeeds brings all of them back, those that had failed before as well
    world.script.answer = world.script.rotate
    while not world.tick()["refreshed"]:
        world.pass_time(60)
    for _ in range(4):
        world.pass_time(60)
        world.tick()
    assert {world.row(i).attempt for i in ids} == {0}

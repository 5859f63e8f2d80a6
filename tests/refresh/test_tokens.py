"""What a caller is served: fresh tokens, valid ones with a reason, never a dead one."""

import asyncio
from uuid import uuid4

import pytest

from refresher.refresh.on_demand import OnDemand
from refresher.rules.connection import Secret
from refresher.rules.outcomes import Reply
from refresher.rules.served import fingerprint
from tests.refresh.kit import refusal, stop, text
from tests.world import World, granted, refused


def test_a_fresh_token_is_served_as_it_is(world: World, on_demand: OnDemand):
    """A token with life enough costs no request, and is told with all that is known about it."""
    connection = world.connect(scopes=["read", "write"])
    served = on_demand.fresh_token(connection)
    assert text(served) == "access-of-c1"
    assert (served.expires_in_seconds, served.token_type) == (3600, "Bearer")
    assert (served.scopes, served.credential_version) == (("read", "write"), 1)
    assert (served.stale, served.reason) == (False, None)
    assert "access-of" not in repr(served)
    assert world.script.asked == []


def test_a_sibling_is_served_its_roots_token(world: World, on_demand: OnDemand):
    """Who asks for a page gets, and refreshes, the token of its account."""
    root = world.connect("root", expires_in=10)
    bare = {"access_token": None, "refresh_token": None, "expires_in": None}
    page = world.connect("page", root_external_id="root", **bare)
    served = on_demand.fresh_token(page)
    assert (served.connection_id, served.root_id, text(served)) == (page, root, "access-1")


@pytest.mark.parametrize("left", [59, 0])
def test_a_token_near_its_end_is_refreshed_first(world: World, on_demand: OnDemand, left: int):
    """Less than `min_ttl_seconds`, or nothing, is left: the caller gets the next token."""
    connection = world.connect(expires_in=left)
    assert text(on_demand.fresh_token(connection, min_ttl_seconds=60)) == "access-1"
    assert world.row(connection).state == 0
    assert world.events(connection) == ["imported", "refreshed"]


def test_a_failure_serves_what_is_still_valid(world: World, on_demand: OnDemand):
    """While a provider is in trouble a valid token comes with the reason, and no call tries again."""
    connection = world.connect(expires_in=30)
    world.script.answer = lambda _: Reply(500, {}, b"")
    for _ in range(2):
        served = on_demand.fresh_token(connection)
        assert (text(served), served.stale, served.reason) == (
            "access-of-c1",
            True,
            "refresh_failed",
        )
        assert "500" in (served.detail or "")
    assert len(world.script.asked) == 1
    # When the interval is over, the next caller tries again
    world.pass_time(11)
    world.script.answer = world.script.rotate
    assert text(on_demand.fresh_token(connection)) == "access-2"


def test_a_failure_never_serves_what_has_expired(world: World, on_demand: OnDemand):
    """An expired token is an error that tells when to ask again."""
    connection = world.connect(expires_in=0)
    world.script.answer = lambda _: Reply(500, {}, b"")
    for _ in range(2):
        error = refusal(on_demand, connection)
        assert error.code == "refresh_failed"
        assert error.retry_after_seconds == 10
    assert len(world.script.asked) == 1


def test_a_dead_grant_is_told(world: World, on_demand: OnDemand):
    """The grant has ended: valid for the moment, then an error which waiting does not help."""
    connection = world.connect(expires_in=30)
    world.script.answer = lambda _: refused("invalid_grant")
    assert on_demand.fresh_token(connection).reason == "reconnect_required"
    world.pass_time(31)
    error = refusal(on_demand, connection)
    assert (error.code, error.retry_after_seconds) == ("reconnect_required", None)
    assert "must be connected again" in str(error)


def test_a_paused_provider_is_left_alone(world: World, on_demand: OnDemand):
    """While a provider asks for time, callers get the reason and the time, and it no request."""
    connection = world.connect(expires_in=0)
    world.script.answer = lambda _: Reply(429, {"retry-after": "120"}, b"")
    refusal(on_demand, connection)
    world.pass_time(20)
    error = refusal(on_demand, connection)
    assert error.code == "provider_paused"
    assert 90 < (error.retry_after_seconds or 0) < 200
    assert len(world.script.asked) == 1


@pytest.mark.parametrize("how", ["paused", "disabled"])
def test_a_stopped_connection_serves_its_token_while_it_lives(
    world: World, on_demand: OnDemand, how: str
):
    """It keeps its token, which is served until it expires; then the reason is told."""
    connection = world.connect(expires_in=30)
    stop(world, connection, how)
    assert on_demand.fresh_token(connection).reason == how
    world.pass_time(31)
    assert refusal(on_demand, connection).code == how
    assert world.script.asked == []


def test_what_is_not_there_is_told(world: World, on_demand: OnDemand):
    """Unknown and deleted connections, and another organization's, are no connections."""
    connection = world.connect()
    assert refusal(on_demand, uuid4()).code == "no_such_connection"
    assert refusal(on_demand, connection, organization_id="other").code == "no_such_connection"
    assert text(on_demand.fresh_token(connection, organization_id="org")) == "access-of-c1"
    stop(world, connection, "deleted")
    assert refusal(on_demand, connection).code == "deleted"


def test_a_token_no_key_opens_is_told(world: World, on_demand: OnDemand):
    """A row that no key opens is an error of its own, not a crash."""
    connection = world.connect()
    world.run("update connection set access_token = repeat('x', 60)::bytea")
    assert refusal(on_demand, connection).code == "undecryptable"


def test_a_token_that_is_always_rejected_is_not_always_refreshed(world: World, on_demand: OnDemand):
    """Between two refreshes for one that is refused anyway there is an interval."""
    connection = world.connect()
    served = on_demand.fresh_token(connection, rejected=fingerprint(Secret("access-of-c1")))
    for _ in range(3):
        served = on_demand.fresh_token(connection, rejected=served.fingerprint)
        assert (text(served), served.reason) == ("access-1", "refreshed_just_now")
    world.pass_time(11)
    served = on_demand.fresh_token(connection, rejected=served.fingerprint)
    assert (text(served), len(world.script.asked)) == ("access-2", 2)


def test_a_provider_that_gives_short_lives_is_not_refreshed_by_each_call(
    world: World, on_demand: OnDemand
):
    """Who asks for more life than there ever is gets half of it at least, and the flag."""
    connection = world.connect(expires_in=0)
    world.script.answer = lambda _: granted(access_token="short", expires_in=40)
    for _ in range(3):
        served = on_demand.fresh_token(connection, min_ttl_seconds=300)
        assert (text(served), served.stale, served.reason) == ("short", True, "short_lived")
    assert len(world.script.asked) == 1


def test_a_revoked_or_rotated_token_is_never_remembered(world: World, on_demand: OnDemand):
    """What is stored now is what is served now, also by an event loop that reads in batches."""
    connection = world.connect()

    async def ask() -> list[str]:
        before = await on_demand.fresh_token_async(connection)
        await asyncio.to_thread(world.connect, access_token="newer")
        after = await on_demand.fresh_token_async(connection)
        return [text(before), text(after)]

    assert asyncio.run(ask()) == ["access-of-c1", "newer"]

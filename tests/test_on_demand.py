"""Refresh on demand: one exchange for any number of callers, a bounded wait, and never a dead token."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest

from refresher.dispatch import claim_now, release_own
from refresher.errors import DatabaseUnavailable, TokenUnavailable
from refresher.on_demand import OnDemand
from refresher.on_demand.flow import Await, Try
from refresher.refresh import refresh
from refresher.rules.connection import Secret
from refresher.rules.outcomes import Reply
from refresher.rules.providers import TokenRequest
from refresher.rules.served import Served, fingerprint
from refresher.store import connections
from tests.waiting import wait_until
from tests.world import World, granted, refused


@pytest.fixture
def on_demand(world: World) -> Iterator[OnDemand]:
    """What serves tokens in this process."""
    made = OnDemand(world.services)
    yield made
    made.close()


class Gate:
    """A provider that answers when it is told to."""

    def __init__(self, world: World) -> None:
        self._answer = world.script.rotate
        self.asked, self.opened = threading.Event(), threading.Event()
        world.script.answer = self

    def __call__(self, request: TokenRequest) -> Reply:
        """Waits in the exchange's own thread."""
        self.asked.set()
        assert self.opened.wait(30)
        return self._answer(request)


def refusal(on_demand: OnDemand, connection: UUID, **how: object) -> TokenUnavailable:
    """Returns the error that asking for a token ends in."""
    with pytest.raises(TokenUnavailable) as raised:
        on_demand.fresh_token(connection, **how)  # type: ignore[arg-type]
    return raised.value


def text(served: Served) -> str:
    """Returns the token in the clear."""
    return served.access_token.reveal()


def stop(world: World, connection: UUID, how: str) -> None:
    """Pauses, disables or deletes a connection."""
    with world.services.database.transaction() as db:
        connections.stop(db, connection, how)


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


def test_a_thousand_calls_cause_one_exchange(world: World, on_demand: OnDemand):
    """Callers in 50 threads who all find the token expired share one refresh."""
    connection = world.connect(expires_in=0)
    gate = Gate(world)
    with ThreadPoolExecutor(50) as threads:
        asked = [threads.submit(on_demand.fresh_token, connection) for _ in range(1000)]
        assert gate.asked.wait(30)
        gate.opened.set()
        tokens = {text(each.result()) for each in asked}
    assert (tokens, len(world.script.asked)) == ({"access-1"}, 1)


def test_a_thousand_tasks_cause_one_exchange(world: World, on_demand: OnDemand):
    """A thousand waiting tasks of an event loop hold neither threads nor connections."""
    connection = world.connect(expires_in=0)
    gate = Gate(world)

    async def ask() -> set[str]:
        asked = [
            asyncio.ensure_future(on_demand.fresh_token_async(connection)) for _ in range(1000)
        ]
        await asyncio.to_thread(gate.asked.wait, 30)
        # While all wait, the pool has connections for others
        other = await asyncio.to_thread(world.row, connection)
        assert other.state == 1
        gate.opened.set()
        return {text(served) for served in await asyncio.gather(*asked)}

    assert asyncio.run(ask()) == {"access-1"}
    assert len(world.script.asked) == 1


def test_two_event_loops_and_their_threads_share_one_exchange(world: World, on_demand: OnDemand):
    """A process may have several event loops; the row has one refresh."""
    connection = world.connect(expires_in=0)

    async def ask() -> list[Served]:
        return await asyncio.gather(*[on_demand.fresh_token_async(connection) for _ in range(20)])

    with ThreadPoolExecutor(2) as threads:
        served = [
            s for loop in [threads.submit(asyncio.run, ask()) for _ in "ab"] for s in loop.result()
        ]
    assert {text(s) for s in served} == {"access-1"}
    assert len(world.script.asked) == 1


def test_who_finds_it_leased_waits_for_that_lease(world: World, on_demand: OnDemand):
    """Another process's refresh is waited for, and its token served."""
    connection = world.connect(expires_in=0)
    claim = claim_now(world.services, connection)
    assert claim is not None
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(on_demand.fresh_token, connection)
        wait_until(lambda: on_demand._leases._waited)
        refresh(world.services, [claim])
        assert text(asked.result()) == "access-1"
    assert len(world.script.asked) == 1


def test_who_waits_takes_over_a_lease_without_outcome(world: World, on_demand: OnDemand):
    """When the other process gives its claim back, the one that waited refreshes."""
    connection = world.connect(expires_in=0)
    assert claim_now(world.services, connection)
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(on_demand.fresh_token, connection)
        wait_until(lambda: on_demand._leases._waited)
        release_own(world.services)
        assert text(asked.result()) == "access-1"


def test_a_claim_is_only_good_for_what_was_seen(world: World):
    """Who looked before another's refresh cannot claim after it."""
    connection = world.connect()
    seen = world.row(connection).lease_token
    claim = claim_now(world.services, connection, seen=seen)
    assert claim is not None
    refresh(world.services, [claim])
    assert claim_now(world.services, connection, seen=seen) is None
    assert claim_now(world.services, connection, seen=claim.lease_token) is not None


@pytest.mark.parametrize("left", [30, 0])
def test_the_wait_is_bounded(world: World, on_demand: OnDemand, left: int):
    """After `wait_seconds` a valid token is served with a flag, an expired one is an error."""
    connection = world.connect(expires_in=left)
    assert claim_now(world.services, connection)
    if left:
        served = on_demand.fresh_token(connection, wait_seconds=0.05)
        assert (text(served), served.stale, served.reason) == (
            "access-of-c1",
            True,
            "still_refreshing",
        )
    else:
        error = refusal(on_demand, connection, wait_seconds=0.05)
        assert (error.code, error.retry_after_seconds) == ("still_refreshing", 1)


def test_a_wait_that_ends_leaves_the_refresh_to_end(world: World, on_demand: OnDemand):
    """Nobody's impatience cuts an exchange off: its token is stored all the same."""
    connection = world.connect(expires_in=0)
    gate = Gate(world)

    async def ask() -> None:
        with pytest.raises(TokenUnavailable):
            await on_demand.fresh_token_async(connection, wait_seconds=0)
        assert await asyncio.to_thread(gate.asked.wait, 30)

    asyncio.run(ask())
    gate.opened.set()
    wait_until(lambda: not on_demand.busy)
    assert text(on_demand.fresh_token(connection)) == "access-1"


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


def test_a_rejected_token_is_refreshed_once(world: World, on_demand: OnDemand):
    """A hundred reports about one token cause one refresh; a report about an older one causes none."""
    connection = world.connect()
    world.pass_time(60)
    old = fingerprint(Secret("access-of-c1"))
    with ThreadPoolExecutor(20) as threads:
        asked = [
            threads.submit(on_demand.fresh_token, connection, rejected=old) for _ in range(100)
        ]
        assert {text(each.result()) for each in asked} == {"access-1"}
    world.pass_time(60)
    assert text(on_demand.fresh_token(connection, rejected=old)) == "access-1"
    assert len(world.script.asked) == 1


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


def test_refreshing_now_does_so_whatever_is_left(world: World, on_demand: OnDemand):
    """A refresh now is done for a fresh token, too, and tells how it ended."""
    connection = world.connect()
    ending = on_demand.refresh_now(connection, wait_seconds=20)
    assert (ending.outcome, ending.by_us) == ("refreshed", True)
    assert asyncio.run(on_demand.refresh_now_async(connection, wait_seconds=20)).by_us
    assert len(world.script.asked) == 2


def test_refreshing_now_together_is_one_refresh(
    world: World, on_demand: OnDemand, monkeypatch: pytest.MonkeyPatch
):
    """Who asks while it is under way gets the ending of that one."""
    connection = world.connect()
    gate, joined, join = Gate(world), list[object](), on_demand._future

    def counted(step: Try | Await) -> Future[object]:
        joined.append(step)
        return join(step)

    monkeypatch.setattr(on_demand, "_future", counted)
    with ThreadPoolExecutor(20) as threads:
        asked = [
            threads.submit(on_demand.refresh_now, connection, wait_seconds=20) for _ in range(20)
        ]
        wait_until(lambda: len(joined) == 20, 30)
        gate.opened.set()
        assert {each.result().outcome for each in asked} == {"refreshed"}
    assert len(world.script.asked) == 1


def test_refreshing_now_has_an_end(world: World, on_demand: OnDemand):
    """After `wait_seconds` of another's lease, or for a parked row, it is an error with a code."""
    connection = world.connect()
    assert claim_now(world.services, connection)
    with pytest.raises(TokenUnavailable, match="took longer"):
        on_demand.refresh_now(connection, wait_seconds=0.05)
    release_own(world.services)
    stop(world, connection, "paused")
    with pytest.raises(TokenUnavailable, match="is paused"):
        on_demand.refresh_now(connection, wait_seconds=1)
    with pytest.raises(TokenUnavailable, match="no such connection"):
        on_demand.refresh_now(connection, wait_seconds=1, organization_id="other")


def test_a_refresh_that_cannot_begin_gives_its_claim_back(
    world: World, on_demand: OnDemand, monkeypatch: pytest.MonkeyPatch
):
    """An error between claim and begin is told to all who wait, and the row is free again."""
    connection = world.connect(expires_in=0)

    def broken(*_: object) -> None:
        raise DatabaseUnavailable("away")

    monkeypatch.setattr("refresher.on_demand.flights.refresh", broken)
    with pytest.raises(DatabaseUnavailable):
        on_demand.fresh_token(connection)
    assert world.row(connection).state == 0


def test_a_process_without_a_heartbeat_gets_one_with_its_first_refresh(world: World):
    """An application's process is registered as alive before it holds a lease, and takes leave."""
    connection = world.connect(expires_in=0)
    client = OnDemand(world.services, role="client")
    assert world.rows("select * from worker") == []
    client.fresh_token(connection)
    assert world.one("select role, stopped_at from worker").role == "client"
    client.close()
    assert world.one("select stopped_at from worker").stopped_at is not None

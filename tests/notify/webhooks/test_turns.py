"""Many tenants, one outlet: whose endpoints hang or are many holds up only its own messages."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from refresher.notify import delivery
from refresher.notify.webhook_channel import WEBHOOKS
from refresher.store.leases import Lease
from tests.notify.webhooks import kit
from tests.notify.webhooks.kit import add, happen
from tests.notify.webhooks.receiver import Receiver, Reply
from tests.waiting import wait_until
from tests.web.kit import Site, refused
from tests.world import World


def batches(world: World) -> list[list[Lease]]:
    """Plans and claims once; returns what is handed over."""
    return kit.batches(world.services)


def owners(world: World, claims: Sequence[Lease]) -> list[str]:
    """Returns whose messages were claimed, in the order of the claims."""
    sql = (
        "select d.id, coalesce(e.organization_id, 'operators') as owner from webhook_delivery d "
        "join webhook_endpoint e on e.id = d.endpoint_id"
    )
    known = {row.id: row.owner for row in world.rows(sql)}
    return [known[claim.id] for claim in claims]


def tenant(world: World, name: str, url: str, endpoints: int, events: int) -> list[UUID]:
    """Makes a tenant whose endpoints are all to be told of so many events; returns them."""
    made = [add(world, url, organization=name)[0] for _ in range(endpoints)]
    for number in range(events):
        happen(world, world.connect(f"{name}-{number}", organization_id=name))
    return made


@pytest.fixture
def narrow(database_url: str) -> Iterator[World]:
    """A scheduler that looks at 20 messages at once, and has 4 of an organization under way."""
    made = World(database_url, claim_limit=20, webhook_organization_concurrency=4)
    yield made
    made.close()


def test_a_message_goes_in_its_organization_s_turn(narrow: World, nobody: str) -> None:
    """One behind 200 of another tenant goes as soon as those were looked at once, not delivered."""
    tenant(narrow, "a", nobody, endpoints=40, events=5)
    tenant(narrow, "b", nobody, endpoints=1, events=1)
    gone: list[str] = []
    for _ in range(200 // 20 + 1):
        gone += owners(narrow, [claim for batch in batches(narrow) for claim in batch])
        assert gone.count("a") <= 4
    assert gone.count("b") == 1


def test_of_those_that_may_go_each_has_one_before_anybody_has_two(
    world: World, nobody: str
) -> None:
    """Places are given out one by one, whoever has more messages, and more of them under way."""
    for name in ("a", "b", "c"):
        tenant(world, name, nobody, endpoints=2, events=3)
    order = owners(world, [claim for batch in batches(world) for claim in batch])
    assert [set(order[n : n + 3]) for n in (0, 3)] == [{"a", "b", "c"}] * 2


def test_who_has_many_under_way_comes_after_who_has_none(database_url: str, nobody: str) -> None:
    """The tenant that has two under way gets nothing before the others have two."""
    world = World(database_url, webhook_max_in_flight=2)
    tenant(world, "a", nobody, endpoints=2, events=3)
    assert owners(world, [c for batch in batches(world) for c in batch]) == ["a", "a"]
    tenant(world, "b", nobody, endpoints=2, events=1)
    tenant(world, "c", nobody, endpoints=2, events=1)
    wide = world.services.settings.model_copy(update={"webhook_max_in_flight": 6})
    object.__setattr__(world.services, "settings", wide)
    world.pass_time(1)
    gone = owners(world, [claim for batch in batches(world) for claim in batch])
    assert sorted(gone) == ["b", "b", "c", "c"]
    world.close()


def test_endpoints_in_trouble_are_handed_over_apart(world: World, nobody: str) -> None:
    """Failing and slow ones in batches of their organization's; all that is well shares batches."""
    failing, slow = tenant(world, "a", nobody, 1, 2), tenant(world, "b", nobody, 1, 2)
    tenant(world, "c", nobody, 1, 2)
    tenant(world, "d", nobody, 1, 2)
    world.run("update webhook_endpoint set failures = 1 where id = :id", id=failing[0])
    world.run("update webhook_endpoint set usual_seconds = 9 where id = :id", id=slow[0])
    found = {frozenset(owners(world, batch)) for batch in batches(world)}
    assert found == {frozenset("a"), frozenset("b"), frozenset("cd")}


def test_an_operator_s_endpoint_has_turns_of_its_own(narrow: World, nobody: str) -> None:
    """It hears of everybody, and neither waits for a tenant nor has a tenant wait."""
    add(narrow, nobody, organization=None)
    tenant(narrow, "a", nobody, endpoints=3, events=2)
    order = owners(narrow, [claim for batch in batches(narrow) for claim in batch])
    assert (order.count("operators"), order.count("a")) == (2, 4)


def test_a_message_arrives_while_all_of_another_tenant_s_hang(
    world: World, receiver: Receiver, other: Receiver
) -> None:
    """100 endpoints that never answer come first; the other tenant's message arrives all the same."""
    gate = threading.Event()
    receiver.answer = lambda _: Reply(before=lambda: gate.wait(60))
    tenant(world, "a", receiver.url, endpoints=100, events=3)
    tenant(world, "b", other.url, endpoints=1, events=1)
    try:
        for _ in range(3):
            for batch in batches(world):
                delivery.deliver_apart(world.services, WEBHOOKS, batch)
        wait_until(lambda: len(other.received) == 1)
        in_flight = world.services.settings.webhook_organization_concurrency
        wait_until(lambda: len(receiver.received) == in_flight)
        sql = "select count(*) as n from webhook_delivery where state = 3"
        wait_until(lambda: world.one(sql).n == 1)
    finally:
        gate.set()
        world.services.finish_deliveries()


def test_an_organization_may_have_so_many_endpoints(database_url: str) -> None:
    """By API: REFRESHER_QUOTA_WEBHOOKS of each organization's; operators' are not counted."""
    world = World(database_url, quota_webhooks=2)
    with Site.opened(world) as site:
        key = site.new_key(organization_id="a")
        body = {"url": "https://app.example/hooks", "events": ["*"]}
        made = [site("POST", "/v1/webhooks", key=key, json=body) for _ in range(3)]
        assert [answer.status_code for answer in made] == [201, 201, 409]
        assert "REFRESHER_QUOTA_WEBHOOKS" in refused(made[2], 409, "quota_reached")["detail"]
        for owner in ("b", None, None, None):
            given = {**body, "organization_id": owner}
            assert site("POST", "/v1/webhooks", json=given).status_code == 201
        assert (
            site("DELETE", f"/v1/webhooks/{made[0].json()['id']}", key=key).json()["deleted"]
            is True
        )
        assert site("POST", "/v1/webhooks", key=key, json=body).status_code == 201
    world.close()


def test_a_quota_holds_for_those_that_come_at_once(database_url: str) -> None:
    """Of eight that are made at the same moment with room for three, three are."""
    world = World(database_url, quota_webhooks=3)
    with Site.opened(world) as site:
        keys = [site.new_key() for _ in range(8)]
        body = {"url": "https://a.example", "events": ["*"], "organization_id": "a"}

        def ask(key: str) -> int:
            return site("POST", "/v1/webhooks", key=key, json=body).status_code

        with ThreadPoolExecutor(8) as pool:
            assert sorted(pool.map(ask, keys)) == [201] * 3 + [409] * 5
    world.close()

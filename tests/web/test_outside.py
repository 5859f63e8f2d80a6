"""Other people's servers that never answer: who asked for them waits, and nobody else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import httpx
import pytest

from refresher.catalogue import Catalogue
from refresher.notify import endpoints
from refresher.notify.endpoints import WantedEndpoint
from refresher.outbound.egress import Egress
from refresher.outbound.key_sets import KeysUnavailable
from refresher.rules.outcomes import Reply
from refresher.rules.signals import SignalSource, SourceKind
from refresher.web.state import MOST_EACH
from tests.notify.webhooks.receiver import Receiver
from tests.notify.webhooks.receiver import Reply as Taken
from tests.waiting import wait_until
from tests.web.kit import Site, refused

TENANTS = ("a", "b", "c", "d")
LOOPBACK = Egress(loopback=True)


class Hang:
    """Where somebody else's server keeps us, until the test lets go; `held` are kept now."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.held = 0

    def __call__(self) -> None:
        """Waits."""
        self.held += 1
        assert self.gate.wait(60)


@pytest.fixture
def hang() -> Iterator[Hang]:
    """Lets go of everything at the end."""
    made = Hang()
    yield made
    made.gate.set()


def begin(site: Site, method: str, path: str, key: str, **more: Any) -> Future[httpx.Response]:
    """Sends a request and does not wait for its answer."""
    sent: Future[httpx.Response] = asyncio.run_coroutine_threadsafe(
        site.send(method, path, key=key, **more), site._loop
    )
    return sent


def webhook_tests(site: Site, hang: Hang) -> Callable[[str, str], Future[httpx.Response]]:
    """Each tenant tests a receiver that takes the message and does not answer."""
    receiver = Receiver()
    receiver.answer = lambda _: Taken(before=hang)
    services = site.world.services
    services.webhook_sender.exchange.egress = LOOPBACK

    def ask(tenant: str, key: str) -> Future[httpx.Response]:
        wanted = WantedEndpoint(receiver.url, ["*"], tenant)
        id_, _ = endpoints.add(services.database, services.cipher, LOOPBACK, wanted, site.actor)
        return begin(site, "POST", f"/v1/webhooks/{id_}/test", key)

    return ask


def revocations(site: Site, hang: Hang) -> Callable[[str, str], Future[httpx.Response]]:
    """Each tenant gives a grant back to a provider that does not answer."""
    acme = site.world.services.catalogue["acme"]
    object.__setattr__(acme, "revocation_url", "https://acme.example/revoke")

    async def send(_wire: object) -> Reply:
        await asyncio.get_running_loop().run_in_executor(None, hang)
        return Reply(200, {}, b"")

    site.world.script.send = send  # type: ignore[assignment,method-assign]

    def ask(tenant: str, key: str) -> Future[httpx.Response]:
        count = site.world.one("select count(*) as n from connection").n
        id_ = site.world.connect(f"c{count}", organization_id=tenant)
        return begin(site, "DELETE", f"/v1/connections/{id_}?revoke=true", key)

    return ask


def names(site: Site, hang: Hang) -> Callable[[str, str], Future[httpx.Response]]:
    """Each tenant names a receiver whose name server does not answer."""

    def look_up(_host: str) -> list[str]:
        hang()
        return ["93.184.216.34"]

    site.api.state.egress = Egress(lookup=look_up)

    def ask(tenant: str, key: str) -> Future[httpx.Response]:
        body = {"url": f"https://{tenant}{hang.held}.example/", "events": ["*"]}
        return begin(site, "POST", "/v1/webhooks", key, json=body)

    return ask


@pytest.mark.parametrize("kind", [webhook_tests, revocations, names])
def test_eight_that_hang_keep_nobody_else_waiting(site: Site, hang: Hang, kind: Any) -> None:
    """While eight requests of others wait outside, tokens and lists are answered, new keys as well.

    All eight wait still when the last answer has come: nothing was answered after them.
    """
    mine = site.world.connect("mine", organization_id="mine")
    ask = kind(site, hang)
    keys = {tenant: site.new_key(organization_id=tenant) for tenant in TENANTS}
    waiting = []
    for tenant in TENANTS * MOST_EACH:
        waiting.append(ask(tenant, keys[tenant]))
        wait_until(lambda: hang.held == len(waiting))
    assert len(waiting) == 8

    for _ in range(3):
        key = site.new_key(organization_id="mine")
        for path in (f"/v1/connections/{mine}/token", f"/v1/connections/{mine}", "/v1/webhooks"):
            assert site("GET", path, key=key).status_code == 200

    assert not any(request.done() for request in waiting)
    hang.gate.set()
    assert all(request.result(60).status_code < 500 for request in waiting)


@pytest.mark.parametrize("kind", [webhook_tests, revocations, names])
def test_one_tenant_has_few_places_outside(site: Site, hang: Hang, kind: Any) -> None:
    """A third one is 429 and does nothing; another tenant's is taken; then there is room again."""
    ask = kind(site, hang)
    one, other = site.new_key(organization_id="one"), site.new_key(organization_id="other")
    waiting = []
    for _ in range(MOST_EACH):
        waiting.append(ask("one", one))
        wait_until(lambda: hang.held == len(waiting))
    another = site.new_key(organization_id="one")

    refusal = ask("one", another).result(60)

    problem = refused(refusal, 429, "too_many_waiting")
    assert int(refusal.headers["retry-after"]) >= problem["retry_after_seconds"]
    if kind is revocations:
        alive = site.world.one("select count(*) as n from connection where deleted_at is null")
        assert alive.n == 1
    waiting.append(ask("other", other))
    wait_until(lambda: hang.held == len(waiting))
    hang.gate.set()
    assert all(request.result(60).status_code < 300 for request in waiting)
    assert ask("one", one).result(60).status_code < 300


def test_without_a_word_outside_no_place_is_needed(site: Site, hang: Hang) -> None:
    """A deletion without revocation, and a change that leaves the url, need none."""
    ask = webhook_tests(site, hang)
    key = site.new_key(organization_id="one")
    for _ in range(MOST_EACH):
        ask("one", key)
    wait_until(lambda: hang.held == MOST_EACH)
    id_ = site.world.connect("c1", organization_id="one")
    hook = site("GET", "/v1/webhooks", key=key).json()["items"][0]["id"]

    assert site("DELETE", f"/v1/connections/{id_}", key=key).status_code == 200
    change = {"description": "renamed"}
    assert site("PATCH", f"/v1/webhooks/{hook}", key=key, json=change).status_code == 200
    moved = site("PATCH", f"/v1/webhooks/{hook}", key=key, json={"url": "https://b.example"})
    refused(moved, 429, "too_many_waiting")


def test_keys_of_an_issuer_that_hangs_keep_nobody_waiting(site: Site, hang: Hang) -> None:
    """Notices whose keys are on their way are 503 at once, those of another issuer are verified."""
    sources = {
        name: SignalSource(
            name,
            SourceKind.SECURITY_EVENT_TOKEN,
            issuer=f"https://{name}.example",
            audience=("us",),
            jwks_url=f"https://{name}.example/keys",
        )
        for name in ("slow", "quick")
    }
    services = site.world.services
    object.__setattr__(services, "catalogue", Catalogue({}, {}, (), sources))
    sets = site.api.state.key_sets

    def asked(url: str) -> dict[str, Any]:
        if "slow" in url:
            hang()
        raise KeysUnavailable(url)

    sets._ask = asked  # type: ignore[method-assign]
    token = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIn0.e30.c2ln"
    first = begin(site, "POST", "/v1/signals/slow", "", content=token)
    wait_until(lambda: hang.held == 1)

    for provider in ("slow", "quick", "slow"):
        answer = site("POST", f"/v1/signals/{provider}", key=None, content=token)
        refused(answer, 503, "keys_unavailable")

    assert (first.done(), hang.held) == (False, 1)
    hang.gate.set()
    refused(first.result(60), 503, "keys_unavailable")

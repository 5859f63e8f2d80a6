"""Asks the API in this process: an event loop on a thread, and httpx over ASGI."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx
from uuid_utils.compat import uuid7

from refresher.connections import api_keys, bulk
from refresher.connections.connect import Order, make
from refresher.connections.resume_links import make_link
from refresher.notify import endpoints
from refresher.notify.endpoints import WantedEndpoint
from refresher.outbound.egress import Egress
from refresher.rules.access import Actor, Scope
from refresher.rules.bulk import Deed
from refresher.rules.bulk_plan import Order as BulkOrder
from refresher.rules.bulk_plan import Selection
from refresher.rules.connection import Sealed
from refresher.rules.consent import Consent, Identity
from refresher.runtime.services import Services
from refresher.store import answers, recipients
from refresher.store.answers import KeptAnswer
from refresher.store.session import Db
from refresher.web.app import Api
from tests.world import START, World

ORIGIN = "http://refresher.test"
CONSENT = Consent(identity=Identity(found_in=("answer",), paths=(("id",),)))
HOOK, ADDRESS = "https://foreign.example/hooks", "private@foreign.example"


def let_people_connect(world: World) -> None:
    """Gives acme's entry what a consent needs."""
    world.describe("acme", authorize_url="https://acme.example/authorize", connect=CONSENT)


class Site:
    """One API. `site("GET", "/v1/whoami")` asks with the key of all scopes, `key=` with another."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.actor = Actor("cli:ann")
        known = world.services.catalogue
        object.__setattr__(known, "_origins", dict.fromkeys(known.names, "file"))
        self.api = Api(world.services)
        # Names that are looked up lead to the public Internet, to which nothing is sent.
        self.api.state.egress = Egress(lookup=lambda _host: ["93.184.216.34"])
        world.services.webhook_sender.exchange.egress = Egress(lookup=_nowhere)
        self.key = self.new_key(Scope)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        transport = httpx.ASGITransport(self.api, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url=ORIGIN)

    @classmethod
    @contextmanager
    def opened(cls, world: World) -> Iterator[Site]:
        """Returns one that is closed at the end of the `with`."""
        site = cls(world)
        try:
            yield site
        finally:
            site.close()

    def close(self) -> None:
        """Ends threads and loop."""
        self.run(self._client.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.api.close()

    def new_key(
        self, scopes: Iterable[Scope] = Scope, organization_id: str | None = None, **more: Any
    ) -> str:
        """Makes an API key and returns its text."""
        made = api_keys.create(
            self.world.services.database,
            name="test",
            scopes=frozenset(scopes),
            organization_id=organization_id,
            by=self.actor,
            **more,
        )
        return made.text.reveal()

    def parameters(self, path: str, organization_id: str = "org") -> dict[str, str]:
        """Makes what a path names, of this organization (a connection: of "org"); returns its parts."""
        made = {"name": "acme", "organization_id": organization_id, "token": "t", "provider": "p"}
        if "{id}" in path:
            made["id"] = str(self.world.connect("foreign", name="private words"))
        services = self.world.services
        if "{link_id}" in path:
            link = make_link(services, UUID(made["id"]), seconds=3_600, by=self.actor)
            made["link_id"] = str(link.id)
        if "{webhook_id}" in path:
            wanted = WantedEndpoint(HOOK, ["*"], organization_id, "private words")
            egress = self.api.state.egress
            added = endpoints.add(services.database, services.cipher, egress, wanted, self.actor)
            made["webhook_id"] = str(added[0])
        if "{recipient_id}" in path:
            with services.database.transaction() as db:
                stored, _ = recipients.add(db, organization_id, ADDRESS, {})
            made["recipient_id"] = str(stored.id)
        if "{answer_id}" in path:
            with services.database.transaction() as db:
                made["answer_id"] = str(_kept(db, self.world.connect("foreign")))
        if "{job_id}" in path:
            order = BulkOrder(Deed.PAUSE, Selection(), START, 1)
            by = Actor(self.actor.id, organization_id)
            made["job_id"] = str(bulk.ordered(services.database, by, order).id)
        if "{session_id}" in path:
            made["session_id"] = str(_session(services, organization_id, self.actor))
        return {name: value for name, value in made.items() if f"{{{name}}}" in path}

    def __call__(
        self, method: str, path: str, *, key: str | None = "", **arguments: Any
    ) -> httpx.Response:
        """Sends a request; `key` None sends none."""
        answer: httpx.Response = self.run(self.send(method, path, key=key, **arguments))
        return answer

    async def send(
        self, method: str, path: str, *, key: str | None = "", **arguments: Any
    ) -> httpx.Response:
        """Does the same on the site's own loop."""
        headers = dict(arguments.pop("headers", {}))
        if key is not None:
            headers["Authorization"] = f"Bearer {key or self.key}"
        self._client.cookies.clear()  # whoever has a browser brings their own
        return await self._client.request(method, path, headers=headers, **arguments)

    def run(self, work: Any) -> Any:
        """Returns what a coroutine returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)


def _session(services: Services, organization_id: str, by: Actor) -> UUID:
    """Makes a connect session, wherever people come back to."""
    settings = services.settings.model_copy(update={"public_url": "https://refresher.test"})
    order = Order(organization_id, "acme", "foreign", for_whom="private words")
    return make(replace(services, settings=settings), order, by).session.id


def _kept(db: Db, connection_id: UUID) -> UUID:
    """Keeps an answer that no key opens; returns its id."""
    kept = KeptAnswer(
        uuid7(), connection_id, 1, 1, 1, START, 200, None, "", "", "private words", True, 7,
        Sealed(b"private"),
    )  # fmt: skip
    answers.put(db, [kept])
    return kept.id


def _nowhere(host: str) -> list[str]:
    raise OSError(f"no network in tests for {host}")


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Asserts that an answer is this problem, whole and well formed; returns it."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert (problem["status"], problem["code"]) == (status, code), problem
    assert set(problem) >= {"type", "title", "status", "detail", "instance", "code"}
    assert problem["type"] == f"/docs#problem-{code}"
    assert len(problem["detail"].splitlines()) == 1
    return problem

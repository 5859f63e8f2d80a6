"""While a client secret is being changed, either is good: no connection waits, no app pauses."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from refresher.catalogue import AppEntry, Catalogue
from refresher.connections import revocation
from refresher.connections.oauth_apps import end_rotation, rotate_secret, store_app
from refresher.connections.revocation import Revoked
from refresher.rules.access import Actor
from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Reply, Secret
from refresher.rules.providers import ClientAuth, Provider
from refresher.rules.requests import TokenRequest
from tests.world import World, granted, refused

ANN = Actor("cli:ann")
ACME = Provider(
    "acme", "https://acme.example/token", client_auth=ClientAuth.BASIC,
    revocation_url="https://acme.example/revoke",
)  # fmt: skip


def shown(request: TokenRequest) -> str:
    """Returns the client secret that a request carries."""
    header = request.headers.get("Authorization", "")
    return b64decode(header.removeprefix("Basic ")).decode().partition(":")[2]


def takes(*good: str) -> Callable[[TokenRequest], Reply]:
    """A provider that takes these client secrets."""

    def answer(request: TokenRequest) -> Reply:
        if shown(request) not in good:
            return refused("invalid_client", 401)
        return granted(access_token="a", refresh_token="r", expires_in=3600)

    return answer


@pytest.fixture
def one(world: World) -> UUID:
    """A connection whose app has a new secret, and the one before."""
    know(world, ACME)
    database, cipher = world.services.database, world.services.cipher
    store_app(database, cipher, AppEntry("acme", ClientCredentials("app-id", Secret("old"))))
    assert rotate_secret(database, cipher, "acme", "default", Secret("new"), ANN)
    assert not rotate_secret(database, cipher, "acme", "default", Secret("new"), ANN)
    return world.connect()


def know(world: World, provider: Provider) -> None:
    """Gives the world this entry."""
    world.services = replace(world.services, catalogue=Catalogue({provider.name: provider}, {}))


def due(world: World) -> list[str]:
    """Has what is due refreshed, an hour later; returns the secrets that were shown."""
    world.script.asked.clear()
    world.pass_time(3600)
    world.tick()
    return [shown(request) for request in world.script.asked]


def pauses(world: World) -> int:
    """How many scopes are told to have trouble."""
    return len(world.rows("select 1 from pause"))


def test_whichever_is_refused_the_other_is_tried_and_remembered(world: World, one: UUID):
    """The provider still takes the old one, then the new one alone: nobody is told of anything."""
    world.script.answer = takes("old")
    assert [due(world), due(world)] == [["new", "old"], ["old"]]
    world.script.answer = takes("new")
    assert [due(world), due(world)] == [["old", "new"], ["new"]]
    assert set(world.events(one)) <= {"imported", "registered", "refreshed"}
    assert pauses(world) == 0


def test_a_refusal_of_both_counts_once(world: World, one: UUID):
    """One attempt, one event, one word against the app."""
    world.script.answer = takes()
    assert due(world) == ["new", "old"]
    assert world.events(one).count("misconfigured") == 1
    assert world.row(one).status == "active"


def test_a_dead_grant_tells_that_the_secret_is_good(world: World, one: UUID):
    """Who is told that the grant is dead was known: the next one shows that secret at once."""
    other = world.connect("c2")

    def answer(request: TokenRequest) -> Reply:
        return refused("invalid_grant") if shown(request) == "old" else takes()(request)

    world.script.answer = answer
    due(world)
    assert world.row(one).status == "reconnect_required" or world.row(one).due_at is not None
    world.connect("c2", refresh_token="r2", expires_in=1)
    assert due(world)[0] == "old"
    assert other is not None


@pytest.mark.parametrize(
    "answer",
    [Reply(503), refused("invalid_grant"), refused("invalid_scope"), Reply(failure="timeout")],
)
def test_only_a_refusal_of_the_app_is_asked_about_again(world: World, one: UUID, answer: Reply):
    """Whatever may have spent the refresh token is never followed by a second presentation."""
    world.script.answer = lambda _request: answer
    assert due(world) == ["new"]


def test_a_second_request_without_an_answer_is_an_unknown_outcome(world: World, one: UUID):
    """As any request that may have arrived."""
    world.script.answer = lambda request: (
        Reply(failure="timeout") if shown(request) == "old" else takes()(request)
    )
    assert due(world) == ["new", "old"]
    assert world.row(one).unknown_outcomes == 1


@pytest.mark.parametrize("changes", [{"refresh_interval_seconds": 10.0}, {"retry": "never"}])
def test_where_a_grant_takes_no_second_request_the_other_is_shown_the_next_time(
    world: World, one: UUID, changes: dict[str, Any]
):
    """An entry with a pace of its own: one request, and the next one has the other secret."""
    know(world, replace(ACME, **changes))
    world.script.answer = takes("old")
    assert due(world) == ["new"]
    assert due(world) == ["old"]
    assert world.events(one)[-1] == "refreshed"


def test_an_entry_that_shows_no_secret_is_asked_once(world: World, one: UUID):
    """The same request would be sent again."""
    know(world, replace(ACME, client_auth=ClientAuth.NONE))
    world.script.answer = lambda _request: refused("invalid_client", 401)
    assert due(world) == [""]


def test_a_grant_is_given_back_with_either(world: World, one: UUID):
    """Revocation tries the other one, too."""

    def answer(request: TokenRequest) -> Reply:
        return Reply(200) if shown(request) == "old" else refused("invalid_client", 401)

    world.script.answer = answer
    assert revocation.revoke(world.services, one, None).outcome is Revoked.REVOKED
    assert [shown(request) for request in world.script.asked] == ["new", "old"]


def test_a_rotation_ends(world: World, one: UUID):
    """The secret before is forgotten, once."""
    database, cipher = world.services.database, world.services.cipher
    ended: list[Any] = [end_rotation(database, cipher, "acme", "default", ANN) for _ in range(2)]
    assert ended == [True, False]
    world.script.answer = takes("old")
    assert due(world) == ["new"]

"""Entries of the catalogue from a session to a connection, with the server that plays each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import pytest

from refresher.catalogue import Catalogue, load
from refresher.connections import arrival, connect, visits
from refresher.connections.connect import Order
from refresher.connections.visits import SendCode
from refresher.devkit.oauth_server.entry.identity import account_id
from refresher.outbound.sender import write
from refresher.rules.connect import Outcome, Session
from refresher.rules.connection import Reply
from refresher.rules.requests import TokenRequest
from refresher.store import connect as sessions
from refresher.store import oauth_apps
from refresher.testing.proof.line import send, visit
from refresher.testing.proof.stand import Stand
from tests.connect.visitor import ANN, link_of
from tests.world import World

CATALOGUE = load()
ABLE = [name for name in CATALOGUE.names if CATALOGUE[name].connect]
ODD = ("instagram", "linear", "shopify", "slack", "withings", "zoho")
"""A second step, a question of its own, a host that comes back, a slot, a wrapped answer."""


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """A world that knows no provider yet."""
    world = World(database_url, public_url="https://refresher.example")
    yield world
    world.close()


def connected(world: World, name: str) -> tuple[Stand, Session]:
    """Has a person connect there, and returns the server and the session afterwards."""
    entry = CATALOGUE[name]
    assert entry.connect
    # Signatures of id_tokens are tested elsewhere: nobody fetches keys here.
    entry = replace(entry, connect=replace(entry.connect, jwks_url=None))
    stand = Stand(entry)
    stand.change(consent_account="zoe")
    world.services = replace(world.services, catalogue=Catalogue({name: entry}, {}))
    app, services = stand.apps.known, world.services
    assert app.client_secret
    secret = services.cipher.seal(
        app.client_secret, oauth_apps.app_id(name, "default"), "client_secret"
    )
    with services.database.transaction() as db:
        oauth_apps.put(db, name, "default", app.client_id, secret)

    def answer(request: TokenRequest) -> Reply:
        stand.wait_for_turn()
        return send(stand.app, stand.state.connections, write(request))

    world.script.answer = answer
    order = Order(provider=name, host=stand.host, placeholders=stand.placeholders)
    made = connect.make(services, order, ANN)
    leave = visits.start(services, link_of(made))
    _, there = visit(stand.app, stand.state.connections, leave.url)
    back = urlsplit(there)
    slug, cookies = back.path.rpartition("/")[2], {leave.cookie_name: leave.cookie}
    ticket = visits.arrive(services, slug, parse_qsl(back.query), cookies)
    assert isinstance(ticket, SendCode), there
    asyncio.run(arrival.carry(services, ticket))
    with services.database.reading() as db:
        session = sessions.find(db, made.session.id)
    assert session
    return stand, session


def faults(world: World, name: str) -> str | None:
    """Returns what went wrong, None for nothing."""
    stand, session = connected(world, name)
    if session.outcome is not Outcome.CONNECTED or session.result is None:
        return str(session.trouble)
    expected = account_id(stand.entry, "zoe", stand.host)
    account = session.result.account or ""
    return None if account.endswith(expected) else f"the account is {account}, not {expected}"


@pytest.mark.parametrize("name", ODD)
def test_an_entry_with_a_way_of_its_own_connects(world: World, name: str) -> None:
    """Session, start, callback, code, second step, account, promotion."""
    assert faults(world, name) is None


@pytest.mark.slow
def test_every_entry_connects(world: World) -> None:
    """All that say how."""
    found = {name: fault for name in ABLE if (fault := faults(world, name))}
    assert found == {}

"""Codes that are carried to a provider with a script, and what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from refresher.connections import arrival
from refresher.rules.connect import Attempt, Outcome, Session
from refresher.rules.connect_steps import SendCode
from refresher.rules.connection import Reply, Secret
from refresher.rules.consent import Consent, Identity
from refresher.rules.requests import TokenRequest
from tests.connect.sessions import exchange, make, now
from tests.world import World, granted

ANSWER = Identity(found_in=("answer",), paths=(("id",),), label_path=("email",))
USERINFO = replace(ANSWER, found_in=("userinfo",), url="https://acme.example/me")
ANN = {"id": 7, "email": "ann@acme.example"}
BEN = {"id": 8, "email": "ben@acme.example"}
PAIR = {"access_token": "at-1", "refresh_token": "rt-1", "expires_in": 3600}


def entry(world: World, identity: Identity = ANSWER, **consent: Any) -> None:
    """Gives acme's entry these facts of a consent."""
    url = "https://acme.example/authorize"
    world.describe("acme", authorize_url=url, connect=Consent(identity=identity, **consent))


def acme_asks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has acme ask people, and tell in its answer who they are; nobody waits between two tries."""
    monkeypatch.setattr(arrival, "PAUSES_SECONDS", (0.0,))
    monkeypatch.setattr(arrival, "STORE_SECONDS", 0.2)
    entry(world)


def answering(world: World, *replies: Reply | Callable[[TokenRequest], Reply]) -> None:
    """Has the provider answer so, one request after the other."""
    left = list(replies)

    def answer(request: TokenRequest) -> Reply:
        one = left.pop(0)
        return one(request) if callable(one) else one

    world.script.answer = answer
    world.script.asked.clear()


def carry(world: World, session: Session, attempt: Attempt | None = None, *pairs: Any) -> Session:
    """Sends the code of an attempt, and returns the session afterwards."""
    attempt = attempt or exchange(world, session)
    ticket = SendCode(session, attempt, Secret("the-code"), [("code", "the-code"), *pairs])
    asyncio.run(arrival.carry(world.services, ticket))
    return now(world, session)


def stored(world: World, id_: UUID | None) -> Any:
    """Returns the connection's row, and its tokens opened."""
    row = world.one("select * from connection where id = :id", id=id_)
    opened = {
        name: world.services.cipher.open(getattr(row, name), row.id, name).reveal()
        for name in ("access_token", "refresh_token")
        if getattr(row, name)
    }
    return row, opened


def count(world: World, table: str, where: str = "true") -> int:
    """Returns how many rows there are."""
    number: int = world.one(f"select count(*) as n from {table} where {where}").n
    return number


def connected(world: World, **fields: Any) -> UUID:
    """Returns a connection of Ann's that a consent made."""
    answering(world, granted(**{**PAIR, **ANN, **fields}))
    session = carry(world, make(world, external_id="c1", scopes=["a", "b"]))
    assert session.outcome is Outcome.CONNECTED
    assert session.connection_id is not None
    return session.connection_id

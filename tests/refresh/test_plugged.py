"""A connection whose requests a plug-in makes: refreshed, and alone with its plug-in's mistakes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from refresher.catalogue import Catalogue
from refresher.refresh import plugged
from refresher.refresh.rereading import reread_provider
from refresher.rules.access import Actor
from refresher.rules.connection import Reply
from refresher.rules.plugins import Given, Wanted
from refresher.rules.providers import Provider, Strategy
from tests.world import PROVIDERS, World, granted

ENTRY = Provider(
    "plugged",
    "https://{host}/token",
    host_pattern=r"[a-z]+\.plugged\.example",
    strategy=Strategy.PLUGIN,
    plugin="odd",
    parameters={"shop": "{shop}"},
    placeholders={"shop": "[0-9]+"},
)


class Odd:
    """A plug-in that does as a test says."""

    def __init__(self) -> None:
        self.given: list[Given] = []
        self.threads: set[str] = set()
        self.reads: Callable[[bytes], Any] = lambda _body: None
        self.wants: Callable[[Given], Wanted] = lambda given: Wanted(
            given.refresh_token.reveal().encode() if given.refresh_token else None,
            {"X-Shop": given.parameters["shop"]},
            {"sign": "a-sign"},
        )

    def request(self, given: Given) -> Wanted:
        """Keeps what it was given."""
        self.given.append(given)
        self.threads.add(threading.current_thread().name)
        return self.wants(given)

    def answer(
        self, _status: int, _headers: Mapping[str, str], body: bytes
    ) -> Mapping[str, object] | None:
        """Reads as it was told."""
        self.threads.add(threading.current_thread().name)
        found: Mapping[str, object] | None = self.reads(body)
        return found


@pytest.fixture
def odd(world: World, monkeypatch: pytest.MonkeyPatch) -> Odd:
    """The plug-in, and a catalogue with its entry beside the others."""
    made = Odd()
    monkeypatch.setattr(plugged, "installed", lambda _name: made)
    known = {one.name: one for one in (*PROVIDERS, ENTRY)}
    world.services = replace(world.services, catalogue=Catalogue(known, {}))
    world.run(
        "insert into app (id, provider, name, client_id) "
        "values (gen_random_uuid(), 'plugged', 'default', 'the-app')"
    )
    return made


def connected(world: World) -> UUID:
    """Hands a connection of the plug-in's provider in, whose token has ended."""
    return world.connect(
        "p1",
        provider="plugged",
        host="a.plugged.example",
        placeholders={"shop": "7"},
        expires_in=0,
    )


def test_a_plug_in_makes_the_request_and_the_pair_is_stored(world: World, odd: Odd) -> None:
    """It has tokens, app and the connection's values; the URL is the entry's."""
    id_ = connected(world)
    assert world.tick()["refreshed"] == 1
    (given,) = odd.given
    assert (given.url, given.client_id) == ("https://a.plugged.example/token", "the-app")
    assert given.parameters == {"shop": "7"}
    assert given.refresh_token is not None
    assert given.refresh_token.reveal() == "refresh-of-p1"
    assert abs(given.now_epoch_seconds - world.clock.now.timestamp()) < 60
    assert "refresh-of-p1" not in repr(given)
    (asked,) = world.script.asked
    assert (asked.url, asked.headers["X-Shop"]) == ("https://a.plugged.example/token", "7")
    assert world.row(id_).credential_version == 2
    assert odd.threads == {threading.current_thread().name}, "never on the loop that sends"


def test_what_it_reads_counts(world: World, odd: Odd) -> None:
    """Its answer is in the standard's names, whatever came."""
    id_ = connected(world)
    odd.reads = lambda _body: {"access_token": "read", "expires_in": 60}
    assert world.tick()["refreshed"] == 1
    assert world.token(id_) == "read"
    odd.reads = lambda _body: {"error": "invalid_grant"}
    world.pass_time(100)
    world.tick()
    assert world.row(id_).status == "reconnect_required"


def test_one_that_raises_parks_its_connection_alone(world: World, odd: Odd) -> None:
    """The event names the plug-in, and no word of what it was given."""
    other, id_ = world.connect("other", expires_in=0), connected(world)

    def fail(given: Given) -> Wanted:
        raise KeyError(given.refresh_token)

    odd.wants = fail
    assert world.tick() == {"refreshed": 1, "parked": 1, "stale": 0}
    assert world.row(other).credential_version == 2
    assert world.row(id_).parked_reason == "unbuildable_request"
    reason = world.rows("select reason from refresh_event where connection_id = :i", i=id_)[-1][0]
    assert reason.startswith('the plug-in "odd" raised KeyError in fail, line ')


def test_an_answer_that_it_stumbles_over_is_kept(world: World, odd: Odd) -> None:
    """It waits, sealed, and is read again once the plug-in is mended: no pair is lost."""
    id_ = connected(world)

    def fail(body: bytes) -> None:
        raise ValueError(body)

    odd.reads = fail
    world.script.answer = lambda _request: granted(access_token="late", refresh_token="next")
    world.tick()
    row = world.row(id_)
    assert row.parked_reason == "unread_answer"
    reason = world.rows("select reason from refresh_event where connection_id = :i", i=id_)[-1][0]
    assert 'the plug-in "odd" raised ValueError in fail' in reason
    odd.reads = lambda _body: None
    (read,) = reread_provider(world.services, "plugged", Actor("test"))
    assert read.outcome == "stored"
    assert (world.token(id_), world.token(id_, "refresh_token")) == ("late", "next")


def test_an_error_page_that_it_stumbles_over_is_trouble_that_passes(world: World, odd: Odd) -> None:
    """Nothing in it looks like a grant."""
    id_ = connected(world)

    def fail(body: bytes) -> None:
        raise ValueError(body)

    odd.reads = fail
    world.script.answer = lambda _request: Reply(503, {}, b"<html>")
    world.tick()
    assert (world.row(id_).state, world.row(id_).status) == (0, "active")

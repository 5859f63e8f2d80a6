"""The conformance test of strategies: ours pass, and each broken promise is told in a sentence."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from refresher.rules.placeholders import UnbuildableRequest
from refresher.rules.plugins import Given, Plugin, Wanted
from refresher.rules.providers import BodyForm, ClientAuth, Provider, Strategy
from refresher.testing import Sample, check_strategy
from refresher.testing.strategies import Own

URL = "https://acme.example/token"
PLUGGED = Provider("acme", URL, strategy=Strategy.PLUGIN, plugin="acme")
GRANTED = Sample(b'{"access_token": "new", "refresh_token": "next", "expires_in": 3600}')
DEAD = Sample(b'{"error": "invalid_grant"}', 400)


@pytest.mark.parametrize("client_auth", [ClientAuth.BASIC, ClientAuth.BASIC_RAW, ClientAuth.POST])
@pytest.mark.parametrize("body", list(BodyForm))
@pytest.mark.parametrize(
    ("strategy", "grant_type"),
    [
        (Strategy.REFRESH_TOKEN, None),
        (Strategy.LONG_LIVED_EXCHANGE, "exchange"),
        (Strategy.CLIENT_CREDENTIALS, None),
    ],
)
def test_our_own_strategies_pass(
    strategy: Strategy, grant_type: str | None, body: BodyForm, client_auth: ClientAuth
) -> None:
    """They are held to what is asked of plug-ins."""
    entry = Provider(
        "acme", URL, strategy=strategy, grant_type=grant_type, body=body, client_auth=client_auth
    )
    wanted = check_strategy(Own(entry), entry, granted=GRANTED, dead=DEAD)
    assert wanted.body or wanted.query


class Good:
    """A strategy that keeps every promise; the others break one each."""

    def request(self, given: Given) -> Wanted:
        """Asks with the refresh token."""
        if given.refresh_token is None:
            raise UnbuildableRequest("there is no refresh token")
        return Wanted(given.refresh_token.reveal().encode(), query={"t": given.nonce})

    def answer(
        self, _status: int, _headers: Mapping[str, str], _body: bytes
    ) -> Mapping[str, object] | None:
        """Leaves it to the entry."""
        return None


def doing(work: Callable[[], object]) -> Plugin:
    """Returns a strategy that does something besides when it makes a request."""

    class Doing(Good):
        def request(self, given: Given) -> Wanted:
            work()
            return super().request(given)

    return Doing()


def reading(work: Callable[[bytes], Any]) -> Plugin:
    """Returns a strategy that reads answers so."""

    class Reading(Good):
        def answer(self, _status: int, _headers: Mapping[str, str], body: bytes) -> Any:
            return work(body)

    return Reading()


class Different(Good):
    """Makes another request each time."""

    def __init__(self, make: Callable[[], str]) -> None:
        self._make = make

    def request(self, given: Given) -> Wanted:
        """Takes a number of its own."""
        return Wanted(super().request(given).body, {"x": self._make()})


class Careless(Good):
    """Takes for granted what may not be there."""

    def request(self, given: Given) -> Wanted:
        """Raises something of Python's."""
        return Wanted(given.refresh_token.reveal().encode())  # type: ignore[union-attr]


def test_a_good_plug_in_passes() -> None:
    """What it made is returned, to be looked at."""
    assert check_strategy(Good(), PLUGGED, granted=GRANTED, dead=DEAD) == Wanted(
        b"a-refresh-token", query={"t": "a-nonce"}
    )
    changed = {"nonce": "other"}
    assert check_strategy(Good(), PLUGGED, granted=GRANTED, changed=changed).query == {"t": "other"}


@pytest.mark.parametrize(
    ("plugin", "sentence"),
    [
        (doing(lambda: Path(__file__).read_bytes()), r"request\(\) does I/O \(open\)"),
        (doing(lambda: Path("no-such").unlink(missing_ok=True)), r"does I/O \(os.remove\)"),
        (doing(lambda: socket.socket().close()), r"does I/O \(socket"),
        (doing(lambda: socket.getaddrinfo("localhost", 1)), r"does I/O \(socket.getaddrinfo\)"),
        (doing(lambda: subprocess.run([sys.executable, "-V"], check=False)), "does I/O"),
        (Different(lambda: str(time.time_ns())), r"something else each time: take the time"),
        (Different(lambda: uuid.uuid4().hex), "something else each time"),
        (Careless(), "raised AttributeError in request, line .*, where refresh_token is None"),
        (reading(json.loads), "raised JSONDecodeError in"),
        (reading(lambda _body: Path(os.devnull).read_text()), r"answer\(\) does I/O \(open\)"),
        (reading(lambda _body: {}), "the granted answer is read as Malformed"),
        (reading(lambda _body: {"access_token": "x"}), "answer of a dead grant is read as"),
    ],
)
def test_each_broken_promise_is_a_sentence(plugin: Plugin, sentence: str) -> None:
    """I/O, the clock, dice, and what it makes of odd input."""
    with pytest.raises((AssertionError, Exception), match=sentence):
        check_strategy(plugin, PLUGGED, granted=GRANTED, dead=DEAD)


def test_rubbish_that_is_read_as_a_grant_is_found() -> None:
    """Or as the end of one."""

    def rash(body: bytes) -> dict[str, object]:
        return {"error": "invalid_grant"} if body == DEAD.body else {"access_token": "x"}

    def harsh(body: bytes) -> dict[str, object] | None:
        return None if body == GRANTED.body else {"error": "invalid_grant"}

    for work, sentence in ((rash, "is read as a grant"), (harsh, "is read as the end of")):
        with pytest.raises(AssertionError, match=sentence):
            check_strategy(reading(work), PLUGGED, granted=GRANTED, dead=DEAD)


def test_samples_have_a_content_type() -> None:
    """JSON unless it is said otherwise."""
    assert Sample(b"").headers == MappingProxyType({"content-type": "application/json"})

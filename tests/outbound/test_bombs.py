"""A few bytes that say gigabytes: whoever reads what comes over HTTP pays a few megabytes at most."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc

import pytest
from pydantic import SecretStr

from refresher.outbound.egress import Egress
from refresher.outbound.key_sets import _fetch
from refresher.outbound.mail_api import HttpSender
from tests.notify.mail.test_senders import message
from tests.outbound.conftest import MakeExchange, Serve, ask
from tests.outbound.handlers import always
from tests.outbound.servers import answer

BOMB = gzip.compress(gzip.compress(b" " * 200_000_000))
SAID = answer(BOMB, "200 OK", "Content-Encoding: gzip, gzip")
MOST = 16 * 2**20


def test_a_sender_hands_a_bomb_on_as_it_came(exchange: MakeExchange, serve: Serve) -> None:
    """Nothing is unpacked where replies arrive; `rules/bodies.py` does it within its bound."""
    assert ask(exchange(), serve(always(SAID)).url()).body == BOMB


def test_public_keys_are_no_bomb(serve: Serve) -> None:
    """What is too large unpacked is refused, without being made."""
    url = serve(always(SAID)).url()
    tracemalloc.start()
    with pytest.raises(ValueError, match="too large"):
        asyncio.run(_fetch(Egress(loopback=True), url))
    assert tracemalloc.get_traced_memory()[1] < MOST
    tracemalloc.stop()


def test_public_keys_that_are_packed_are_read(serve: Serve) -> None:
    """A server that packs what was asked for plain is understood."""
    packed = answer(gzip.compress(b'{"keys": []}'), "200 OK", "Content-Encoding: gzip")
    url = serve(always(packed)).url()
    assert asyncio.run(_fetch(Egress(loopback=True), url)) == b'{"keys": []}'


def test_a_mail_api_s_answer_is_no_bomb(serve: Serve) -> None:
    """It was taken, whatever its body is made of."""
    sender = HttpSender(serve(always(SAID)).url(), SecretStr("k3y"), timeout_seconds=30)
    tracemalloc.start()
    outcome = sender.send(message())
    assert tracemalloc.get_traced_memory()[1] < MOST
    tracemalloc.stop()
    sender.close()
    assert type(outcome).__name__ == "Accepted"

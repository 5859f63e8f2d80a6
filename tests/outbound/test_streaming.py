"""Batches over real sockets: replies as they come, and what becomes of them when we stop."""

from __future__ import annotations

import asyncio
import threading

from refresher.outbound.exchange import Exchange, Outgoing
from refresher.outbound.loop import LoopThread
from refresher.outbound.sender import SenderName
from refresher.rules.outcomes import Reply
from tests.outbound.conftest import MakeExchange, Serve, a_request, ask_all
from tests.outbound.handlers import deaf, quick_or_slow, silent
from tests.waiting import wait_until


def test_a_quick_reply_never_waits_for_a_slow_one(exchange: MakeExchange, serve: Serve):
    """The quick one is in the caller's hands while the provider still thinks about the other."""
    # Given a batch of one slow and one quick request
    server = serve(quick_or_slow)
    batch = [Outgoing(name, a_request(server.url(f"/{name}")), 20.0) for name in ("slow", "quick")]

    # When the quick one has been handed over
    groups = exchange().stream(batch)
    first = next(groups)
    assert [(key, reply.status) for key, reply in first] == [("quick", 200)]

    # Then only what the test does now lets the slow one come
    server.open_gate()
    assert [(key, reply.status) for group in groups for key, reply in group] == [("slow", 200)]


def test_closing_ends_what_is_in_flight_and_each_still_has_one_reply(
    exchange: MakeExchange, serve: Serve, sender_name: SenderName
):
    """A request that is cut off may have arrived; one that still waited for its place has not.

    pyreqwest cannot recall what it has in hand: that ends with the process, or the total limit.
    """
    # Given six places, five of them for one host, twelve requests, and a provider that never answers
    server = serve(silent)
    sending = exchange(max_in_flight=6, total_seconds=60.0 if sender_name == "httpx" else 5.0)
    replies: list[Reply] = []
    caller = threading.Thread(
        target=lambda: replies.extend(ask_all(sending, [a_request(server.url())] * 12))
    )
    caller.start()
    wait_until(lambda: len(server.received) == 5)

    # When the exchange is closed
    sending.close()
    caller.join(60)

    # Then the batch ends, and every connection is dropped
    ends = sorted((reply.failure or "", reply.sent) for reply in replies)
    assert ends == [("cancelled", True)] * 5 + [("unsent", False)] * 7
    wait_until(lambda: server.abandoned == 5)


def test_a_closed_exchange_sends_nothing(exchange: MakeExchange, serve: Serve):
    """Whoever still asks after the end learns that it was not sent, which counts as no attempt."""
    server = serve(deaf)
    sending = exchange()
    sending.open()
    sending.close()

    (reply,) = ask_all(sending, [a_request(server.url())])

    assert (reply.failure, reply.sent) == ("unsent", False)
    assert server.connections == 0


def test_callers_on_several_threads_get_their_own_replies(exchange: MakeExchange, serve: Serve):
    """One exchange serves all actors of a process; nobody sees another's reply."""
    server = serve(quick_or_slow)
    sending = exchange()
    answered: dict[int, set[object]] = {}

    def call(caller: int) -> None:
        batch = [Outgoing((caller, n), a_request(server.url()), 20.0) for n in range(50)]
        keys = [key for group in sending.stream(batch) for key, _ in group]
        assert len(keys) == 50
        answered[caller] = set(keys)

    callers = [threading.Thread(target=call, args=(n,)) for n in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)

    assert answered == {caller: {(caller, n) for n in range(50)} for caller in range(4)}


def test_an_exchange_that_was_never_used_closes(exchange: MakeExchange):
    """Closing twice, or before the first request, does nothing."""
    sending: Exchange = exchange()

    sending.close()
    sending.close()

    assert ask_all(sending, []) == []


def test_a_loop_ends_behind_what_is_to_be_done_soon():
    """A connection that closes at the last moment gives its socket back: that takes one more round."""
    done = threading.Event()

    async def farewell() -> None:
        asyncio.get_running_loop().call_soon(done.set)

    thread = LoopThread("short", asyncio.new_event_loop, farewell)
    thread.start()
    thread.close()
    assert done.is_set()

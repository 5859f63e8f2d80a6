"""What `Exchange` promises whoever sends: scripted senders, no network."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from refresher.errors import SettingsError
from refresher.outbound.exchange import Exchange, Outgoing
from refresher.outbound.loop import MOST_REPLIES
from refresher.outbound.sender import SendLimits, Wire
from refresher.rules.outcomes import Reply
from refresher.rules.requests import TokenRequest
from tests.outbound.conftest import a_request
from tests.waiting import wait_until


class Scripted:
    """A sender that does what the path of the URL says."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.closed = False
        self._gate = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def send(self, wire: Wire) -> Reply:
        """Answers, breaks, or waits for the test."""
        request = wire.request
        assert request is not None
        self._loop = asyncio.get_running_loop()
        self.sent.append(request.url)
        if request.url == "broken":
            raise ZeroDivisionError(request.url)
        if request.url == "held":
            await self._gate.wait()
        return Reply(200, {}, request.url.encode())

    def let_go(self) -> None:
        """Lets what is held answer."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._gate.set)

    async def close(self) -> None:
        """Notes it."""
        self.closed = True


def outgoing(*urls: str, start_within_seconds: float = 20.0) -> list[Outgoing[str]]:
    """Returns a batch, each request with its URL for a key."""
    return [Outgoing(url, a_request(url), start_within_seconds) for url in urls]


def replies(exchange: Exchange, batch: list[Outgoing[str]]) -> dict[str, Reply]:
    """Streams a batch to its end."""
    return {key: reply for group in exchange.stream(batch) for key, reply in group}


def in_background(work: Callable[[], object]) -> threading.Thread:
    """Starts work on a thread of its own."""
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_a_request_whose_turn_comes_too_late_is_not_sent():
    """A claim whose lease has no room left for a request must not start one."""
    # Given one place, taken
    sender = Scripted()
    exchange = Exchange(SendLimits(max_in_flight=1), sender)
    first = in_background(lambda: replies(exchange, outgoing("held")))
    wait_until(lambda: sender.sent)

    # When another has no time to wait, and its turn comes only now
    found: dict[str, Reply] = {}
    second = in_background(
        lambda: found.update(replies(exchange, outgoing("late", start_within_seconds=0.0)))
    )
    sender.let_go()
    first.join(60)
    second.join(60)

    # Then it says so, and was never sent
    assert (found["late"].failure, found["late"].sent) == ("unsent", False)
    assert sender.sent == ["held"]
    exchange.close()


def test_a_bug_in_a_sender_is_one_reply_and_holds_nobody_up():
    """Even what must not happen yields a reply, without the message, which may hold a token."""
    exchange = Exchange(SendLimits(), Scripted())

    found = replies(exchange, outgoing("a", "broken", "b"))

    assert found["broken"].failure == "bug in the sender: ZeroDivisionError"
    assert found["broken"].sent is True
    assert [found[name].body for name in ("a", "b")] == [b"a", b"b"]
    exchange.close()


def test_a_place_is_given_back_whatever_happens():
    """Failures do not use places up."""
    exchange = Exchange(SendLimits(max_in_flight=1), Scripted())

    for _ in range(3):
        assert replies(exchange, outgoing("broken"))["broken"].status is None

    assert replies(exchange, outgoing("a"))["a"].status == 200
    exchange.close()


def test_groups_are_never_larger_than_a_micro_batch():
    """One commit takes a hundred replies at most, and all of them come."""
    exchange = Exchange(SendLimits(), Scripted())
    batch = outgoing(*(str(n) for n in range(250)))

    groups = [[key for key, _ in group] for group in exchange.stream(batch)]

    assert max(map(len, groups)) <= MOST_REPLIES
    assert sorted(key for group in groups for key in group) == sorted(str(n) for n in range(250))
    exchange.close()


def test_what_comes_while_the_caller_works_is_handed_over_in_full_groups():
    """A slow commit is followed by a large group, not by many small ones."""
    sender = Scripted()
    exchange = Exchange(SendLimits(max_in_flight=300), sender)
    groups = exchange.stream(outgoing("first", *["held"] * 199))
    assert [key for key, _ in next(groups)] == ["first"]

    # When all others arrive while the caller is busy
    sender.let_go()
    assert exchange._loop.loop is not None
    asyncio.run_coroutine_threadsafe(_others_done(), exchange._loop.loop).result(60)

    assert [len(group) for group in groups] == [100, 99]
    exchange.close()


async def _others_done() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others)


def test_closing_closes_the_sender_and_ends_the_thread():
    """Nothing of a closed exchange is left running."""
    sender = Scripted()
    exchange = Exchange(SendLimits(), sender)
    replies(exchange, outgoing("a"))

    exchange.close()

    assert sender.closed
    assert not [thread for thread in threading.enumerate() if thread.name == "exchange"]
    assert replies(exchange, outgoing("b"))["b"].failure == "unsent"


class Clock:
    """Stands where the test puts it; in place of the module `time`."""

    now = 100.0

    def monotonic(self) -> float:
        """Returns the seconds."""
        return self.now


def test_the_time_of_an_exchange_does_not_count_the_wait_for_a_place(
    monkeypatch: pytest.MonkeyPatch,
):
    """A token's life starts when it is asked for, not when its request began to queue."""
    # Given a clock of the test's own, and one place
    clock = Clock()
    monkeypatch.setattr("refresher.outbound.exchange.time", clock)
    sender = Scripted()
    exchange = Exchange(SendLimits(max_in_flight=1), sender)
    batch = exchange.stream(outgoing("held", "next"))
    found: dict[str, Reply] = {}
    caller = in_background(lambda: found.update(reply for group in batch for reply in group))
    wait_until(lambda: sender.sent)
    # When the first is held for seven seconds
    clock.now += 7
    sender.let_go()
    caller.join(60)
    # Then only its own exchange took them
    assert (found["held"].elapsed_seconds, found["next"].elapsed_seconds) == (7.0, 0.0)
    exchange.close()


def test_a_sender_that_is_asked_for_and_missing_is_named_at_once(
    monkeypatch: pytest.MonkeyPatch,
):
    """The sentence says what to install, when the services are built and not at the first refresh."""
    monkeypatch.setattr("refresher.outbound.choosing.find_spec", lambda _: None)

    with pytest.raises(SettingsError, match="pip install pyreqwest"):
        Exchange(SendLimits(), name="pyreqwest")


@pytest.mark.parametrize("whose", ["slow", None])
def test_what_hangs_leaves_places_for_others(whose: str | None):
    """Neither one organization's requests nor one host's have all the places."""
    sender = Scripted()
    exchange = Exchange(SendLimits(max_in_flight=4), sender)
    hanging = [Outgoing(n, a_request("held"), 20.0, whose) for n in range(9)]
    found: list[object] = []
    caller = in_background(lambda: found.extend(r for g in exchange.stream(hanging) for r in g))
    wait_until(lambda: len(sender.sent) == 3)
    # When another's come, then they are answered while those hang
    other = [Outgoing(n, a_request(f"https://quick/{n}"), 20.0, "quick") for n in "abc"]
    answered = [key for group in exchange.stream(other) for key, _ in group]
    assert (answered, found) == (["a", "b", "c"], [])
    # And those have their turn, in the end
    sender.let_go()
    caller.join(60)
    assert len(found) == 9
    exchange.close()


def asked_again(
    follow: Callable[[Reply], str | None], within: float = 20.0
) -> tuple[Reply, list[str]]:
    """What one request comes to, and what was sent, where `follow` names what comes next."""
    sender = Scripted()

    def again(reply: Reply) -> TokenRequest | None:
        url = follow(reply)
        return a_request(url) if url else None

    exchange = Exchange(SendLimits(), sender)
    found = replies(exchange, [Outgoing("first", a_request("first"), within, again=again)])
    exchange.close()
    return found["first"], sender.sent


def test_what_follows_from_a_reply_is_sent_in_its_place():
    """Its own reply counts, and may be followed, too."""
    then = {b"first": "second", b"second": "third"}
    reply, sent = asked_again(lambda reply: then.get(reply.body))
    assert (reply.body, sent) == (b"third", ["first", "second", "third"])


def test_a_reply_in_hand_is_lost_by_nothing_that_follows():
    """M16: a bug in what asks again leaves it; time that is up does, too."""

    def broken(_reply: Reply) -> str:
        raise ZeroDivisionError

    def late(_reply: Reply) -> str:
        time.sleep(0.2)
        return "second"

    assert asked_again(broken)[0].body == b"first"
    slow = {b"first": "second", b"second": "third"}
    reply, sent = asked_again(lambda reply: late(reply) and slow.get(reply.body), within=0.1)
    assert (reply.body, sent) == (b"second", ["first", "second"])


def test_a_coroutine_awaits_one_reply_on_no_thread_of_its_own():
    """`ask` answers as `stream` does: what the sender said, a failure of its own, and once closed."""
    exchange = Exchange(SendLimits(), Scripted())

    async def all_at_once() -> list[Reply]:
        return await asyncio.gather(*(exchange.ask(one) for one in outgoing("a", "broken", "b")))

    replies = asyncio.run(all_at_once())
    assert [reply.body for reply in replies] == [b"a", b"", b"b"]
    assert replies[1].failure == "bug in the sender: ZeroDivisionError"
    exchange.close()
    (unsent,) = (asyncio.run(exchange.ask(one)) for one in outgoing("c"))
    assert (unsent.failure, unsent.sent) == ("unsent", False)


def test_what_a_coroutine_asked_goes_on_without_it():
    """Who is cancelled waits no more; its request is answered all the same, and nothing breaks."""
    sender = Scripted()
    exchange = Exchange(SendLimits(), sender)

    async def leave() -> None:
        task = asyncio.ensure_future(exchange.ask(*outgoing("held")))
        await asyncio.to_thread(wait_until, lambda: sender.sent)
        task.cancel()
        await asyncio.wait([task])
        sender.let_go()
        assert (await exchange.ask(*outgoing("after"))).body == b"after"

    asyncio.run(leave())
    exchange.close()

"""The limits of one connection, the same with either parser; served within the test's own process."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest
from starlette.types import Receive, Scope, Send

from refresher.runtime.serving import limits, server
from refresher.runtime.serving.server import Serving
from refresher.runtime.serving.sockets import listen
from refresher.runtime.serving.with_h11 import LimitedH11
from refresher.runtime.serving.with_httptools import LimitedHttpTools
from tests.ports import free_port

HEAD = b"GET / HTTP/1.1\r\nhost: x\r\n"
WHOLE = HEAD + b"\r\n"
POST = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n"
SHORT = 0.3


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the whole body and answers with its size; `/large` answers more than a socket takes."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message["body"])
        more = message["more_body"]
    body = b"a" * 50_000_000 if scope["path"] == "/large" else f"{size} bytes".encode()
    length = str(len(body)).encode()
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]}
    await send(start)
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(params=[LimitedHttpTools, LimitedH11])
def port(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Where it is served."""
    monkeypatch.setattr(server, "_connection", lambda: request.param)
    number = free_port()
    serving = Serving(app, listen("127.0.0.1", number), most=16, patience_seconds=1)
    yield number
    serving.stop()


def connect(port: int) -> socket.socket:
    """Returns a connection."""
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def answers(port: int, *pieces: bytes) -> bytes:
    """Sends, and returns all that is answered until the server ends the connection."""
    with connect(port) as made:
        with suppress(OSError):
            for piece in pieces:
                made.sendall(piece)
        return read(made)


def read(made: socket.socket) -> bytes:
    """Returns what comes until the end."""
    whole = b""
    with suppress(ConnectionError):
        while came := made.recv(65_536):
            whole += came
    return whole


CLOSE = b"connection: close\r\n"


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        ([HEAD, CLOSE, b"\r\n"], 200),
        ([HEAD, CLOSE, b"x: " + b"a" * 60_000, b"\r\n\r\n"], 200),
        ([HEAD, CLOSE, b"x: " + b"a" * 66_000, b"\r\n\r\n"], 431),
        ([b"GET /" + b"a" * 66_000 + b" HTTP/1.1\r\nhost: x\r\n", CLOSE, b"\r\n"], 431),
        ([HEAD, CLOSE, b"a: b\r\n" * 190, b"\r\n"], 200),
        ([HEAD, CLOSE, b"a: b\r\n" * 300, b"\r\n"], 431),
        ([HEAD, b"a: b\r\n" * 100_000], 431),
        ([b"what is this\r\n\r\n"], 400),
        ([POST.replace(b"100", b"200000"), b"a" * 200_000, HEAD, CLOSE, b"\r\n"], 200),
    ],
)
def test_a_head_has_its_measure(pieces: list[bytes], status: int, port: int) -> None:
    """64 kB and 200 headers; a body counts for itself."""
    assert answers(port, *pieces).startswith(b"HTTP/1.1 %d " % status)
    assert answers(port, HEAD, CLOSE, b"\r\n").startswith(b"HTTP/1.1 200 ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (HEAD, b"HTTP/1.1 408 "),
        (b"", b""),
        (WHOLE + HEAD, b"HTTP/1.1 200 "),
        (POST + b"abc", b"HTTP/1.1 408 "),
    ],
)
def test_who_takes_too_long_is_let_go(
    sent: bytes, told: bytes, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a head, nothing, a second half, half a body: the connection ends, and is told why."""
    monkeypatch.setattr(limits, "HEAD_SECONDS", SHORT)
    monkeypatch.setattr(limits, "BODY_SECONDS", SHORT)
    with connect(port) as made:
        made.sendall(sent)
        assert read(made).startswith(told)


@pytest.mark.slow
def test_an_answer_that_nobody_takes_is_given_up(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that reads nothing does not hold its place for ever."""
    monkeypatch.setattr(limits, "UNREAD_SECONDS", SHORT)
    with connect(port) as made:
        made.sendall(HEAD.replace(b"/ ", b"/large ") + b"\r\n")
        others = [answers(port, HEAD, CLOSE, b"\r\n") for _ in range(3)]
        assert all(other.startswith(b"HTTP/1.1 200 ") for other in others)
        asyncio.run(asyncio.sleep(3))
        assert len(read(made)) < 50_000_000


def test_a_place_is_made_for_who_comes(port: int) -> None:
    """Of more connections than there are places, those that wait longest lose theirs."""
    with ExitStack() as stack:
        waiting = [stack.enter_context(connect(port)) for _ in range(40)]
        assert answers(port, HEAD, CLOSE, b"\r\n").startswith(b"HTTP/1.1 200 ")
        assert read(waiting[0]) == b""


def whole_answer(made: socket.socket) -> bytes:
    """One answer with its body, in however many pieces it comes."""
    got = b""
    while b"\r\n\r\n" not in got or not got.partition(b"\r\n\r\n")[2]:
        got += made.recv(4096)
    return got


def test_requests_on_one_connection_are_answered_in_turn(port: int) -> None:
    """Ten at once, each in its turn; a thousand at once are too many."""
    last = HEAD + CLOSE + b"\r\n"
    assert answers(port, WHOLE * 9, last).count(b"HTTP/1.1 200 ") == 10
    with connect(port) as made:
        for _ in range(3):
            made.sendall(WHOLE)
            assert whole_answer(made).startswith(b"HTTP/1.1 200 ")

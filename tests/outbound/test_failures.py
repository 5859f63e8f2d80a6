"""Each way to fail has one name with both senders, and `sent` is False only when nothing has left.

That matters: a refresh token that may have been spent is replayed before anything else is believed.
"""

from __future__ import annotations

import pytest

from refresher.rules.outcomes import Reply
from tests.outbound.certificates import Certificates
from tests.outbound.conftest import MakeExchange, Serve, ask
from tests.outbound.handlers import deaf, dripping, endless, good, once, silent
from tests.outbound.servers import TOKENS, Handler, Peer, Server, answer
from tests.ports import LOOPBACK, free_port
from tests.waiting import wait_until

SHORT = 0.5


def ask_in_time(exchange: MakeExchange, server: Server) -> Reply:
    """Asks with so short a limit that the answer is missed, and so long that the request arrives.

    How long that must be is the machine's business: where it was too short, a longer one is tried.
    """
    for seconds in (SHORT, 4 * SHORT, 16 * SHORT, 64 * SHORT):
        reply = ask(exchange(total_seconds=seconds), server.url())
        if server.received:
            break
    return reply


def test_nobody_listens(exchange: MakeExchange):
    """A refused connection has sent nothing."""
    reply = ask(exchange(), f"http://{LOOPBACK}:{free_port()}/token")

    assert (reply.status, reply.failure, reply.sent) == (None, "connect", False)


def test_a_handshake_that_never_ends(exchange: MakeExchange, serve: Serve):
    """The limit for connecting covers TLS, and nothing has been sent by then."""
    server = serve(deaf)

    reply = ask(exchange(connect_seconds=SHORT), f"https://{LOOPBACK}:{server.port}/token")

    assert (reply.failure, reply.sent) == ("connect_timeout", False)


def test_an_unknown_authority_is_refused(
    exchange: MakeExchange, serve: Serve, certificates: Certificates
):
    """Certificates are verified, and a server that fails sees no request."""
    server = serve(good, tls=certificates.server)

    reply = ask(exchange(), server.url(host="localhost"))

    assert (reply.failure, reply.sent) == ("connect", False)
    assert server.received == []


def test_a_certificate_for_another_host_is_refused(
    exchange: MakeExchange,
    serve: Serve,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
):
    """A trusted certificate is good for the names in it only."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    server = serve(good, tls=certificates.server)
    sending = exchange()

    assert ask(sending, server.url(host="localhost")).status == 200
    reply = ask(sending, server.url(host=LOOPBACK))

    assert (reply.failure, reply.sent) == ("connect", False)
    assert len(server.received) == 1


def test_a_provider_that_never_answers(exchange: MakeExchange, serve: Serve):
    """A request that got no answer in time may have spent its token; its connection is closed."""
    server = serve(silent)

    reply = ask_in_time(exchange, server)

    assert (reply.failure, reply.sent) == ("timeout", True)
    wait_until(lambda: server.abandoned)


def test_a_provider_that_drips(exchange: MakeExchange, serve: Serve):
    """The total limit holds although each single byte comes in good time."""
    server = serve(dripping)

    reply = ask_in_time(exchange, server)

    assert (reply.failure, reply.sent) == ("timeout", True)
    wait_until(lambda: server.abandoned)


async def _hang_up_before_reading(_: Peer) -> None:
    """The connection stands, so the request may be on its way."""


async def _reset(peer: Peer) -> None:
    await peer.request()
    peer.writer.transport.abort()


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(once(b""), id="no answer"),
        pytest.param(_hang_up_before_reading, id="hangs up at once"),
        pytest.param(_reset, id="reset"),
        pytest.param(once(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"), id="no body"),
        pytest.param(once(b"HTTP/1.1 200 OK\r\nContent-Le"), id="half a head"),
        pytest.param(once(b"220 mail.example ESMTP\r\n\r\n"), id="not HTTP"),
    ],
)
def test_a_broken_conversation_counts_as_sent(
    exchange: MakeExchange, serve: Serve, handler: Handler
):
    """What breaks once a connection stands may have reached the provider."""
    server = serve(handler)

    reply = ask(exchange(), server.url())

    assert (reply.status, reply.failure, reply.sent) == (None, "protocol", True)


_CHUNK = b"%x\r\n%s\r\n" % (len(TOKENS), TOKENS)


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(once(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + TOKENS), id="short"),
        pytest.param(
            once(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + _CHUNK),
            id="no last chunk",
        ),
    ],
)
def test_of_an_answer_that_breaks_off_what_came_is_told(
    exchange: MakeExchange, serve: Serve, handler: Handler
):
    """The failure stands beside the status, the body so far and its headers."""
    server = serve(handler)

    reply = ask(exchange(), server.url())

    assert (reply.status, reply.failure, reply.sent) == (200, "protocol", True)
    assert reply.body == TOKENS


async def _never_ending(peer: Peer) -> None:
    await peer.request()
    await peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + TOKENS)
    await peer.left()


def test_an_answer_that_does_not_end_in_time_is_told_as_far_as_it_came(
    exchange: MakeExchange, serve: Serve
):
    """A server that promises more than it sends, and keeps the connection, costs no token."""
    server = serve(_never_ending)

    reply = ask_in_time(exchange, server)

    assert (reply.status, reply.failure, reply.body) == (200, "timeout", TOKENS)


def test_no_request_is_ever_repeated_by_the_sender(exchange: MakeExchange, serve: Serve):
    """A kept-alive connection that breaks under a request does not get that request again.

    Sending a rotating refresh token twice is a decision, and it is not the sender's.
    """

    async def answers_only_once(peer: Peer) -> None:
        await peer.request()
        await peer.say(answer())
        await peer.request()

    server = serve(answers_only_once)
    sending = exchange()
    assert ask(sending, server.url("/first")).status == 200

    reply = ask(sending, server.url("/second"))

    assert (reply.failure, reply.sent) == ("protocol", True)
    assert [request.target for request in server.received] == ["/first", "/second"]


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(endless, id="endless"),
        pytest.param(once(answer(b"x" * 10_001)), id="one byte more"),
    ],
)
def test_reading_stops_at_the_limit(exchange: MakeExchange, serve: Serve, handler: Handler):
    """No answer is read further than the limit, whatever it says of its length."""
    server = serve(handler)

    reply = ask(exchange(max_bytes=10_000), server.url())

    assert (reply.status, reply.failure, reply.sent) == (None, "too_large", True)
    assert reply.body == b""
    if handler is endless:
        wait_until(lambda: server.abandoned)


def test_an_answer_of_exactly_the_limit_is_read(exchange: MakeExchange, serve: Serve):
    """The limit is the largest size that is still read."""
    server = serve(once(answer(b"x" * 10_000)))

    assert len(ask(exchange(max_bytes=10_000), server.url()).body) == 10_000


@pytest.mark.parametrize("url", ["token", "ftp://127.0.0.1/token", "http://[::/token"])
def test_what_cannot_be_sent_is_said_and_not_sent(exchange: MakeExchange, url: str):
    """A URL that makes no request is a reply too."""
    reply = ask(exchange(), url)

    assert (reply.failure, reply.sent) == ("unsendable", False)


def test_a_header_cannot_smuggle_another_in(exchange: MakeExchange, serve: Serve):
    """A line break in a header's value ends the request, not the header."""
    server = serve(good)

    reply = ask(exchange(), server.url(), headers={"Authorization": "Basic a\r\nInjected: yes"})

    assert reply.status is None
    assert server.received == []


def test_a_failure_shows_neither_url_nor_token(exchange: MakeExchange, serve: Serve):
    """Whatever goes wrong, its name is a word of ours: a URL may hold a token."""
    server = serve(once(b""))

    reply = ask(exchange(), server.url("/token?access_token=hidden"))

    assert reply.failure == "protocol"
    assert "hidden" not in repr(reply)

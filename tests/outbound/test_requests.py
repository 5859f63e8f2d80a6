"""What goes over the wire, and what of the answer comes back: the same with both senders."""

from __future__ import annotations

import asyncio
import gzip
import json
from base64 import b64decode, b64encode

import pytest

from refresher.rules.providers import BodyForm
from tests.outbound.conftest import FORM, MakeExchange, Serve, a_request, ask, ask_all
from tests.outbound.handlers import always, good
from tests.outbound.servers import TOKENS, Peer, answer


def test_a_form_is_posted_and_the_answer_comes_back_whole(exchange: MakeExchange, serve: Serve):
    """A refresh in form encoding arrives as RFC 6749 wants it; status, headers and body return."""
    server = serve(good)

    reply = ask(exchange(), server.url("/oauth/token"))

    (received,) = server.received
    assert (received.method, received.target) == ("POST", "/oauth/token")
    assert received.headers["content-type"].startswith("application/x-www-form-urlencoded")
    assert received.headers["accept"] == "application/json"
    assert received.headers["user-agent"] == "refresher"
    assert received.form == FORM
    assert (reply.status, reply.body) == (200, TOKENS)
    assert reply.headers["retry-after"] == "7"
    assert (reply.failure, reply.sent) == (None, True)
    assert reply.elapsed_seconds > 0


def test_json_is_posted_when_the_provider_wants_json(exchange: MakeExchange, serve: Serve):
    """A JSON body says that it is one."""
    server = serve(good)

    ask(exchange(), server.url(), body=BodyForm.JSON)

    (received,) = server.received
    assert received.headers["content-type"] == "application/json"
    assert json.loads(received.body) == FORM


def test_parameters_join_what_the_url_has_already(exchange: MakeExchange, serve: Serve):
    """A provider that wants a query gets ours behind its own, and no body."""
    server = serve(good)

    ask(exchange(), server.url("/token?api=2"), method="GET", body=BodyForm.QUERY)

    (received,) = server.received
    assert received.method == "GET"
    assert received.query == {"api": "2", **FORM}
    assert received.body == b""


@pytest.mark.parametrize("body", [BodyForm.FORM, BodyForm.JSON])
def test_headers_of_the_catalogue_entry_win(exchange: MakeExchange, serve: Serve, body: BodyForm):
    """An entry's own media type and agent replace ours, and Basic credentials arrive unchanged."""
    server = serve(good)
    basic = "Basic " + b64encode(b"client%3A1:s%C3%A9cret").decode()
    own = {"Authorization": basic, "content-type": "application/x-own", "User-Agent": "mine/1"}

    ask(exchange(), server.url(), body=body, headers=own)

    (received,) = server.received
    assert received.headers["authorization"] == basic
    assert received.headers["content-type"] == "application/x-own"
    assert received.headers["user-agent"] == "mine/1"
    assert b64decode(basic.split()[1]) == b"client%3A1:s%C3%A9cret"


@pytest.mark.parametrize("status", ["400 Bad Request", "429 Too Many Requests", "503 Gone Fishing"])
def test_an_error_status_is_a_reply_like_any_other(
    exchange: MakeExchange, serve: Serve, status: str
):
    """What an error means is for the rules to say: its body comes back too."""
    server = serve(always(answer(b'{"error": "invalid_grant"}', status)))

    reply = ask(exchange(), server.url())

    assert (reply.status, reply.failure) == (int(status[:3]), None)
    assert reply.body == b'{"error": "invalid_grant"}'


def test_odd_headers_never_cost_the_tokens_below_them(exchange: MakeExchange, serve: Serve):
    """A header that is not ASCII leaves the other headers and the body intact."""
    server = serve(always(answer(TOKENS, "200 OK", "X-City: Orléans", "Retry-After: 7")))

    reply = ask(exchange(), server.url())

    assert reply.body == TOKENS
    assert reply.headers == {"retry-after": "7"}


def test_a_compressed_answer_comes_as_it_is(exchange: MakeExchange, serve: Serve):
    """We ask for plain bytes, and hand on what came with the header that tells its packing."""
    packed = gzip.compress(TOKENS)
    server = serve(always(answer(packed, "200 OK", "Content-Encoding: gzip")))

    reply = ask(exchange(), server.url())

    assert (reply.body, reply.headers["content-encoding"]) == (packed, "gzip")
    assert server.received[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Moved", "308 Moved"])
def test_a_redirect_comes_back_and_is_never_followed(
    exchange: MakeExchange, serve: Serve, status: str
):
    """A refresh token goes to the catalogue's URL and nowhere else."""
    elsewhere = serve(good)
    server = serve(always(answer(b"", status, f"Location: {elsewhere.url()}")))

    reply = ask(exchange(), server.url())

    assert (reply.status, reply.failure) == (int(status[:3]), None)
    assert len(server.received) == 1
    assert elsewhere.connections == 0


def test_cookies_are_never_sent_back(exchange: MakeExchange, serve: Serve):
    """What a provider sets in one connection's answer never reaches another's request."""
    server = serve(always(answer(TOKENS, "200 OK", "Set-Cookie: session=one; Path=/")))
    sending = exchange()

    ask(sending, server.url())
    ask(sending, server.url())

    assert len(server.received) == 2
    assert all("cookie" not in request.headers for request in server.received)


def test_one_connection_serves_request_after_request(exchange: MakeExchange, serve: Serve):
    """A handshake is paid once, not once a refresh."""
    server = serve(good)
    sending = exchange()

    for _ in range(20):
        assert ask(sending, server.url()).status == 200

    assert (len(server.received), server.connections) == (20, 1)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_thousand_requests_never_exceed_the_limit_in_flight(exchange: MakeExchange, serve: Serve):
    """All are answered, exactly once each, over no more connections than one host may have."""
    # Given a provider that answers only when fifty requests wait
    under_way = most = 0
    fifty = asyncio.Barrier(50)

    async def counting(peer: Peer) -> None:
        nonlocal under_way, most
        while True:
            await peer.request()
            under_way += 1
            most = max(most, under_way)
            await fifty.wait()
            under_way -= 1
            await peer.say(answer())

    server = serve(counting)
    sending = exchange(max_in_flight=57, total_seconds=60)  # an eighth is kept for other hosts

    replies = ask_all(sending, [a_request(server.url(f"/{n}")) for n in range(1_000)])

    assert {reply.status for reply in replies} == {200}
    assert len(server.received) == 1_000
    assert most == 50
    assert server.connections <= 50

"""Requests go only where they may: judged after the look-up, and connected to what was judged."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from ipaddress import ip_network
from itertools import count

import httpx
import pytest

from refresher.errors import EgressRefused
from refresher.outbound import egress
from refresher.outbound.egress import Egress
from refresher.outbound.transport import Transport, refusal_in
from refresher.runtime.services import egress_from
from refresher.settings import load
from tests.outbound.certificates import Certificates
from tests.outbound.conftest import MakeExchange, Serve, a_request, ask, ask_all
from tests.outbound.handlers import good, proxying
from tests.outbound.servers import TOKENS, answer
from tests.ports import LOOPBACK, free_port

HERE = ip_network("127.0.0.0/8")
NAME = "provider.example"


class Names:
    """A name server: each answer of a name in turn, the last one for ever."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self._answers = {name.replace("_", "."): list(said) for name, said in answers.items()}
        self.asked: list[str] = []

    def __call__(self, host: str) -> Sequence[str]:
        """Returns the next answer."""
        self.asked.append(host)
        said = self._answers.get(host)
        if said is None:
            raise OSError(host)
        return said.pop(0) if len(said) > 1 else said[0]


def here(**answers: Sequence[Sequence[str]]) -> Egress:
    """An egress whose names are these, and which may reach this machine."""
    return Egress([HERE], lookup=Names(**answers))


@pytest.mark.parametrize(
    "host",
    ["10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]", "[fd00:ec2::254]", "0.0.0.0"],
)
def test_an_address_that_is_not_public_is_refused(exchange: MakeExchange, host: str):
    """Nothing is sent to an address that only this machine can reach."""
    reply = ask(exchange(Egress()), f"http://{host}/token")

    assert (reply.status, reply.failure, reply.sent) == (None, "forbidden_address", False)


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "localhost"])
def test_no_spelling_of_this_machine_gets_through(exchange: MakeExchange, serve: Serve, host: str):
    """What the operating system would read as a loopback address is judged as one."""
    server = serve(good)

    reply = ask(exchange(Egress()), server.url(host=host))

    assert (reply.failure, reply.sent, server.connections) == ("forbidden_address", False, 0)


def test_a_name_that_leads_inside_is_refused(exchange: MakeExchange, serve: Serve):
    """A public name with a private address is refused, also where localhost itself is allowed."""
    server = serve(good)
    guard = Egress(loopback=True, lookup=Names(provider_example=[[LOOPBACK, "10.0.0.1"]]))

    reply = ask(exchange(guard), server.url(host=NAME))

    assert (reply.failure, reply.sent, server.connections) == ("forbidden_address", False, 0)


def test_the_address_that_was_judged_is_the_one_that_is_connected_to(
    exchange: MakeExchange,
    serve: Serve,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
):
    """No second look-up takes place, and TLS verifies the name that was asked for.

    `provider.example` exists nowhere: only the judged address can have led to this server. Its
    certificate is for localhost, so that name is let in and the other is not.
    """
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    plain, server = serve(good), serve(good, tls=certificates.server)
    names = Names(provider_example=[[LOOPBACK], ["10.0.0.1"]], localhost=[[LOOPBACK], ["10.0.0.1"]])
    sending = exchange(Egress([HERE], lookup=names))

    assert ask(sending, plain.url(host=NAME)).body == TOKENS
    assert ask(sending, plain.url(host=NAME)).body == TOKENS
    assert ask(sending, server.url(host="localhost")).body == TOKENS
    assert ask(sending, server.url(host=NAME)).failure == "connect"

    assert sorted(names.asked) == ["localhost", NAME]
    assert len(server.received) == 1


@pytest.mark.parametrize("host", [f"{NAME}.", "PROVIDER.example"])
def test_a_name_is_pinned_in_every_spelling(exchange: MakeExchange, serve: Serve, host: str):
    """Capitals and a last dot do not lead around the judgement."""
    server = serve(good)
    sending = exchange(here(provider_example=[[LOOPBACK]], provider_example_=[[LOOPBACK]]))

    assert ask(sending, server.url(host=host)).body == TOKENS


def test_a_dead_address_is_passed_over(exchange: MakeExchange, serve: Serve):
    """When no connection to the first address is had, the same request goes to the next."""
    server = serve(good)
    sending = exchange(here(provider_example=[["127.0.0.9", "127.0.0.8", LOOPBACK]]))

    replies = [ask(sending, server.url(host=NAME)) for _ in range(2)]

    assert [reply.body for reply in replies] == [TOKENS, TOKENS]


def test_no_address_that_answers_is_a_failure_to_connect(exchange: MakeExchange):
    """A name all of whose addresses are dead has been sent nothing."""
    sending = exchange(here(provider_example=[["127.0.0.9", LOOPBACK]]))

    replies = [ask(sending, f"http://{NAME}:{free_port()}/token") for _ in range(2)]

    assert [(reply.failure, reply.sent) for reply in replies] == [("connect", False)] * 2


def test_a_name_that_is_none_is_a_failure_to_connect(exchange: MakeExchange):
    """An unknown name has been sent nothing, and is no refusal."""
    reply = ask(exchange(here()), "http://nowhere.example/token")

    assert (reply.failure, reply.sent) == ("connect", False)


def test_a_name_server_that_never_answers_costs_the_time_for_connecting(exchange: MakeExchange):
    """Looking a name up is a part of connecting."""
    gate = threading.Event()

    def never(_: str) -> list[str]:
        gate.wait()
        return []

    reply = ask(exchange(Egress(lookup=never), connect_seconds=0.2), f"http://{NAME}/token")
    gate.set()

    assert (reply.failure, reply.sent) == ("connect_timeout", False)


def test_many_names_at_once_are_looked_up_once_each(exchange: MakeExchange, serve: Serve):
    """A hundred hosts with two requests each: no name is asked for twice, no request is mixed up."""
    server = serve(good)
    names = Names(**{f"shop{number}_example": [[LOOPBACK]] for number in range(100)})
    urls = [server.url(host=f"shop{number}.example") for number in range(100)]

    replies = ask_all(
        exchange(Egress([HERE], lookup=names)), [a_request(url) for url in (*urls, *urls)]
    )

    assert {reply.body for reply in replies} == {TOKENS}
    assert len(names.asked) == 100
    hosts = {request.headers["host"] for request in server.received}
    assert hosts == {url.removeprefix("http://").removesuffix("/token") for url in urls}


def test_a_name_that_moves_is_followed(
    exchange: MakeExchange, serve: Serve, monkeypatch: pytest.MonkeyPatch
):
    """What a name said is believed for a while; then it is judged again."""
    monkeypatch.setattr(egress, "KNOWN_SECONDS", 0.0)
    server = serve(answering_once)
    sending = exchange(here(provider_example=[[LOOPBACK], [LOOPBACK], ["127.0.0.1", "::1"]]))
    inside = exchange(Egress([HERE], lookup=Names(provider_example=[[LOOPBACK], ["10.0.0.1"]])))

    assert [ask(sending, server.url(host=NAME)).status for _ in range(3)] == [200] * 3
    replies = [ask(inside, server.url(host=NAME)) for _ in range(2)]
    assert [reply.failure for reply in replies] == [None, "forbidden_address"]


async def answering_once(peer) -> None:
    """Answers one request and hangs up, so that the next one needs a connection."""
    await peer.request()
    await peer.say(answer(TOKENS, "200 OK", "Connection: close"))


def test_a_proxy_looks_names_up_itself_but_no_private_address_passes(
    exchange: MakeExchange, serve: Serve, monkeypatch: pytest.MonkeyPatch
):
    """Behind a proxy a name is the proxy's business; an address in the URL is still judged."""
    proxy = serve(proxying)
    monkeypatch.setenv("HTTP_PROXY", proxy.url(""))
    sending = exchange(Egress(lookup=Names()))

    assert ask(sending, "http://provider.invalid/token").body == b"from the proxy"
    assert ask(sending, "http://10.0.0.1/token").failure == "forbidden_address"
    assert len(proxy.received) == 1


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("https://provider.example/hook", None),
        ("http://127.0.0.1:9/hook", None),
        ("http://provider.example/hook", "url must begin with https://"),
        ("ftp://provider.example/", "url must begin with https://"),
        ("https://", "url must begin with https://"),
        ("https://ann:pw@provider.example/", "url must not hold a user or a password"),
        ("https://provider.example/#x", "url must not hold a fragment"),
        ("https://provider example/", "url holds a character that no URL may hold"),
        ("https://10.0.0.1/", r"10.0.0.1 \(private\).*REFRESHER_ALLOWED_PRIVATE_NETWORKS"),
        ("https://[::1]:8/", None),
        ("https://inside.example/", r"inside.example leads to 169.254.169.254 \(metadata\)"),
        ("https://nowhere.example/", "url: no server is called nowhere.example"),
        ("https://empty.example/", "url: no server is called empty.example"),
    ],
)
def test_a_url_is_checked_when_it_is_configured(url: str, sentence: str | None):
    """A URL that requests may not go to is refused in one sentence, before anything is stored."""
    names = {"provider_example": [["93.184.215.14"]], "inside_example": [["169.254.169.254"]]}
    guard = Egress(loopback=True, lookup=Names(**names, empty_example=[[]]))

    if sentence is None:
        guard.check(url)
    else:
        with pytest.raises(EgressRefused, match=sentence):
            guard.check(url)
    guard.close()


@pytest.mark.parametrize(
    ("insecure", "networks", "url", "fine"),
    [
        ("loopback", "", "http://127.0.0.1/", True),
        ("none", "", "http://127.0.0.1/", False),
        ("none", "", "https://127.0.0.1/", False),
        ("none", "127.0.0.1", "https://127.0.0.1/", True),
        ("none", "10.0.0.0/8, fd00::/8", "https://[fd00::1]/", True),
        ("none", "10.0.0.0/8", "https://192.168.0.1/", False),
    ],
)
def test_settings_say_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, insecure: str, networks: str, url: str, fine: bool
):
    """Loopback and private networks are open only to the settings that name them."""
    monkeypatch.setenv("REFRESHER_ALLOW_INSECURE_HOSTS", insecure)
    monkeypatch.setenv("REFRESHER_ALLOWED_PRIVATE_NETWORKS", networks)
    guard = egress_from(load())

    if fine:
        guard.check(url)
    else:
        with pytest.raises(EgressRefused):
            guard.check(url)
    guard.close()


def test_what_is_known_is_bounded(monkeypatch: pytest.MonkeyPatch):
    """A million names of somebody's choice do not stay in memory."""
    monkeypatch.setattr(egress, "MOST_KNOWN", 3)
    numbers = count(1)
    guard = Egress(lookup=lambda _: [f"93.184.215.{next(numbers)}"])

    for number in range(10):
        guard.check(f"https://name{number}.example/")

    assert len(guard._known) <= 3
    guard.close()


async def _fetch(guard: Egress, url: str) -> bytes:
    async with httpx.AsyncClient(transport=Transport(guard), trust_env=False) as client:
        return (await client.get(url)).content


def test_whatever_else_sends_has_the_same_guard(serve: Serve):
    """The transport for httpx refuses with an error that tells why, and connects to what it judged."""
    server = serve(good)
    guard = here(provider_example=[[LOOPBACK]], inside_example=[["10.0.0.1"]])

    assert asyncio.run(_fetch(guard, server.url(host=NAME))) == TOKENS
    with pytest.raises(httpx.ConnectError) as raised:
        asyncio.run(_fetch(guard, server.url(host="inside.example")))
    assert "10.0.0.1 (private)" in str(refusal_in(raised.value))
    with pytest.raises(httpx.ConnectError) as raised:
        asyncio.run(_fetch(guard, server.url(host="nowhere.example")))
    assert refusal_in(raised.value) is None
    guard.close()

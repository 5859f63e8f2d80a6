"""Both senders behind the seam, servers that misbehave, and an environment without proxies."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from refresher.outbound.egress import Egress
from refresher.outbound.exchange import Exchange, Outgoing
from refresher.outbound.sender import SenderName, SendLimits
from refresher.rules.outcomes import Reply
from refresher.rules.providers import BodyForm
from refresher.rules.requests import TokenRequest
from refresher.runtime import checkpoints
from tests.outbound.certificates import Certificates, make_certificates
from tests.outbound.servers import Handler, Server

FORM = {"grant_type": "refresh_token", "refresh_token": "läst & spent+="}
WAYS_OUT = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir")
MakeExchange = Callable[..., Exchange]
Serve = Callable[..., Server]


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in these tests leaves this machine, wherever they run."""
    for name in os.environ:
        if name.lower() in WAYS_OUT:
            monkeypatch.delenv(name)


@pytest.fixture(params=["httpx", "pyreqwest"])
def sender_name(request: pytest.FixtureRequest) -> SenderName:
    """Each sender in turn: every promise is both's."""
    name: SenderName = request.param
    return name


@pytest.fixture
def exchange(sender_name: SenderName) -> Iterator[MakeExchange]:
    """Makes exchanges: `exchange(total_seconds=0.5)`."""
    with ExitStack() as stack:

        def make(egress: Egress | None = None, **limits: float) -> Exchange:
            egress = egress or Egress(loopback=True)
            made = Exchange(
                SendLimits(**limits),  # type: ignore[arg-type]
                name=sender_name,
                egress=egress,
                watcher=checkpoints,
            )
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers: `serve(handler)`, or with `tls=`."""
    with ExitStack() as stack:

        def start(handler: Handler, **options: object) -> Server:
            server = Server(handler, **options)  # type: ignore[arg-type]
            stack.callback(server.close)
            return server

        yield start


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A server's certificate, and the authority that nobody trusts yet."""
    folder: Path = tmp_path_factory.mktemp("certificates")
    return make_certificates(folder)


def a_request(url: str, **changes: object) -> TokenRequest:
    """Returns a refresh in form encoding, with these fields changed."""
    given = {"method": "POST", "headers": {"Accept": "application/json"}, "body": BodyForm.FORM}
    return TokenRequest(url=url, **{"parameters": FORM, **given, **changes})  # type: ignore[arg-type]


def ask(exchange: Exchange, url: str, **changes: object) -> Reply:
    """Sends one request and returns its one reply."""
    (reply,) = ask_all(exchange, [a_request(url, **changes)])
    return reply


def ask_all(exchange: Exchange, requests: list[TokenRequest]) -> list[Reply]:
    """Sends all and returns their replies in the order of the requests, each exactly once."""
    # No test here is about waiting for a turn, so a busy machine may take its time.
    outgoing = [Outgoing(number, request, 300.0) for number, request in enumerate(requests)]
    pairs = [pair for group in exchange.stream(outgoing) for pair in group]
    assert sorted(key for key, _ in pairs) == list(range(len(requests)))
    return [reply for _, reply in sorted(pairs, key=lambda pair: pair[0])]

"""Client certificates, over real TLS: shown to who asks, each app's own, and never left on a disk."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from refresher.outbound import certified
from refresher.outbound.certified import CertifiedSenders, as_file
from refresher.outbound.sender import Wire, write
from refresher.rules.connection import Secret
from refresher.rules.outcomes import Reply
from refresher.rules.proving import ClientCertificate
from tests.outbound.certificates import Certificates
from tests.outbound.conftest import MakeExchange, Serve, a_request, ask
from tests.outbound.servers import Peer, Server, answer
from tests.proofs.samples import certificate, ec_key, pem

STRANGER = ClientCertificate(certificate(ec_key()), Secret(pem(ec_key())))


async def _names(peer: Peer) -> None:
    """Answers with the name in the certificate that the client showed."""
    while True:
        await peer.request()
        shown = peer.writer.get_extra_info("peercert") or {}
        names = [pair[0][1] for pair in shown.get("subject", ())]
        await peer.say(answer(" ".join(names).encode()))


@pytest.fixture
def demanding(serve: Serve, certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A TLS server that takes nobody without a certificate of the authority."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    return serve(_names, tls=certificates.demanding)


def test_the_certificate_of_a_request_is_shown(
    exchange: MakeExchange, demanding: Server, certificates: Certificates
) -> None:
    """By name and by address alike; a connection is used again, and never for another's request."""
    url, sending = demanding.url(host="localhost"), exchange(total_seconds=5.0)
    for _ in range(2):
        assert ask(sending, url, certificate=certificates.client).body == b"an app"
    assert demanding.connections == 1
    assert ask(sending, url).status is None
    assert ask(sending, url, certificate=STRANGER).status is None
    assert ask(sending, url, certificate=certificates.client).body == b"an app"
    assert len(demanding.received) == 3


def test_a_server_that_does_not_ask_is_served_all_the_same(
    exchange: MakeExchange,
    serve: Serve,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An app with a certificate may have requests that need none."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    server = serve(_names, tls=certificates.server)
    reply = ask(exchange(), server.url(host="localhost"), certificate=certificates.client)
    assert (reply.status, reply.body) == (200, b"")


@pytest.mark.parametrize(
    "broken",
    [
        ClientCertificate("rubbish", STRANGER.key),
        ClientCertificate(STRANGER.chain, Secret("rubbish")),
    ],
)
def test_what_tls_does_not_take_is_named_and_nothing_leaves(
    exchange: MakeExchange, demanding: Server, broken: ClientCertificate
) -> None:
    """It was stored by other code than this, or is rubbish: a reason, no traceback."""
    reply = ask(exchange(), demanding.url(host="localhost"), certificate=broken)
    assert (reply.failure, reply.sent) == (certified.UNUSABLE, False)
    assert demanding.connections == 0


@pytest.mark.parametrize("system", ["linux", "another"])
def test_ssl_reads_it_from_what_is_gone_at_once(
    system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In memory where the system can; else in a file of ours alone. Nothing stays."""
    monkeypatch.setattr(sys, "platform", system)
    with as_file(STRANGER) as path:
        assert Path(path).read_bytes() == STRANGER.pem()
        in_memory = path.startswith("/proc/self/fd/")
        assert in_memory or Path(path).stat().st_mode & 0o077 == 0
    assert in_memory is (system == "linux")
    assert in_memory or not Path(path).exists()


class _Counting:
    """A sender that counts how often it was closed."""

    closed = 0

    async def send(self, wire: Wire) -> Reply:
        """Answers."""
        return Reply(200)

    async def close(self) -> None:
        """Counts."""
        _Counting.closed += 1


def test_the_longest_unused_goes_where_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each app's is made once; at the end all are closed, also one that is still being made."""
    monkeypatch.setattr(certified, "MOST_KEPT", 2)
    monkeypatch.setattr(_Counting, "closed", 0)
    made: list[str] = []

    def make(certificate: ClientCertificate) -> _Counting:
        made.append(certificate.chain)
        return _Counting()

    async def use() -> int:
        senders, wire = CertifiedSenders(make), write(a_request("https://a.example/"))
        for name in ("a", "b", "a", "c", "a", "b"):
            await senders.send(ClientCertificate(name, Secret("k")), wire)
        before = _Counting.closed
        late = asyncio.create_task(senders.send(ClientCertificate("d", Secret("k")), wire))
        await asyncio.sleep(0)
        await senders.close()
        with pytest.raises(asyncio.CancelledError):
            await late
        return before

    assert asyncio.run(use()) == 2
    assert made[:4] == ["a", "b", "c", "b"]
    assert _Counting.closed == 4

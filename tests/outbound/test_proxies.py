"""The environment's proxies are used, or refused in a sentence: never passed over."""

from __future__ import annotations

from base64 import b64encode

import pytest

from refresher.errors import SettingsError
from tests.outbound.certificates import Certificates
from tests.outbound.conftest import MakeExchange, Serve, ask
from tests.outbound.handlers import always, good, proxying
from tests.outbound.servers import TOKENS, answer

NOWHERE = "http://provider.invalid/token"


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_plain_request_goes_through_the_proxy(
    exchange: MakeExchange, serve: Serve, monkeypatch: pytest.MonkeyPatch, variable: str
):
    """The proxy gets the whole URL, and its answer is the answer."""
    proxy = serve(proxying)
    monkeypatch.setenv(variable, proxy.url(""))

    reply = ask(exchange(), NOWHERE)

    assert (reply.status, reply.body) == (200, b"from the proxy")
    assert [(r.method, r.target) for r in proxy.received] == [("POST", NOWHERE)]


def test_a_proxy_gets_its_password(
    exchange: MakeExchange, serve: Serve, monkeypatch: pytest.MonkeyPatch
):
    """Credentials in a proxy's URL become its header, and never a part of the request's URL."""
    proxy = serve(proxying)
    monkeypatch.setenv("HTTP_PROXY", proxy.url("").replace("//", "//ann:s%26cret@"))

    ask(exchange(), NOWHERE)

    (received,) = proxy.received
    expected = "Basic " + b64encode(b"ann:s&cret").decode()
    assert received.headers["proxy-authorization"] == expected


def test_tls_goes_through_a_tunnel(
    exchange: MakeExchange,
    serve: Serve,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
):
    """The proxy sees a host and a port; the request is for the provider's eyes."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    server, proxy = serve(good, tls=certificates.server), serve(proxying)
    monkeypatch.setenv("HTTPS_PROXY", proxy.url(""))

    reply = ask(exchange(), server.url(host="localhost"))

    assert (reply.status, reply.body) == (200, TOKENS)
    assert [r.method for r in proxy.received] == ["CONNECT"]
    assert len(server.received) == 1


def test_a_proxy_that_opens_no_tunnel_has_passed_nothing_on(
    exchange: MakeExchange, serve: Serve, monkeypatch: pytest.MonkeyPatch
):
    """A refused tunnel is a failure to connect: the request is still ours."""
    proxy = serve(always(answer(b"", "403 Forbidden")))
    monkeypatch.setenv("HTTPS_PROXY", proxy.url(""))

    reply = ask(exchange(), NOWHERE.replace("http:", "https:"))

    assert (reply.failure, reply.sent) == ("connect", False)
    assert [r.method for r in proxy.received] == ["CONNECT"]


@pytest.mark.parametrize("exception", ["127.0.0.1", "example.com,127.0.0.1", "*"])
def test_excepted_hosts_are_reached_directly(
    exchange: MakeExchange, serve: Serve, monkeypatch: pytest.MonkeyPatch, exception: str
):
    """NO_PROXY names hosts that need no proxy."""
    server, proxy = serve(good), serve(proxying)
    monkeypatch.setenv("HTTP_PROXY", proxy.url(""))
    monkeypatch.setenv("NO_PROXY", exception)

    assert ask(exchange(), server.url()).body == TOKENS
    assert proxy.connections == 0


@pytest.mark.parametrize("value", ["http://", "http://ann:secret@host:port", "::1::"])
def test_a_proxy_that_is_no_url_is_refused_in_a_sentence(
    exchange: MakeExchange, serve: Serve, monkeypatch: pytest.MonkeyPatch, value: str
):
    """Going out directly could break a rule of the network, so nothing is sent, and that is said."""
    server = serve(good)
    monkeypatch.setenv("HTTP_PROXY", value)
    sending = exchange()

    with pytest.raises(SettingsError, match="HTTP_PROXY") as raised:
        sending.open()
    reply = ask(sending, server.url())

    assert "secret" not in str(raised.value)
    assert (reply.failure, reply.sent) == ("no_sender", False)
    assert server.connections == 0

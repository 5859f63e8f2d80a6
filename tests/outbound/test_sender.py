"""Which sender a process gets, on which loop, and what tests may see of it."""

from __future__ import annotations

import sys
from importlib.metadata import requires
from importlib.util import find_spec

import pytest

from refresher.errors import SettingsError
from refresher.outbound.choosing import choose_sender
from refresher.outbound.egress import Egress
from refresher.outbound.exchange import Exchange
from refresher.outbound.httpx_sender import HttpxSender
from refresher.outbound.pyreqwest_sender import PyreqwestSender
from refresher.outbound.sender import SenderName, SendLimits
from refresher.runtime import checkpoints, services
from refresher.runtime.cipher import new_key
from refresher.settings import load
from tests.outbound.conftest import MakeExchange, Serve, ask
from tests.outbound.handlers import good

NOWHERE = "/no/such/bundle.pem"


@pytest.mark.parametrize(
    ("name", "installed", "expected"),
    [
        ("auto", True, PyreqwestSender),
        ("auto", False, HttpxSender),
        ("httpx", True, HttpxSender),
        ("pyreqwest", True, PyreqwestSender),
    ],
)
def test_pyreqwest_is_chosen_where_it_is_installed(
    monkeypatch: pytest.MonkeyPatch, name: SenderName, installed: bool, expected: type
):
    """`auto` takes the fast one when it can; a name takes that one."""
    if not installed:
        monkeypatch.setattr("refresher.outbound.choosing.find_spec", lambda _: None)

    assert isinstance(choose_sender(SendLimits(), Egress(), name), expected)


def test_what_makes_httpx_quick_is_installed():
    """What httpcore asks for at each lock is there: searching it would be a fifth of the work."""
    assert find_spec("sniffio") is not None
    every = requires("refresher") or []
    needed = {line.partition(">")[0] for line in every if "extra ==" not in line}
    assert {"sniffio", "pyreqwest", "uvloop", "httptools"} <= needed


def test_without_roots_of_trust_auto_falls_back_and_a_name_is_refused(
    monkeypatch: pytest.MonkeyPatch,
):
    """An image without ca-certificates still refreshes, with the roots that httpx brings along."""
    monkeypatch.setenv("SSL_CERT_DIR", NOWHERE)

    assert isinstance(choose_sender(SendLimits(), Egress()), HttpxSender)
    with pytest.raises(SettingsError, match="ca-certificates"):
        choose_sender(SendLimits(), Egress(), "pyreqwest")


def test_a_bundle_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch):
    """A wrong SSL_CERT_FILE is a sentence, whoever sends."""
    monkeypatch.setenv("SSL_CERT_FILE", NOWHERE)

    with pytest.raises(SettingsError, match="SSL_CERT_FILE"):
        choose_sender(SendLimits(), Egress(), "httpx")


def test_the_setting_reaches_the_exchange(monkeypatch: pytest.MonkeyPatch):
    """REFRESHER_SENDER is checked when a process builds its services."""
    monkeypatch.setattr("refresher.outbound.choosing.find_spec", lambda _: None)
    monkeypatch.setenv("REFRESHER_SENDER", "pyreqwest")
    monkeypatch.setenv("REFRESHER_ENCRYPTION_KEYS", new_key())
    monkeypatch.setenv("DATABASE_URL", "postgresql://nowhere/none")

    with pytest.raises(SettingsError, match="REFRESHER_SENDER"):
        services.build(load())


@pytest.mark.parametrize("with_uvloop", [True, False])
def test_the_fast_loop_is_optional(
    monkeypatch: pytest.MonkeyPatch, serve: Serve, with_uvloop: bool
):
    """The fast sender runs on uvloop where it is installed, and on asyncio's own loop otherwise."""
    if not with_uvloop:
        monkeypatch.setitem(sys.modules, "uvloop", None)
    exchange = Exchange(SendLimits(), name="pyreqwest", egress=Egress(loopback=True))

    assert ask(exchange, serve(good).url()).status == 200

    assert type(exchange._loop.loop).__module__.startswith("uvloop") is with_uvloop
    exchange.close()


def test_only_httpx_reaches_the_point_sent(
    exchange: MakeExchange, serve: Serve, sender_name: SenderName
):
    """Tests that stop a process once its request has left must choose httpx."""
    reached: list[str] = []
    checkpoints.install(reached.append)
    try:
        ask(exchange(), serve(good).url())
    finally:
        checkpoints.install(None)

    assert reached == (["sent"] if sender_name == "httpx" else [])

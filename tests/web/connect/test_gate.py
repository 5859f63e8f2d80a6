"""How often a stranger may come."""

from __future__ import annotations

import pytest

from refresher.web.connect import gate
from refresher.web.connect.gate import Gate, Visitor


async def _nothing() -> dict[str, object]:
    return {}


def coming(address: str, peer: str = "192.0.2.1", forwarded: str | None = None) -> Visitor:
    """Returns a request of an address."""
    headers = {} if forwarded is None else {b"x-forwarded-for": forwarded.encode()}
    return Visitor("GET", b"", headers, peer, address, _nothing)


def test_an_address_has_its_own_burst(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty at once and ten a second, whoever else comes."""
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    doors = Gate()
    assert sum(doors.wait_seconds(coming("a")) == 0 for _ in range(50)) == 30
    assert doors.wait_seconds(coming("b")) == 0
    now += 0.5
    assert sum(doors.wait_seconds(coming("a")) == 0 for _ in range(50)) == 5
    assert 0 < doors.wait_seconds(coming("a")) <= 0.1


def test_two_processes_share_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each lets half of it through."""
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    doors = Gate(processes=2)
    assert sum(doors.unknown_wait_seconds() == 0 for _ in range(80)) == 25
    for _ in range(60):
        doors.wait_seconds(coming("a"))
    now += 1.0
    assert sum(doors.wait_seconds(coming("a")) == 0 for _ in range(50)) == 5


def test_addresses_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many the first are forgotten."""
    monkeypatch.setattr(gate, "MOST_ADDRESSES", 3)
    monkeypatch.setattr("time.monotonic", lambda: 100.0)
    doors = Gate()
    for address in ("a", "b", "c", "a", "d"):
        doors.wait_seconds(coming(address))
    assert list(doors._addresses._addresses) == ["c", "a", "d"]


def test_a_proxy_that_nobody_trusts_is_told_of_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Else a whole company would be held back as one visitor, and nobody knew why."""
    doors = Gate()
    doors.wait_seconds(coming("192.0.2.1"))
    doors.wait_seconds(coming("198.51.100.7", forwarded="198.51.100.7"))
    assert "TRUSTED_PROXIES" not in capsys.readouterr().out
    for _ in range(3):
        doors.wait_seconds(coming("192.0.2.1", forwarded="198.51.100.7"))
    told = capsys.readouterr().out
    assert told.count("REFRESHER_TRUSTED_PROXIES") == 1
    assert "192.0.2.1" in told

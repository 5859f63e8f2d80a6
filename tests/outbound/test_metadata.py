"""Metadata is asked for within limits, wherever a server leads: RFC 9728 section 7.7."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest

from refresher.catalogue.discovery import Metadata, Unfit
from refresher.outbound import metadata
from refresher.outbound.egress import Egress
from refresher.outbound.metadata import fetch
from tests.issuers import OAUTH, OPENID, Issuer, issuing


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """An authorization server on loopback."""
    with issuing() as running:
        yield running


def found(issuer: Issuer, *, loopback: bool = True) -> Metadata | Unfit:
    """Returns what comes of asking it."""
    egress = Egress(loopback=loopback)
    try:
        ((_, said),) = fetch(egress, [issuer.url], allow_loopback=True)
    finally:
        egress.close()
    return said


def moved(issuer: Issuer, *places: str) -> None:
    """Has each place lead to the next one."""
    (told,) = issuer.pages.values()
    steps = zip([OAUTH, *places], [*places, ""], strict=True)
    issuer.pages = {
        place: (302, f"{issuer.url}{leads}".encode()) if leads else told for place, leads in steps
    }


def test_two_redirects_are_followed_and_no_third(issuer: Issuer):
    """Nothing of ours goes along but what we take, and who we are."""
    moved(issuer, "/a", "/b")
    assert isinstance(found(issuer), Metadata)
    assert issuer.asked == [OAUTH, "/a", "/b"]
    for told in issuer.told:
        assert set(told) <= {"host", "accept", "accept-encoding", "user-agent", "connection"}
    issuer.tell()
    moved(issuer, "/a", "/b", "/c")
    issuer.asked.clear()
    assert "answers with redirects (302) that do not end" in str(found(issuer))
    assert issuer.asked == [OAUTH, "/a", "/b", OPENID]


@pytest.mark.parametrize(
    ("leads", "sentence"),
    [
        ("https://10.0.0.1/meta", "leads to 10.0.0.1 (private), which only"),
        ("https://169.254.169.254/latest/", "leads to 169.254.169.254 (metadata), which only"),
        ("http://mcp.example/", "must begin with https://, for tokens travel there"),
        ("file:///etc/passwd", "must begin with https:// and name a server"),
    ],
)
def test_each_redirect_is_judged_anew(issuer: Issuer, leads: str, sentence: str):
    """A public server cannot send us into the network that this machine stands in."""
    issuer.pages = {OAUTH: (302, leads.encode())}
    assert sentence in str(found(issuer))


def test_an_address_that_is_not_allowed_is_never_asked(issuer: Issuer):
    """The sentence names it, and the setting."""
    assert "leads to 127.0.0.1 (loopback), which only" in str(found(issuer, loopback=False))
    assert issuer.asked == []


@pytest.mark.parametrize(
    ("body", "encoding", "sentence"),
    [
        (b" " * 70_000, None, "does not answer: too_large"),
        (gzip.compress(b" " * 10_000_000), "gzip", "answers with more than 65,536 bytes"),
    ],
)
def test_no_more_is_read_than_the_limit(
    issuer: Issuer, body: bytes, encoding: str | None, sentence: str
):
    """Neither of what comes over the wire, nor of what is packed in it."""
    issuer.pages = {OAUTH: (200, body)}
    issuer.headers = {"Content-Encoding": encoding} if encoding else {}
    assert sentence in str(found(issuer))


def test_all_questions_together_end_in_time(issuer: Issuer, monkeypatch: pytest.MonkeyPatch):
    """However slowly each of them is answered."""
    monkeypatch.setattr(metadata, "SECONDS_IN_ALL", 0.0)
    assert str(found(issuer)) == "no whole answer within 0 s"

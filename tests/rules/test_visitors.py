"""Who comes, and from where, as tables."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from refresher.rules.visitors import (
    address_of,
    is_looking_ahead,
    is_own_form,
    is_whole_page,
    origin_of,
)

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.7", "", "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),  # nobody asked this peer
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"),  # what stands before was sent in
        ("10.0.0.1", "1.2.3.4, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "198.51.100.1, unknown", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("fd00::1", "[2001:db8:1:2:3:4:5:6]:4711", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "", "2001:db8:1:2::/64"),
        ("", "198.51.100.1", ""),
        ("a-socket", "198.51.100.1", "a-socket"),
    ],
)
def test_an_address_is_believed_as_far_as_proxies_are_trusted(
    peer: str, forwarded: str, address: str
) -> None:
    """From the right, until somebody wrote it who is not ours; IPv6 counts by customer."""
    assert address_of(peer, forwarded, PROXIES) == address


@pytest.mark.parametrize(
    ("headers", "looking"),
    [
        ({}, False),
        ({b"sec-purpose": b"prefetch;prerender"}, True),
        ({b"purpose": b"Prefetch"}, True),
        ({b"x-moz": b"prefetch"}, True),
        ({b"x-purpose": b"preview"}, True),
        ({b"purpose": b""}, False),
    ],
)
def test_what_is_fetched_ahead_is_known(headers: dict[bytes, bytes], looking: bool) -> None:
    """By what browsers of today and of yesterday say."""
    assert is_looking_ahead(headers) is looking


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Connect.Example", "https://connect.example"),
        ("https://connect.example:443", "https://connect.example"),
        ("https://connect.example:8443", "https://connect.example:8443"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("", "://"),
    ],
)
def test_an_origin_is_written_as_browsers_do(url: str, origin: str) -> None:
    """So that what an operator wrote and what a browser sends are the same text."""
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ({b"sec-fetch-site": b"same-origin"}, True),
        ({b"sec-fetch-site": b"same-site"}, False),
        ({b"sec-fetch-site": b"none"}, False),
        ({b"sec-fetch-site": b"cross-site", b"origin": b"https://ours.example"}, False),
        ({b"origin": b"https://ours.example"}, True),
        ({b"origin": b"null"}, False),
        ({b"origin": b"https://ours.example.evil.example"}, False),
        ({}, False),
    ],
)
def test_a_form_is_ours_or_is_not_taken(headers: dict[bytes, bytes], own: bool) -> None:
    """`Sec-Fetch-Site` says it; where a browser sends none, `Origin` does; without both it is none."""
    assert is_own_form(headers, "https://ours.example") is own


@pytest.mark.parametrize(
    ("dest", "whole"), [(b"document", True), (b"iframe", False), (b"image", False)]
)
def test_a_page_in_a_frame_or_an_image_is_no_visit(dest: bytes, whole: bool) -> None:
    """Old browsers, which say nothing, are believed."""
    assert is_whole_page({b"sec-fetch-dest": dest}) is whole
    assert is_whole_page({})

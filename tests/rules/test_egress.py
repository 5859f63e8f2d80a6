"""Which addresses requests may go to."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from refresher.rules.egress import embedded, interleaved, kind_of_refusal


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("93.184.215.14", None),
        ("172.15.255.255", None),
        ("172.32.0.1", None),
        ("100.63.255.255", None),
        ("2606:4700::6810:84e5", None),
        ("2a00:1450:4001::200e", None),
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "unspecified"),
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("10.0.0.1", "private"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.168.1.1", "private"),
        ("100.64.0.1", "private"),
        ("169.254.0.1", "link-local"),
        ("169.254.169.254", "metadata"),
        ("169.254.170.2", "metadata"),
        ("100.100.100.200", "metadata"),
        ("168.63.129.16", "metadata"),
        ("192.0.0.192", "metadata"),
        ("fd00:ec2::254", "metadata"),
        ("192.0.0.1", "reserved"),
        ("198.18.0.1", "reserved"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "reserved"),
        ("192.0.2.1", "documentation"),
        ("198.51.100.1", "documentation"),
        ("203.0.113.1", "documentation"),
        ("224.0.0.1", "multicast"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("fe80::1", "link-local"),
        ("fc00::1", "private"),
        ("fd12:3456::1", "private"),
        ("ff02::1", "multicast"),
        ("fec0::1", "reserved"),
        ("::7f00:1", "reserved"),
        ("100::1", "reserved"),
        ("5f00::1", "reserved"),
        ("64:ff9b:1::a00:1", "reserved"),
        ("2001::1", "reserved"),
        ("2001:db8::1", "documentation"),
        ("3fff::1", "documentation"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:10.0.0.1", "private"),
        ("::ffff:169.254.169.254", "metadata"),
        ("::ffff:93.184.215.14", None),
        ("64:ff9b::a00:1", "private"),
        ("64:ff9b::a9fe:a9fe", "metadata"),
        ("64:ff9b::5db8:d70e", None),
        ("2002:7f00:1::1", "loopback"),
        ("2002:a9fe:a9fe::", "metadata"),
        ("2002:5db8:d70e::1", None),
    ],
)
def test_only_public_addresses_are_let_through(address, kind):
    """Whatever only this machine or its network can reach is refused, in every spelling of it."""
    assert kind_of_refusal(ip_address(address)) == kind


@pytest.mark.parametrize(
    ("address", "allowed", "kind"),
    [
        ("10.1.2.3", ["10.1.0.0/16"], None),
        ("10.2.2.3", ["10.1.0.0/16"], "private"),
        ("::ffff:10.1.2.3", ["10.1.0.0/16"], None),
        ("64:ff9b::a01:203", ["10.1.0.0/16"], None),
        ("fd00::1", ["10.0.0.0/8", "fd00::/8"], None),
        ("169.254.169.254", ["169.254.0.0/16"], "metadata"),
        ("::ffff:169.254.169.254", ["169.254.0.0/16", "::/1"], "metadata"),
        ("168.63.129.16", ["168.0.0.0/8"], "metadata"),
        ("169.254.169.254", ["169.254.169.254/32"], None),
        ("fd00:ec2::254", ["fd00::/8"], "metadata"),
        ("fd00:ec2::254", ["fd00:ec2::254/128"], None),
    ],
)
def test_the_operator_allows_networks_and_metadata_only_by_its_address(address, allowed, kind):
    """A network that is allowed is let through; a metadata server only if it is named alone."""
    assert kind_of_refusal(ip_address(address), [ip_network(n) for n in allowed]) == kind


@pytest.mark.parametrize(
    ("address", "meant"),
    [
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("64:ff9b::1.2.3.4", "1.2.3.4"),
        ("2002:102:304:5::6", "1.2.3.4"),
        ("2606:4700::1", "2606:4700::1"),
        ("1.2.3.4", "1.2.3.4"),
    ],
)
def test_an_address_within_an_address_is_found(address, meant):
    """IPv6 forms that lead to an IPv4 server are judged as that server."""
    assert embedded(ip_address(address)) == ip_address(meant)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], []),
        (["1.1.1.1", "1.1.1.1", "2.2.2.2"], ["1.1.1.1", "2.2.2.2"]),
        (["2a00::1", "2a00::2", "1.1.1.1"], ["2a00::1", "1.1.1.1", "2a00::2"]),
        (["1.1.1.1", "2a00::1", "2a00::2"], ["1.1.1.1", "2a00::1", "2a00::2"]),
    ],
)
def test_families_take_turns(given, expected):
    """A host whose IPv6 leads nowhere is reached by its IPv4 at the second try."""
    assert interleaved(map(ip_address, given)) == [ip_address(text) for text in expected]

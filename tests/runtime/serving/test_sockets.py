"""Where a process listens, and the sentence when it cannot."""

import errno
import os
import socket
from collections.abc import Iterable

import pytest

from refresher.runtime.serving import sockets
from refresher.runtime.serving.sockets import CannotListen, free_port, listen, listen_for_all
from tests.ports import free_port as port_of_ours

HAS_IPV6 = socket.has_ipv6 and os.path.exists("/proc/net/if_inet6")  # noqa: PTH110  a kernel's word
BOTH = {"127.0.0.1", "::1"}


def reached(port: int) -> set[str]:
    """The loopback addresses where somebody answers."""
    found = set()
    for address in BOTH:
        try:
            socket.create_connection((address, port), timeout=5).close()
        except OSError:
            continue
        found.add(address)
    return found


def close(made: Iterable[socket.socket]) -> None:
    """Closes sockets."""
    for one in made:
        one.close()


@pytest.mark.skipif(not HAS_IPV6, reason="this machine has no IPv6")
@pytest.mark.parametrize(
    ("host", "there"),
    [
        ("::", BOTH),
        ("localhost", BOTH),
        ("0.0.0.0", {"127.0.0.1"}),
        ("127.0.0.1", {"127.0.0.1"}),
        ("::1", {"::1"}),
    ],
)
def test_a_host_means_these_addresses(host: str, there: set[str]) -> None:
    """`::` and `localhost` serve IPv4 and IPv6; an address serves itself."""
    port = port_of_ours()
    made = listen(host, port)
    assert reached(port) == there
    close(made)


@pytest.mark.parametrize("host", ["::", "localhost"])
@pytest.mark.parametrize("number", sorted(sockets.NO_IPV6))
def test_a_machine_without_ipv6_is_served_all_the_same(
    host: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no IPv6 socket is to be had, IPv4 alone is listened on."""
    opened = sockets._open

    def without(family: int, address: str, port: int, *, shared: bool) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(number, os.strerror(number))
        return opened(family, address, port, shared=shared)

    monkeypatch.setattr(sockets, "_open", without)
    port = port_of_ours()
    made = listen(host, port)
    assert reached(port) == {"127.0.0.1"}
    close(made)


@pytest.mark.parametrize(
    ("host", "number", "sentence"),
    [
        ("localhost", errno.EADDRINUSE, "PORT is {port}, where another process listens already"),
        ("localhost", errno.EACCES, "PORT is {port}, where this user may not listen"),
        ("203.0.113.9", None, "REFRESHER_HOST is 203.0.113.9, which is no address of this machine"),
        ("2001:db8::1", None, "REFRESHER_HOST is 2001:db8::1, "),
        ("no such host", None, "REFRESHER_HOST is no such host, which is no address and no name"),
        (
            "localhost",
            errno.EMFILE,
            "nothing can listen on PORT {port} of localhost: Too many open",
        ),
    ],
)
def test_each_reason_has_its_sentence(
    host: str, number: int | None, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the setting that is wrong, and ends the process with 2."""
    if number is not None:

        def refuse(*_arguments: object, **_named: object) -> socket.socket:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(sockets, "_open", refuse)
    port = port_of_ours()
    with pytest.raises(CannotListen) as raised:
        listen(host, port)
    assert str(raised.value).startswith(sentence.format(port=port))
    assert raised.value.exit_code == 2


def test_a_port_that_is_taken_on_one_address_is_taken() -> None:
    """Whoever has the port on IPv4 alone would answer half of our callers."""
    port = port_of_ours()
    theirs = listen("127.0.0.1", port)
    for host in ("localhost", "127.0.0.1", "::"):
        with pytest.raises(CannotListen, match="another process listens already"):
            listen(host, port)
    close(theirs)


def test_the_next_free_port_is_found() -> None:
    """Ports that others have are passed over."""
    first = port_of_ours()
    theirs = listen("127.0.0.1", first)
    port, made = free_port("localhost", first)
    assert port > first
    assert reached(port)
    close([*theirs, *made])


def test_one_of_several_siblings_answers() -> None:
    """The first child of a parent listens, the next one knows it; when that one ends, another may."""
    port = port_of_ours()
    first = listen_for_all("localhost", port, setting="PORT")
    assert first is not None
    assert listen_for_all("localhost", port, setting="PORT") is None
    close(first.sockets)
    first.end()
    again = listen_for_all("localhost", port, setting="PORT")
    assert again is not None
    close(again.sockets)
    again.end()


def test_a_stranger_on_the_port_is_no_sibling() -> None:
    """A program that we have nothing to do with is told, also among siblings."""
    port = port_of_ours()
    theirs = listen("localhost", port)
    with pytest.raises(CannotListen, match="another process listens already"):
        listen_for_all("localhost", port, setting="PORT")
    close(theirs)

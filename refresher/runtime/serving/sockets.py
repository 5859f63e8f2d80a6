"""Opens the sockets that a process listens on, or says in one sentence why it cannot.

`::` means every address there is, IPv4 and IPv6, also on a machine that has only one of them.
`localhost` means both loopback addresses, whatever the machine's hosts file says.

Of several processes of one command, the first answers: Dramatiq starts its worker processes beside each
other with one environment, and so do several web processes with their status port. They have one
parent, and that tells them from any other program that holds the port: that one is a mistake, and is
told.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Iterable

from refresher.errors import SettingsError

EVERYWHERE = "::"
EVERYWHERE_IPV4 = "0.0.0.0"  # noqa: S104  what `::` means on a machine without IPv6
HERE = "localhost"
LOOPBACK = "127.0.0.1"
BACKLOG = 512
NO_IPV6 = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT}
Address = tuple[int, str]
"""A family of addresses, and one of them."""


class CannotListen(SettingsError):
    """A port or an address is not to be had; `errno` is the system's reason."""

    def __init__(self, sentence: str, number: int | None) -> None:
        super().__init__(sentence)
        self.errno = number


def listen(
    host: str, port: int, *, shared: bool = False, setting: str = "PORT"
) -> list[socket.socket]:
    """Returns sockets that listen there: two of them for `localhost` and for a name with two addresses.

    `shared`: several processes may, and the kernel spreads the connections (Linux). `setting` names the
    port in the sentence. Raises `CannotListen`.
    """
    made: list[socket.socket] = []
    try:
        for address in _addresses(host):
            made += _bound(address, host, port, shared=shared)
    except OSError as error:
        _close(made)
        raise CannotListen(_sentence(error, host, port, setting), error.errno) from None
    return made


def free_port(host: str, first: int, *, tries: int = 100) -> tuple[int, list[socket.socket]]:
    """Returns the first port from `first` on where nobody listens, with its sockets.

    Raises `CannotListen` where all are taken, or none may be had for another reason.
    """
    for port in range(first, min(first + tries, 65_536)):
        try:
            return port, listen(host, port)
        except CannotListen as error:
            if error.errno != errno.EADDRINUSE:
                raise
    raise CannotListen(
        f"PORT: every port from {first} on is taken; set PORT to one that is free", errno.EADDRINUSE
    )


def _addresses(host: str) -> list[Address]:
    if host == HERE:
        return [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
    if host == EVERYWHERE:
        return [(socket.AF_INET6, EVERYWHERE)]
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((int(family), str(place[0])) for family, _, _, _, place in found))


def _bound(address: Address, host: str, port: int, *, shared: bool) -> list[socket.socket]:
    """Returns a socket that listens; none for a loopback address that this machine does not have."""
    family, text = address
    try:
        return [_open(family, text, port, shared=shared)]
    except OSError as error:
        if family != socket.AF_INET6 or error.errno not in NO_IPV6:
            raise
        if host == EVERYWHERE:
            return [_open(socket.AF_INET, EVERYWHERE_IPV4, port, shared=shared)]
        if host == HERE:
            return []
        raise


def _open(family: int, address: str, port: int, *, shared: bool) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address != EVERYWHERE)
        made.bind((address, port))
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    return made


def _close(sockets: Iterable[socket.socket]) -> None:
    for one in sockets:
        one.close()


def _sentence(error: OSError, host: str, port: int, setting: str) -> str:
    if isinstance(error, socket.gaierror):
        return f"REFRESHER_HOST is {host}, which is no address and no name that can be looked up"
    match error.errno:
        case errno.EADDRINUSE:
            return (
                f"{setting} is {port}, where another process listens already: "
                f"give this one a {setting} of its own"
            )
        case errno.EACCES | errno.EPERM:
            return (
                f"{setting} is {port}, where this user may not listen: choose one from 1024 on, "
                "or allow it"
            )
        case errno.EADDRNOTAVAIL:
            return f"REFRESHER_HOST is {host}, which is no address of this machine"
        case errno.EAFNOSUPPORT | errno.EPROTONOSUPPORT:
            return f"REFRESHER_HOST is {host}, and this machine has no such addresses (IPv6 is off)"
        case _:
            return f"nothing can listen on {setting} {port} of {host}: {error.strerror or error}"


class Turn:
    """The right to answer for all children of one parent on one port; it ends with the process."""

    def __init__(self, sockets: list[socket.socket], right: socket.socket | None) -> None:
        self.sockets = sockets
        self._right = right

    def end(self) -> None:
        """Lets a sibling have it. The sockets themselves are closed by who serves them."""
        if self._right is not None:
            self._right.close()


def listen_for_all(host: str, port: int, *, setting: str) -> Turn | None:
    """Returns sockets that listen there, None where a sibling answers; raises `CannotListen`."""
    if sys.platform != "linux":
        return _first_come(host, port, setting)
    # A name in the abstract namespace, which the kernel takes back when the process ends.
    right = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        right.bind(f"\0refresher-port-{os.getuid()}-{os.getppid()}-{port}")
    except OSError as error:
        right.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise CannotListen(f"{setting} {port}: {error.strerror}", error.errno) from None
    try:
        return Turn(listen(host, port, setting=setting), right)
    except CannotListen:
        right.close()
        raise


def _first_come(host: str, port: int, setting: str) -> Turn | None:
    """Where there are no such names, a port that is taken is held to be taken by a sibling."""
    try:
        return Turn(listen(host, port, setting=setting), None)
    except CannotListen as error:
        if error.errno == errno.EADDRINUSE:
            return None
        raise

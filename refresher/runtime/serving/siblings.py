"""Who answers on a port that several processes of one command are given: the first of them.

Dramatiq starts its worker processes beside each other with one environment, and so do several web
processes with their status port. They have one parent, and that tells them from any other program that
holds the port: that one is a mistake, and is told.
"""

from __future__ import annotations

import errno
import os
import socket
import sys

from refresher.runtime.serving.sockets import CannotListen, listen


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

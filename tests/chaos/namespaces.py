"""Linux network namespaces: whether this system lets us make one, and going from one to another.

Python's own `os.setns` and `os.unshare` came with 3.12.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

NEW_NETWORK = 0x40000000
INSIDE = "CHAOS_INSIDE"
"""Set in a process that was started again in a namespace of its own."""
WAYS: Sequence[Sequence[str]] = (
    ("unshare", "--net"),
    ("unshare", "--user", "--map-current-user", "--keep-caps", "--net"),
)
"""As root, and as somebody else where users may have namespaces."""
TRIAL = "ip tuntap add dev trial mode tun && ip link set trial up && unshare --net true"
WHY_NOT = (
    "this system lets us make no network namespaces: lines with cut cables need Linux, `ip` and "
    "`unshare` (Debian's iproute2 and util-linux), /dev/net/tun, and root or namespaces of users"
)
SERVERS = ("127.0.0.1", "127.77.0.1")


@cache
def way_in() -> Sequence[str] | None:
    """Returns the command that runs another in a namespace of its own; None where none works."""
    if sys.platform != "linux" or not (shutil.which("ip") and shutil.which("unshare")):
        return None
    return next((way for way in WAYS if _works([*way, "sh", "-c", TRIAL])), None)


def _works(command: Sequence[str]) -> bool:
    done = subprocess.run(command, capture_output=True, check=False, timeout=30)
    return done.returncode == 0


def is_inside() -> bool:
    """Whether this process was started again in a namespace of its own."""
    return INSIDE in os.environ


def go_inside(module: str, arguments: Sequence[str]) -> None:
    """Goes on as `python -m module arguments…` in a namespace of its own, unless it is in one."""
    if is_inside():
        set_up_loopback(SERVERS)
        return
    way = way_in()
    assert way is not None
    words = [*way, sys.executable, "-m", module, *arguments]
    os.execvpe(words[0], words, {**os.environ, INSIDE: "1"})


def set_up_loopback(addresses: Sequence[str]) -> None:
    """Gives this namespace these addresses; all else that begins with 127 may be routed."""
    commands = ["link set lo up", "addr del 127.0.0.1/8 dev lo"]
    commands += [f"addr add {address}/32 dev lo" for address in addresses]
    for words in commands:
        subprocess.run(["ip", *words.split()], check=True)
    Path("/proc/sys/net/ipv4/conf/all/route_localnet").write_text("1")


def leave() -> None:
    """Moves this process, which must have one thread, to a new namespace."""
    _check(_libc().unshare(NEW_NETWORK))


def enter(namespace: Path) -> None:
    """Moves this thread to the namespace that a file in /proc stands for."""
    file = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc().setns(file, NEW_NETWORK))
    finally:
        os.close(file)


@contextmanager
def within(namespace: Path) -> Iterator[None]:
    """Has this thread be there for a while: a socket stays where it was made."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter(namespace)
        yield
    finally:
        _check(_libc().setns(home, NEW_NETWORK))
        os.close(home)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))

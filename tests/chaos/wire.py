"""One machine and its cables: a network namespace whose packets go through this process.

`python -m tests.chaos.wire ORDER` makes the namespace, joins it to the one that it was started in by
two TUN devices, `data` (to Postgres and Redis) and `out` (to providers), and forwards: later, by a
delay; not at all, by a seeded dice or while a cable is pulled. Retransmission, back-off and time-outs
are the kernel's. netem would do it where the kernel has it; this is the same everywhere. No reset is
made up: what a pulled cable carries vanishes, and each side's link stays up, as behind a switch.

It reads orders from stdin, a JSON object a line, and answers each with what `Passed` since.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import selectors
import signal
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.chaos import namespaces

LINKS = ("data", "out")
SERVERS = {"data": "127.77.0.1", "out": "127.0.0.1"}
"""Where Postgres and Redis are, and where the provider is, which may be asked in plain http on loopback
alone. So a machine has no 127.0.0.1 of its own: it is routed to the provider's."""
_TUNSETIFF, _TUN_WITHOUT_HEADER = 0x400454CA, 0x1001
_MOST_BYTES = 65_536
_TCP = 6


@dataclass(frozen=True, slots=True)
class Passed:
    """What went over a machine's cables.

    When a request last left to a provider since the last order, by the monotonic clock; and how many
    packets were dropped in all.
    """

    last_sent_at: float | None
    dropped: int


@dataclass(slots=True)
class Lane:
    """One direction of a cable: constant delay, so packets keep their order."""

    delay_seconds: float
    loss: float
    dice: random.Random
    dropped: int = 0
    _queue: deque[tuple[float, bytes]] = field(default_factory=deque)

    def take(self, packet: bytes, now: float, *, pulled: bool) -> bool:
        """Carries a packet on its way, or drops it; returns whether it goes on."""
        if pulled or (self.loss and self.dice.random() < self.loss):
            self.dropped += 1
            return False
        self._queue.append((now + self.delay_seconds, packet))
        return True

    def due(self, now: float) -> Iterator[bytes]:
        """Yields what has arrived by now."""
        while self._queue and self._queue[0][0] <= now:
            yield self._queue.popleft()[1]

    def cut(self) -> None:
        """Drops what is on its way."""
        self.dropped += len(self._queue)
        self._queue.clear()

    @property
    def next_at(self) -> float | None:
        """When the next packet arrives."""
        return self._queue[0][0] if self._queue else None


class Cable:
    """One cable, with the devices at its two ends."""

    def __init__(self, ends: tuple[int, int], delay_seconds: float, loss: float, seed: str) -> None:
        self.ends = ends
        self.pulled = False
        self.last_sent_at: float | None = None
        self.lanes = [
            Lane(delay_seconds, loss, random.Random(f"{seed} {way}"))
            for way in ("to the machine", "from the machine")
        ]

    def read(self, way: int, now: float) -> None:
        """Takes all that waits at one end: 0 is the servers', 1 the machine's."""
        while True:
            try:
                packet = os.read(self.ends[way], _MOST_BYTES)
            except BlockingIOError:
                return
            if self.lanes[way].take(packet, now, pulled=self.pulled) and way and carries(packet):
                self.last_sent_at = now

    def deliver(self, now: float) -> None:
        """Hands on what has arrived."""
        for way, lane in enumerate(self.lanes):
            for packet in lane.due(now):
                try:
                    os.write(self.ends[1 - way], packet)
                except BlockingIOError:
                    lane.dropped += 1

    def turn(self, *, pulled: bool) -> None:
        """Pulls the cable, or plugs it in; what passes is noted anew."""
        self.pulled = pulled
        self.last_sent_at = None
        if pulled:
            for lane in self.lanes:
                lane.cut()


def carries(packet: bytes) -> bool:
    """Whether an IPv4 packet is of TCP and has data, not only an acknowledgement."""
    if packet[0] >> 4 != 4 or packet[9] != _TCP:
        return False
    header = (packet[0] & 15) * 4
    return len(packet) > header + (packet[header + 12] >> 4) * 4


def main() -> None:
    """Forwards until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # how the guard ends us
    order = json.loads(sys.argv[1])
    cables = _connect(order["number"], order["delay_seconds"], order["loss"])
    print("ready", flush=True)  # noqa: T201  what whoever started us waits for
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin.fileno(), selectors.EVENT_READ, None)
        for cable in cables.values():
            for way, end in enumerate(cable.ends):
                selector.register(end, selectors.EVENT_READ, (cable, way))
        while _step(selector, cables):
            pass


def _step(selector: selectors.BaseSelector, cables: dict[str, Cable]) -> bool:
    waiting = [lane.next_at for cable in cables.values() for lane in cable.lanes]
    nearest = min((at for at in waiting if at is not None), default=None)
    patience = None if nearest is None else max(0.0, nearest - time.monotonic())
    for key, _ in selector.select(patience):
        if key.data is None:
            line = os.read(key.fd, _MOST_BYTES)
            if not line:
                return False
            _obey(json.loads(line), cables)
        else:
            cable, way = key.data
            cable.read(way, time.monotonic())
    now = time.monotonic()
    for cable in cables.values():
        cable.deliver(now)
    return True


def _obey(pulled: list[str], cables: dict[str, Cable]) -> None:
    """Tells what passed, then pulls just these cables."""
    dropped = sum(lane.dropped for cable in cables.values() for lane in cable.lanes)
    passed = Passed(cables["out"].last_sent_at, dropped)
    for name, cable in cables.items():
        cable.turn(pulled=name in pulled)
    print(json.dumps(asdict(passed)), flush=True)  # noqa: T201  the answer


def _connect(number: int, delay_seconds: float, loss: float) -> dict[str, Cable]:
    """Leaves this namespace for one of its own, with a device of each cable in both."""
    theirs = {}
    for link in LINKS:
        theirs[link] = _tun(f"{link}{number}")
        _ip(f"link set {link}{number} up")
        _ip(f"route add {address(link, number)} dev {link}{number} src {SERVERS[link]}")
    namespaces.leave()
    namespaces.set_up_loopback([])
    cables = {}
    for link in LINKS:
        ours = _tun(link)
        _ip(f"addr add {address(link, number)}/32 dev {link}")
        _ip(f"link set {link} up")
        _ip(f"route add {SERVERS[link]} dev {link} src {address(link, number)}")
        cables[link] = Cable((theirs[link], ours), delay_seconds, loss, f"{number} {link}")
    return cables


def address(link: str, number: int) -> str:
    """Returns a machine's own address on one of its cables."""
    return f"127.{78 + LINKS.index(link)}.0.{number}"


def _tun(name: str) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _TUN_WITHOUT_HEADER))
    # No IPv6: its own packets of the link are no cable of ours.
    Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
    return device


def _ip(words: str) -> None:
    subprocess.run(["ip", *words.split()], check=True)


if __name__ == "__main__":
    main()

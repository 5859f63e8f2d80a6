"""The cables of `make chaos --network`: what a lane does to packets, and one short cut for real."""

import json
import random
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos import namespaces
from tests.chaos.wire import Lane, carries

ROOT = Path(__file__).resolve().parents[2]


def test_a_lane_keeps_the_order_delays_and_loses_by_its_dice() -> None:
    """Each packet comes after the delay, in order; as many are lost as the seed says, each time."""
    lanes = [Lane(0.1, 0.2, random.Random(7)) for _ in range(2)]
    packets = [bytes([n]) for n in range(100)]
    for lane in lanes:
        sent = [packet for packet in packets if lane.take(packet, 1.0, pulled=False)]
        assert list(lane.due(1.05)) == []
        assert lane.next_at == pytest.approx(1.1)
        assert list(lane.due(1.1)) == sent
        assert 0 < lane.dropped == len(packets) - len(sent) < 40
    assert lanes[0].dropped == lanes[1].dropped


def test_a_pulled_cable_drops_what_comes_and_what_is_on_its_way() -> None:
    """Nothing arrives late: it is gone."""
    lane = Lane(0.1, 0.0, random.Random(1))
    assert lane.take(b"on its way", 1.0, pulled=False)
    lane.cut()
    assert not lane.take(b"later", 1.0, pulled=True)
    assert list(lane.due(9.0)) == []
    assert lane.dropped == 2


@pytest.mark.parametrize(
    ("protocol", "data", "expected"), [(6, b"", False), (6, b"x", True), (17, b"x", False)]
)
def test_only_tcp_with_data_is_a_request(protocol: int, data: bytes, expected: bool) -> None:
    """An acknowledgement is none, nor is anything but TCP."""
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40 + len(data), 0, 0, 64, protocol, 0, b"", b"")
    tcp = struct.pack("!HHIIBBHHH", 1, 2, 0, 0, 5 << 4, 0, 0, 0, 0)
    assert carries(ip + tcp + data) is expected


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["cut-worker-data", "cut-scheduler"])
def test_a_short_cut_loses_nothing_and_is_got_over(name: str) -> None:
    """Eight seconds without a network, packets that vanish: nothing lost, all registered again."""
    if namespaces.way_in() is None:
        pytest.skip(namespaces.WHY_NOT)
    command = [sys.executable, "-m", "tests.chaos", "--only", name, "--scale", "0.25", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = json.loads(done.stdout)
    assert (row["lost"], row["double_spent"], row["parked_wrongly"]) == (0, 0, 0)
    assert row["refreshes"] > 0

"""What a stranger without a key may cost: real sockets against real processes, memory by the kernel."""

import os
import resource
import sys
from collections.abc import Callable

import pytest

from refresher.runtime.serving import limits
from tests.runtime.serving.conftest import Stranger
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
MEGABYTE = 1024 * 1024
MORE = 20 * MEGABYTE
Start = Callable[..., Stranger]
HEAD = b"GET /health HTTP/1.1\r\nhost: x\r\n"
WITHOUT_MEASURE = {
    "one header of 60 MB": [HEAD, b"x: ", *[b"a" * 65_536] * 960],
    "2,000,000 headers": [HEAD, *[b"a: b\r\n" * 10_000] * 200],
    "a target of 6 MB": [b"GET /", *[b"a" * 65_536] * 100],
    "a chunk's extension of 6 MB": [
        b"POST /v1/resume/x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1;",
        *[b"a" * 65_536] * 100,
    ],
}


@pytest.mark.parametrize("module", ["refresher.web", "refresher.scheduler"])
def test_a_head_without_measure_is_refused(module: str, stranger: Start) -> None:
    """431, next to no memory, and the health page answers; the log is not filled."""
    there = stranger(module)
    for name, pieces in WITHOUT_MEASURE.items():
        before = there.memory
        # A page that is none is told before the body has come.
        assert there.asks(*pieces).startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 404 ")), name
        assert there.memory - before < MORE, name
        assert there.is_well()
    assert "Invalid HTTP" not in there.process.output


def test_halves_hold_nobody_up(stranger: Start) -> None:
    """500 half heads, small or large, and 300 half bodies: all together cost little memory."""
    there = stranger()
    before = there.memory
    body = (
        b"POST /v1/resume/x HTTP/1.1\r\nhost: x\r\ncontent-length: 250000\r\n\r\n" + b"a" * 200_000
    )
    for number, half in ((500, HEAD), (500, HEAD + b"x: " + b"a" * 60_000), (300, body)):
        for _ in range(number):
            there.half(half)
        assert there.is_well()
        more = there.memory - before
        assert more < MORE, (number, len(half))


def test_few_descriptors_are_left_to_us(stranger: Start) -> None:
    """Where a process may open few files, strangers get half of what is left, and it goes on."""
    there = stranger("refresher.scheduler")
    pid = there.process.pid
    used = len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208  a list of numbers
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 20, before[1]))
    for _ in range(80):
        there.half(HEAD)
    assert there.process.is_running()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    wait_until(there.is_well, reason=lambda: there.process.output)


def test_as_many_connections_as_descriptors_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of what is left beside our own; never none, never more than a thousand."""
    allowed = {}
    for limit in (64, 400, 1_000_000, resource.RLIM_INFINITY):
        monkeypatch.setattr(resource, "getrlimit", lambda _, limit=limit: (limit, limit))
        allowed[limit] = limits.connections_for(58)
    assert allowed[64] == limits.FEWEST_CONNECTIONS
    assert 50 < allowed[400] < 171
    assert allowed[1_000_000] == allowed[resource.RLIM_INFINITY] == limits.MOST_CONNECTIONS

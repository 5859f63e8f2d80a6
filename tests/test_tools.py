"""The tests' own tools, where a mistake in them would let another test pass, or fail, by luck."""

import socket
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from coverage import CoverageData

from tests.coverage_files import remove_unfinished
from tests.order import arrange
from tests.ports import LOOPBACK, free_port


def test_data_of_killed_processes_is_cleared_away(tmp_path: Path) -> None:
    """Empty files, half ones and journals go; what can be read stays."""
    whole = CoverageData(str(tmp_path / ".coverage.vm.1"))
    whole.add_lines({"a.py": [1]})
    whole.write()
    whole.close()
    (tmp_path / ".coverage.vm.2").touch()
    (tmp_path / ".coverage.vm.3").write_bytes((tmp_path / ".coverage.vm.1").read_bytes()[:5000])
    (tmp_path / ".coverage.vm.4").write_bytes(b"no database at all, and longer than a header" * 9)
    (tmp_path / ".coverage.vm.5-journal").touch()
    assert remove_unfinished(tmp_path) == [f".coverage.vm.{n}" for n in (2, 3, 4)] + [
        ".coverage.vm.5-journal"
    ]
    assert [file.name for file in tmp_path.iterdir()] == [".coverage.vm.1"]


def test_a_port_is_given_once_and_lies_below_what_clients_are_given() -> None:
    """No two callers get the same one, and no outgoing connection takes it in between."""
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    with socket.socket() as client:
        client.bind((LOOPBACK, 0))
        assert max(ports) < client.getsockname()[1]


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 7])
def test_each_worker_begins_with_some_of_the_long_tests(workers: int) -> None:
    """None is lost, and the parts that xdist hands out begin with the longest ones."""
    names = ["a.py", "acceptance/test_authserver.py", "acceptance/test_main_job.py", "bench/b.py"]
    names += ["chaos/test_short.py", "devkit/d.py", *(f"rules/r{n}.py" for n in range(30))]
    items: list[Any] = [SimpleNamespace(nodeid=f"tests/{name}::test") for name in names]
    arrange(items, workers)
    arranged = [item.nodeid.removeprefix("tests/").partition("::")[0] for item in items]
    assert sorted(arranged) == sorted(names)
    starts = [part[0] for part in parts(arranged, workers)]
    assert starts[0] == "acceptance/test_main_job.py"
    assert all("rules" not in start for start in starts[:5])


def parts(arranged: Sequence[str], workers: int) -> list[Sequence[str]]:
    """Returns what `worksteal` hands out at the start."""
    found, start = [], 0
    for n in range(workers):
        size = (len(arranged) - start) // (workers - n)
        found.append(arranged[start : start + size])
        start += size
    return found

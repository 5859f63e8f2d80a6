"""A stranger's path: an empty folder, a bare environment, the README's commands, the wheel alone."""

from __future__ import annotations

import os
import resource
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from refresher.devkit.postgres.cluster import read_postmaster
from tests import loopback
from tests.devkit.postgres.kit import wait_for_clean_stop
from tests.foreign.kit import needs_node
from tests.foreign.programs import running
from tests.foreign.test_first_connection import connected
from tests.package.kit import LIMIT_SECONDS, ROOT, fetched, left_running, needs_tools, run
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(LIMIT_SECONDS), needs_tools, needs_node]
HEADING = "## From nothing to a token"
MOST_COMMANDS = 5
MOST_MACHINE_SECONDS = 90.0
LIFE_SECONDS = 30


def commands() -> list[str]:
    """Returns the commands of the README's first block under its heading."""
    block = (ROOT / "README.md").read_text().partition(HEADING)[2]
    block = block.partition("```console\n")[2].partition("```")[0]
    return [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]


@dataclass
class Stranger:
    """Types commands in a folder, in a bare environment, and looks at the clock after each."""

    folder: Path
    env: dict[str, str]
    laps: list[str] = field(default_factory=list)
    _at: float = field(default_factory=time.monotonic)

    def types(self, line: str) -> str:
        """Runs a command to its end; returns what it prints."""
        printed = run("sh", "-c", line, env=self.env, folder=self.folder).stdout.strip()
        self.notes(line)
        return printed

    def notes(self, what: str) -> None:
        """Writes down how long it took, by the clock on the wall."""
        now = time.monotonic()
        self.laps.append(f"{now - self._at:5.1f} s  {what}")
        self._at = now


def test_from_nothing_to_a_refreshed_token(
    wheels: Path, empty: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Five commands at most, and 90 s of the machine; the token that the last one prints was refreshed.

    oidc-provider, with its own pages and a token of half a minute, stands where the README says google;
    a driver does what a person does there. What the network gives to pip has been fetched before.
    """
    # Given
    *install, up, connect, token = lines = commands()
    assert len(lines) <= MOST_COMMANDS
    with running("consent.mjs", tmp_path / "log", "https://x.example", str(LIFE_SECONDS)) as there:
        began = children_seconds()
        stranger = Stranger(empty, environment(wheels, tmp_path))
        # When
        for line in install:
            stranger.types(line)
        words = ("sh", "-c", f"exec {up}")
        with left_running(*words, env=stranger.env, folder=empty, until="refresher is up"):
            stranger.notes(up)
            words = ("sh", "-c", f"exec {connect.replace('google', there['url'])}")
            id_ = connected(*words, env=stranger.env, folder=empty)
            stranger.notes(connect)
            wait_until(lambda: refreshes(there["url"]), 10 * LIFE_SECONDS)
            stranger.notes("(until its token was refreshed by itself)")
            printed = stranger.types(token.replace("ID", id_))
            assert is_alive(there["url"], printed)
            of_postgres = server_seconds(empty / ".refresher" / "postgres" / "data")
        spent = children_seconds() - began + of_postgres
    wait_for_clean_stop(empty / ".refresher" / "postgres")
    # Then
    with capsys.disabled():
        told = [*stranger.laps, f"{len(lines)} commands, {spent:.1f} s of processors"]
        sys.stdout.write("\n".join(["", *told, ""]))
    assert spent <= MOST_MACHINE_SECONDS


def environment(wheels: Path, home: Path) -> dict[str, str]:
    """Returns PATH and a new HOME, in which `python3` is this Python and pip has all wheels at hand."""
    env = fetched(wheels)
    return env | {"HOME": str(home), "PATH": f"{Path(sys.base_prefix) / 'bin'}:{env['PATH']}"}


def refreshes(issuer: str) -> int:
    """Returns how many refreshes the provider has granted."""
    return int(loopback.get(f"{issuer}/counted").json().get("refresh_token granted", 0))


def is_alive(issuer: str, token: str) -> bool:
    """Whether the provider takes an access token, and knows whose it is."""
    answer = loopback.get(f"{issuer}/me", headers={"Authorization": f"Bearer {token}"})
    return answer.status_code == 200 and answer.json()["sub"] == "ann"


def children_seconds() -> float:
    """Returns what children that have ended took of the processors, theirs included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def server_seconds(data: Path) -> float:
    """Returns what a running PostgreSQL has taken, with its children; 0 where no /proc tells."""
    server = read_postmaster(data)
    assert server is not None
    try:
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        stats = [Path(f"/proc/{pid}/stat").read_text() for pid in [str(server.pid), *children]]
    except OSError:
        return 0.0
    # utime and stime, and those of children that have ended: proc_pid_stat(5)
    ticks = sum(int(n) for text in stats for n in text.rpartition(")")[2].split()[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")

"""The provider as a process of its own: its flags, its one line of output, its end."""

import json
from pathlib import Path

import httpx
import pytest

from refresher.devkit.oauth_server import FakeProvider, FakeProviderClient
from tests import loopback
from tests.processes import Process, Spawner
from tests.waiting import wait_until

MODULE = "refresher.devkit.oauth_server"
START_AND_LEAVE = f"""
import subprocess, sys
subprocess.Popen([sys.executable, "-m", "{MODULE}", "--exit-with-parent"]).wait()
"""


def told(process: Process) -> dict[str, object]:
    """Returns what the process said when it began to listen."""
    process.wait_for("}\n")
    said: dict[str, object] = json.loads(process.output)
    return said


def test_the_process_says_where_it_listens_and_ends_on_sigterm(
    spawn: Spawner, tmp_path: Path
) -> None:
    """One JSON line tells url and pid, a file the port, flags the options; SIGTERM exits with 0."""
    port_file = tmp_path / "port"
    process = spawn(
        "-m", MODULE, "--port", "0", "--port-file", str(port_file), "--lifetime-seconds", "20",
        "--rotation", "always", "--reuse", "revoke_family", "--grace-seconds", "0",
        "--latency-seconds", "0.01", "--omit-refresh-token",
    )  # fmt: skip
    said = told(process)
    assert said["pid"] == process.pid
    assert said["url"] == f"http://127.0.0.1:{int(port_file.read_text())}"
    with FakeProviderClient(str(said["url"])) as admin:
        options = admin.options()
        assert (options["lifetime_seconds"], options["latency_seconds"]) == (20, 0.01)
        assert options["omit_refresh_token"] is True
        process.terminate()
        assert process.wait() == 0
    assert process.output.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--rotation", "never"], "--rotation"),
        (["--lifetime-seconds", "soon"], "lifetime_seconds"),
        (["--grace-seconds", "-1"], "grace_seconds"),
        (["--port", "99999"], "--port"),
        (["--entry", "gogle"], 'did you mean "google"?'),
    ],
)
def test_a_wrong_flag_is_named(spawn: Spawner, flags: list[str], named: str) -> None:
    """A mistake in the flags exits with 2 and a sentence naming it, without a traceback."""
    process = spawn("-m", MODULE, *flags)
    assert process.wait() == 2
    assert named in process.output
    assert "Traceback" not in process.output


def test_the_process_behaves_as_an_entry_says(spawn: Spawner) -> None:
    """With --entry it takes that provider's options, and tells what a providers file needs."""
    process = spawn("-m", MODULE, "--entry", "threads", "--latency-seconds", "0.01")
    said = told(process)
    assert said["refresh_url"] == f"{said['url']}/graph.threads.net/refresh_access_token"
    assert said["token_url"] == f"{said['url']}/graph.threads.net/oauth/access_token"
    with FakeProviderClient(str(said["url"])) as admin:
        options = admin.options()
        assert (options["rotation"], options["lifetime_seconds"]) == ("none", 5_184_000)
        assert options["latency_seconds"] == 0.01


def test_a_taken_port_is_said(spawn: Spawner) -> None:
    """Starting on a port in use exits with 2 and says to choose another."""
    with FakeProvider() as first:
        process = spawn("-m", MODULE, "--port", str(first.port))
        assert process.wait() == 2
    assert "choose another --port" in process.output


def test_the_process_can_end_with_its_parent(spawn: Spawner) -> None:
    """With --exit-with-parent, a provider whose starter was killed stops listening."""
    starter = spawn("-c", START_AND_LEAVE)
    url = str(told(starter)["url"])

    def is_gone() -> bool:
        try:
            loopback.get(f"{url}/admin/options")
        except httpx.TransportError:
            return True
        return False

    starter.terminate()
    starter.wait()
    wait_until(is_gone)

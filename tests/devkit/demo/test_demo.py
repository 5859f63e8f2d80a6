"""`refresher demo` for real, small and quick; and what its figures and its screen are made of."""

import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from refresher.devkit.demo.interruption import Interruption, Phase
from refresher.devkit.demo.notifications import Receiver
from refresher.devkit.demo.plan import Plan, check
from refresher.devkit.demo.show import DemoVerdict
from refresher.devkit.demo.stage import SchedulerProcess
from refresher.errors import SettingsError
from refresher.rules.webhooks import body as make_body
from refresher.rules.webhooks import headers as make_headers
from refresher.rules.webhooks import make_secret
from tests.processes import OURS
from tests.waiting import wait_until

KEYS = ["connections", "refreshed", "expired_seconds", "lost", "double_spends"]
KEYS += ["lateness_p50_ms", "lateness_p99_ms"]
GOOD = DemoVerdict(
    connections=2,
    refreshed=5,
    expired_seconds=0.0,
    lost=0,
    presented_twice=0,
    forgiven=0,
    lateness_p50_ms=5.0,
    lateness_p99_ms=20.0,
)


def run_demo(*arguments, env=None):
    """Runs the command as its user does; its standard output and error stay apart."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
    return subprocess.run(
        [sys.executable, "-m", "refresher", "demo", *arguments],
        env=inherited | (env or {}),
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )


@pytest.fixture(scope="module")
def runs():
    """Two small demos, at the same time: one with a clean restart, one with kill -9."""
    sizes = ["--connections", "20", "--lifetime", "6", "--seconds", "10", "--json"]
    sizes += ["--with-notifications", "--with-connect"]
    # Settings of the user's own environment must not reach a demo.
    env = {"DATABASE_URL": "postgresql://no.invalid/x", "REFRESHER_LEAD_SHARE": "0.9"}
    ways = {"SIGTERM": (), "kill -9": ("--kill",)}
    with ThreadPoolExecutor(len(ways)) as pool:
        begun = {how: pool.submit(run_demo, *sizes, *ways[how], env=env) for how in ways}
    return {how: run.result() for how, run in begun.items()}


@pytest.mark.slow
@pytest.mark.parametrize("how", ["SIGTERM", "kill -9"])
def test_a_demo_keeps_every_token_through_a_restart(runs, how):
    """Through a restart in its middle, no token is lost and none spent twice."""
    ran = runs[how]
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("\n") == 1
    told = json.loads(ran.stdout)
    assert list(told) == ["connected", *KEYS]
    assert (told["connections"], told["connected"]) == (21, 1)
    assert "“The demo's OAuth server is connected”" in ran.stderr
    assert told["refreshed"] >= 20
    assert (told["lost"], told["double_spends"]) == (0, 0)
    assert how in ran.stderr
    assert "started again after" in ran.stderr
    assert "Subject: Reconnect The demo's OAuth server: “Ann's calendar”" in ran.stderr
    assert "https://app.example/connections/ann-calendar/reconnect" in ran.stderr
    assert ran.stderr.count('"type": "connection.reconnect_required"') == 1
    assert "Its signature was verified by the receiver." in ran.stderr


def test_the_receiver_takes_only_what_is_signed():
    """The demo's receiver keeps a signed message once, and refuses a forged one and one unsigned."""
    receiver = Receiver()
    receiver.secret = make_secret(b"k" * 32)
    other = make_secret(b"o" * 32)
    body = make_body("connection.reconnect_required", datetime(2030, 1, 1, tzinfo=UTC), {})
    signed = make_headers("id-1", 1_900_000_000, body, [other, receiver.secret])
    forged = make_headers("id-2", 1_900_000_000, body, [other])
    try:
        with httpx.Client(trust_env=False) as client:
            given = [(signed, body), (signed, body), (forged, body), ({}, body)]
            given += [(signed, body + b" "), ({**signed, "webhook-timestamp": "now"}, body)]
            statuses = [
                client.post(receiver.url, headers=headers, content=content).status_code
                for headers, content in given
            ]
    finally:
        receiver.close()
    assert statuses == [204, 204, 401, 401, 401, 401]
    assert [one.message_id for one in receiver.received] == ["id-1"]
    assert receiver.refused == 4


def test_a_demo_leaves_nothing_behind(spawn):
    """Ended early with SIGTERM it tells its verdict, and removes its folder and its processes."""
    # Given
    with tempfile.TemporaryDirectory(prefix="refresher-tests-") as name:
        Path(name).chmod(0o755)
        demo = spawn("-m", "refresher", "demo", "--connections", "5", env={"TMPDIR": name})
        demo.wait_for("5 connections imported")
        # When
        demo.terminate()
        # Then
        assert demo.wait() in {0, 1}  # 1 when nothing was due yet
        assert "What came of it" in demo.output
        assert list(Path(name).iterdir()) == []


def test_a_killed_demo_takes_its_scheduler_along(directory, spawn):
    """Even kill -9 of the demo leaves no scheduler running."""
    # Given
    demo = spawn("-m", "refresher", "demo", "--connections", "5", "--directory", str(directory))
    demo.wait_for("5 connections imported")
    log = directory / "scheduler.log"
    # When
    demo.kill()
    # Then
    wait_until(
        lambda: "scheduler stopped" in log.read_text() or not uses(log), reason=log.read_text
    )


def uses(log):
    """Whether a process has this log open (Linux; elsewhere we cannot ask)."""
    for descriptor in Path("/proc").glob("[0-9]*/fd/1"):
        try:
            if descriptor.readlink() == log:
                return True
        except OSError:
            continue
    return False


@pytest.mark.parametrize(
    ("plan", "option"),
    [
        (Plan(connections=0), "--connections is 0"),
        (Plan(connections=10**6), "--connections is 1000000"),
        (Plan(lifetime_seconds=1), "--lifetime is 1"),
        (Plan(lifetime_seconds=float("nan")), "--lifetime is nan"),
        (Plan(seconds=19), "--seconds is 19"),
        (Plan(seconds=float("inf")), "--seconds is inf"),
        (Plan(seed=-1), "--seed is -1"),
    ],
)
def test_an_impossible_wish_is_one_sentence(plan, option):
    """Each option that cannot be met is refused by its name, with what would do."""
    with pytest.raises(SettingsError, match=option) as refused:
        check(plan)
    assert "\n" not in str(refused.value)


@pytest.mark.slow
def test_a_wrong_option_on_the_command_line_is_told_without_a_traceback():
    """The command line refuses with exit code 2 and that sentence, before anything is started."""
    ran = run_demo("--connections", "0", "--json")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("refresher: --connections is 0")


@pytest.mark.slow
def test_a_folder_with_a_database_is_not_used_again(tmp_path):
    """A directory that an earlier demo kept is refused: its connections would count as lost."""
    # Given
    (tmp_path / "postgres").mkdir()
    # When
    ran = run_demo("--directory", str(tmp_path))
    # Then
    assert ran.returncode == 2
    assert "holds a database already" in ran.stderr


@pytest.mark.parametrize(
    ("changed", "is_good"),
    [
        ({}, True),
        ({"refreshed": 0}, False),
        ({"lost": 1}, False),
        ({"presented_twice": 1}, False),
        ({"presented_twice": 1, "forgiven": 1}, True),
        ({"expired_seconds": 1.5}, True),
        ({"connected": 0}, False),
        ({"connected": 1}, True),
    ],
)
def test_a_verdict_is_good_when_nothing_was_lost_or_spent_twice(changed, is_good):
    """Lost tokens, unforgiven second uses and no refresh at all are failures; lateness is a figure."""
    verdict = replace(GOOD, **changed)
    assert verdict.is_good is is_good
    told = verdict.as_json()
    assert (told.pop("connected", None), list(told)) == (verdict.connected, KEYS)


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ([], None),
        (['{"event": "scheduler started", "level": "info"}'], None),
        (
            ['{"event": "transient", "level": "warning", "timestamp": 1, "reason": "timeout"}'] * 2
            + ['{"event": "stopped", "level": "info"}'],
            '{"event": "transient", "reason": "timeout"}',
        ),
        (["refresher: DATABASE_URL is wrong"], "refresher: DATABASE_URL is wrong"),
    ],
)
def test_a_bad_verdict_comes_with_the_last_complaint(tmp_path, lines, complaint):
    """What the scheduler warned of last is found in its log, which goes with the folder."""
    log = tmp_path / "scheduler.log"
    log.write_text("\n".join(lines))
    assert SchedulerProcess({}, log, cast("Any", None)).last_complaint() == complaint


class FakeScheduler:
    """Records what is done to it; ends and starts at once."""

    pid = None

    def __init__(self):
        self.did: list[str] = []

    def start(self):
        """As the real one."""
        self.did.append("start")

    def signal(self, number):
        """As the real one."""
        self.did.append(number.name)

    def demand(self):
        """It never ends by itself."""


@pytest.mark.parametrize(("kill", "how"), [(False, "SIGTERM"), (True, "SIGKILL")])
def test_the_interruption_comes_once_and_half_way(kill, how):
    """The scheduler is stopped or killed once, at half time, and started again at once."""
    # Given
    scheduler = FakeScheduler()
    interruption = Interruption(Plan(seconds=20, kill=kill), cast("Any", scheduler))
    # When
    for second, registered in [
        (9.9, True),
        (10.0, True),
        (10.1, False),
        (10.2, False),
        (11.0, True),
    ]:
        interruption.step(second, is_registered=registered)
    interruption.step(19.0, is_registered=True)
    # Then
    assert scheduler.did == [how, "start"]
    assert interruption.phase is Phase.OVER
    assert interruption.away_seconds == pytest.approx(1.0)
    assert [note.at_seconds for note in interruption.notes] == [10.0, 11.0]

"""Commands in the folder of `refresher up`: they find its settings, and processes do not."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from refresher.devkit.handed_on import write_environment
from refresher.runtime.cipher import new_key
from tests.cli.kit import COMMAND, Cli, Ran

FILE = ".refresher/env"


@pytest.fixture
def file(bare: Cli) -> Path:
    """What an `up` of this folder has written; the command line itself is told of nothing."""
    folder = bare.folder / ".refresher"
    folder.mkdir()
    away = {"DATABASE_URL": "postgresql://u@127.0.0.1:1/d", "REFRESHER_ENCRYPTION_KEYS": new_key()}
    return write_environment(folder, away)


def test_a_command_finds_what_up_wrote(bare: Cli, file: Path) -> None:
    """In its folder it works on that database, silently; `settings` tells where each value is from."""
    shown = bare.process("settings", "--json", REFRESHER_LEAD_SHARE="0.3")
    origins = {name: line["origin"] for name, line in shown.json.items()}
    assert (shown.stderr, origins["DATABASE_URL"]) == ("", FILE)
    assert origins["REFRESHER_ENCRYPTION_KEYS"] == FILE
    assert origins["REFRESHER_LEAD_SHARE"] == "REFRESHER_LEAD_SHARE"
    assert origins["REFRESHER_ATTEMPTS"] == "default"


@pytest.mark.slow
def test_on_a_terminal_it_says_so_in_a_line(bare: Cli, file: Path) -> None:
    """Who looks learns whose database it is; what a program reads stays as it was."""
    ours, theirs = os.openpty()
    words = [*COMMAND, "settings", "--json"]
    environment = bare.environment({})
    with os.fdopen(ours, encoding="utf-8", errors="replace") as terminal:
        ran = subprocess.run(
            words,
            env=environment,
            cwd=bare.folder,
            stdout=subprocess.PIPE,
            stderr=theirs,
            check=True,
        )
        os.close(theirs)
        assert terminal.readline().strip() == f"Settings of `refresher up`: {FILE}"
    assert b"Settings of" not in ran.stdout


def test_a_file_that_others_read_is_left_with_a_word(bare: Cli, file: Path) -> None:
    """It is not read, which a sentence tells with the mend; the command goes on without."""
    file.chmod(0o644)
    ran = bare.process("settings", "--json")
    assert f"refresher: {FILE} holds keys and is open to other users" in ran.stderr
    assert f"run `chmod 600 {FILE}`" in ran.stderr
    assert FILE not in {line["origin"] for line in ran.json.values()}


def test_a_database_that_is_away_is_told_with_its_file(bare: Cli, file: Path) -> None:
    """After `up` has ended, its settings are still there, and its database is not."""
    ran = bare.process("connections", "list")
    ran.refused(
        f"; {FILE} names it: start `refresher up` (or wait until it has), or set DATABASE_URL",
        code=3,
    )


def test_a_process_takes_nothing_from_it(bare: Cli, file: Path) -> None:
    """What a scheduler runs with is said by whoever runs it."""
    out = bare.folder / "out"
    started = bare.warm.start(
        ["refresher.scheduler"], bare.environment({}), out, folder=bare.folder
    )
    Ran(started.wait(60), "", out.read_text()).refused("REDIS_URL is not set")

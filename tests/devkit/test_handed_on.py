"""The file of settings that `up` writes: what a shell and a command take from it, and when."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from refresher.devkit.handed_on import handed_on, read_environment, write_environment
from refresher.errors import SettingsError

WRITTEN = {
    "DATABASE_URL": "postgresql://u@/d?host=%2Ftmp%2Fx y&port=5432 'q' $HOME # no",
    "REFRESHER_REDIS_URL": "redis://localhost",
    "REFRESHER_ENCRYPTION_KEYS": "key",
    "REFRESHER_INTEGRATION_REFRESH__TRANSPORT": "in_process",
}
KEYS, TRANSPORT = "REFRESHER_ENCRYPTION_KEYS", "REFRESHER_INTEGRATION_REFRESH__TRANSPORT"


def test_a_shell_reads_the_environment_file(tmp_path: Path) -> None:
    """What is written comes back, through a real shell and through `read_environment`."""
    path = write_environment(tmp_path, WRITTEN)
    script = f"set -a; . '{path}'; set +a; env -0"
    told = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    in_shell = dict(entry.split("=", 1) for entry in told.split("\0") if entry)
    assert WRITTEN.items() <= in_shell.items()
    assert read_environment(tmp_path) == WRITTEN
    assert path.stat().st_mode & 0o777 == 0o600


def test_no_environment_file_is_no_environment(tmp_path: Path) -> None:
    """Before the first `up` there is nothing to read, and that is no error."""
    assert read_environment(tmp_path) == {}
    assert handed_on(tmp_path, {}) == {}


@pytest.mark.parametrize(
    ("environment", "left"),
    [
        ({}, set()),
        ({"REDIS_URL": "", "PATH": "/bin"}, set()),
        ({"DATABASE_URL": "postgresql://there/d"}, {*WRITTEN}),
        ({"refresher_database_url": "postgresql://there/d"}, {*WRITTEN}),
        ({"REDIS_URL": "redis://there"}, {"REFRESHER_REDIS_URL"}),
        ({"REFRESHER_ENCRYPTION_KEYS_FILE": "keys"}, {KEYS}),
        ({"REFRESHER_INTEGRATION_REFRESH": "{}"}, {TRANSPORT}),
        ({"REFRESHER_INTEGRATION_REFRESH__QUEUE": "q"}, set()),
    ],
)
def test_what_is_said_wins(tmp_path: Path, environment: dict[str, str], left: set[str]) -> None:
    """A variable that is set leaves the file's aside, whichever of its names it has; a database all."""
    write_environment(tmp_path, WRITTEN)
    assert {*WRITTEN} - handed_on(tmp_path, environment).keys() == left


def test_only_settings_are_taken_and_only_from_a_file_of_ours(tmp_path: Path) -> None:
    """What is no setting of this version stays there, and so does a file that `up` did not write."""
    path = write_environment(tmp_path, {"LD_PRELOAD": "x.so", "REFRESHER_GONE": "1", KEYS: "key"})
    assert handed_on(tmp_path, {}) == {KEYS: "key"}
    for text in ("DATABASE_URL=postgresql://there/d\n", path.read_text() + "A='"):
        path.write_text(text)
        assert handed_on(tmp_path, {}) == {}


def test_a_file_that_is_not_ours_alone_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that others may read is told with the mend; so is another user's; a link is no file."""
    path = write_environment(tmp_path, WRITTEN)
    path.chmod(0o640)
    with pytest.raises(SettingsError, match=f"run `chmod 600 {path}`"):
        handed_on(tmp_path, {})
    path.chmod(0o600)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(SettingsError, match="belongs to another user"):
        handed_on(tmp_path, {})
    monkeypatch.undo()
    path.symlink_to(path.rename(tmp_path / "away"))
    assert handed_on(tmp_path, {}) == {}
    path.unlink()
    os.mkfifo(path)
    assert handed_on(tmp_path, {}) == {}
